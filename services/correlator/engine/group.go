package engine

import (
	"slices"
	"time"

	"firebreak/schemas"
)

const (
	// keepAll recurrences of an incident are recorded each; after them one in
	// every thin, so that a noisy group does not fill the ledger.
	keepAll = 10
	thin    = time.Minute
	// rearmStep is how long after its opening a group that is armed for the
	// second time in a row stays quiet; it doubles each time. A response that
	// always fails would otherwise open an incident for every event.
	rearmStep = 10 * time.Second
	// keepOver is how long after its window a group is remembered, for events
	// that come late.
	keepOver = time.Hour
	// skew is how much the clocks of the log and of the ledger may differ.
	skew = time.Minute
	// maxEntities bounds the containers and pods that one incident knows; those
	// beyond recur like known ones.
	maxEntities = 1024
)

// groups is what is remembered of a playbook's groups.
type groups struct {
	byKey map[string]*group
	queue []queued // in the order of opening, to forget the oldest
}

type queued struct{ group, incident string }

// group is the time of a group in which it opens no other incident, and what
// was said of it.
type group struct {
	playbook string
	incident string
	opened   time.Time
	end      time.Time
	seen     []uint64 // entities that the incident has heard of

	// covered is the sequence up to which the ledger holds all decisions of
	// this group, as of the time it was stored: what the seeding said. A log
	// that was made anew counts from 1 again and is not covered.
	covered   uint64
	coveredAt time.Time

	n     int       // recorded recurrences
	lastN time.Time // event time of the last one

	arms     int       // how many times in a row it was cut short before this one
	armed    bool      // may open before its end
	suppress time.Time // left alone until then
}

func (e *Engine) groupsOf(playbook string) *groups {
	b := e.books[playbook]
	if b == nil {
		b = &groups{byKey: map[string]*group{}}
		e.books[playbook] = b
	}
	return b
}

// once opens an incident for a group, or lets it recur. It says whether the
// match was left alone.
func (e *Engine) once(f fire) (leftAlone bool) {
	b := f.node.book
	at := instant(f.hit.at)
	if g := b.once.byKey[f.group]; g != nil {
		switch {
		case g.covers(f, e.now.Stored):
			return false
		case at.Before(g.suppress):
			b.stats.Suppressed++
			e.observe(Suppressed, f.node, f.group, f.hit, 0, 0, "until "+g.suppress.Format(time.RFC3339))
			return true
		case g.within(at):
			if at.Before(g.opened) && !f.hit.late {
				b.stats.Late++
			}
			e.recur(g, f, at)
			return false
		}
	}
	e.observe(Fired, f.node, f.group, f.hit, 0, 0, "")
	d := e.opened(f)
	g := e.begin(b.Name, b.once, f.group, d.Incident, at, b.Once)
	g.hear(f.entity)
	e.out = append(e.out, d)
	e.forgetGroups(b.Name, b.once)
	return false
}

// within says that the group's time is not over, and that it was not armed again.
func (g *group) within(at time.Time) bool {
	if g.incident == "" || !at.Before(g.end) {
		return false
	}
	return !g.armed || at.Before(g.rearmed())
}

// rearmed is when a group that is armed may open again.
func (g *group) rearmed() time.Time {
	if g.arms == 0 {
		return time.Time{}
	}
	return g.opened.Add(rearmStep << min(g.arms-1, 20))
}

// covers says that the ledger holds what this match decided for the group.
func (g *group) covers(f fire, stored time.Time) bool {
	if g.incident != "" && f.incident() == g.incident {
		return true
	}
	latest := f.hit.seq
	for _, p := range f.parts {
		latest = max(latest, p.hit.seq)
	}
	return latest != 0 && latest <= g.covered && !stored.After(g.coveredAt.Add(skew))
}

func (g *group) cover(seq uint64, at time.Time) {
	if seq > g.covered || at.After(g.coveredAt.Add(skew)) {
		g.covered = seq
	}
	g.coveredAt = at
}

// hear takes note of an entity, and says whether it is new.
func (g *group) hear(entity uint64) bool {
	if slices.Contains(g.seen, entity) || len(g.seen) >= maxEntities {
		return false
	}
	g.seen = append(g.seen, entity)
	return true
}

// begin starts the group's time anew.
func (e *Engine) begin(playbook string, b *groups, name, incident string, at time.Time, once time.Duration) *group {
	g := &group{playbook: playbook, incident: incident, opened: at, end: at.Add(once)}
	if old := b.byKey[name]; old != nil {
		g.suppress = old.suppress
		if old.incident != "" && at.Before(old.end) {
			g.arms = old.arms + 1
		}
		delete(e.incidents, old.incident)
	}
	b.byKey[name] = g
	b.queue = append(b.queue, queued{name, incident})
	e.incidents[incident] = g
	return g
}

// recur records a recurrence, unless it is one of too many.
func (e *Engine) recur(g *group, f fire, at time.Time) {
	e.observe(Recurs, f.node, f.group, f.hit, 0, 0, "")
	if !g.hear(f.entity) && g.n >= keepAll && at.Sub(g.lastN) < thin {
		return
	}
	g.n++
	g.lastN = at
	trigger := ref(f.hit)
	trigger.Time = at
	signals, recall := e.signals(f)
	e.out = append(e.out, Recurred{
		Incident: g.incident, N: g.n,
		Recurred: schemas.Recurred{Trigger: trigger, Signals: signals},
		Recall:   recall,
	})
}

// forgetGroups drops groups whose time has long passed, and the oldest above
// the limit.
func (e *Engine) forgetGroups(playbook string, b *groups) {
	for len(b.queue) > 0 {
		first := b.queue[0]
		g := b.byKey[first.group]
		replaced := g == nil || g.incident != first.incident
		over := !replaced && instant(e.clock.top).After(g.end.Add(keepOver)) && !e.quiet(g.suppress)
		if !replaced && !over && len(b.byKey) <= e.limits.groups {
			break
		}
		b.queue = b.queue[1:]
		if replaced {
			continue
		}
		delete(b.byKey, first.group)
		delete(e.incidents, first.incident)
		if !over {
			e.reports.overflow(e, playbook, "", e.limits.groups, 1, first.incident)
		}
	}
}
