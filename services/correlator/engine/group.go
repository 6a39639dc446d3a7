package engine

import (
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
)

// book is what is remembered of a playbook's groups.
type book struct {
	groups map[string]*group
	queue  []queued // in the order of opening, to forget the oldest
}

type queued struct{ group, incident string }

// group is a group's window and what was said of it.
type group struct {
	incident string
	opened   time.Time
	end      time.Time       // of the window
	source   string          // of the event that opened it
	event    string          // its id
	seen     map[string]bool // entities that the incident has heard of

	// covered is the sequence up to which the ledger holds all decisions of
	// this group, as of the time it was stored. A log that was made anew
	// counts from 1 again and is not covered.
	covered   uint64
	coveredAt time.Time

	n     int       // recorded recurrences
	lastN time.Time // event time of the last one

	arms     int       // how many windows in a row were cut short before this one
	armed    bool      // may open before its window ends
	suppress time.Time // left alone until then
}

func (e *Engine) book(playbook string) *book {
	b := e.books[playbook]
	if b == nil {
		b = &book{groups: map[string]*group{}}
		e.books[playbook] = b
	}
	return b
}

// once opens an incident for a group, or lets it recur.
func (e *Engine) once(m match, out []Decision) []Decision {
	b := e.book(m.playbook.Name)
	if g := b.groups[m.group]; g != nil {
		switch {
		case g.covers(m):
			return out
		case m.at.Before(g.suppress):
			m.stats.Suppressed++
			return out
		case g.within(m.at):
			if m.at.Before(g.opened) {
				m.stats.Late++
			}
			return g.recur(m, out)
		}
	}
	d := e.open(m)
	g := e.begin(b, m.group, d.Incident, m.at, m.playbook.Once)
	g.source, g.event = m.ev.Source, m.ev.ID
	g.seen[entityOf(m.data)] = true
	g.cover(m.ev.Seq, m.ev.Stored)
	return e.forget(m.playbook.Name, b, append(out, d))
}

// within says that the group's window is open and was not armed again.
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

// covers says that the ledger holds what this event decided for the group.
func (g *group) covers(m match) bool {
	if m.ev.Source == g.source && m.ev.ID == g.event {
		return true
	}
	return m.ev.Seq != 0 && m.ev.Seq <= g.covered && !m.ev.Stored.After(g.coveredAt.Add(skew))
}

func (g *group) cover(seq uint64, at time.Time) {
	if seq > g.covered || at.After(g.coveredAt.Add(skew)) {
		g.covered = seq
	}
	g.coveredAt = at
}

// begin starts the group's window anew.
func (e *Engine) begin(b *book, name, incident string, at time.Time, once time.Duration) *group {
	g := &group{incident: incident, opened: at, end: at.Add(once), seen: map[string]bool{}}
	if old := b.groups[name]; old != nil {
		g.suppress = old.suppress
		if old.incident != "" && at.Before(old.end) {
			g.arms = old.arms + 1
		}
		delete(e.incidents, old.incident)
	}
	b.groups[name] = g
	b.queue = append(b.queue, queued{name, incident})
	e.incidents[incident] = g
	return g
}

// recur records a recurrence, unless it is one of too many.
func (g *group) recur(m match, out []Decision) []Decision {
	entity := entityOf(m.data)
	if g.seen[entity] && g.n >= keepAll && m.at.Sub(g.lastN) < thin {
		return out
	}
	g.seen[entity] = true
	g.n++
	g.lastN = m.at
	g.cover(m.ev.Seq, m.ev.Stored)
	return append(out, Recurred{
		Incident: g.incident, N: g.n,
		Recurred: schemas.Recurred{Trigger: m.ref(), Signals: m.signals()},
	})
}

// forget drops groups whose time has long passed, and the oldest above the limit.
func (e *Engine) forget(playbook string, b *book, out []Decision) []Decision {
	for len(b.queue) > 0 {
		first := b.queue[0]
		g := b.groups[first.group]
		replaced := g == nil || g.incident != first.incident
		over := !replaced && e.now.After(g.end.Add(keepOver)) && !e.quiet(g.suppress)
		if !replaced && !over && len(b.groups) <= e.limit {
			break
		}
		b.queue = b.queue[1:]
		if replaced {
			continue
		}
		delete(b.groups, first.group)
		delete(e.incidents, first.incident)
		if !over {
			out = append(out, Overflowed{Playbook: playbook, Group: first.group, Incident: first.incident})
		}
	}
	return out
}

// entityOf names the container and the pod that an event speaks of.
func entityOf(data map[string]any) string {
	container, _ := lookUp(data, []string{"container", "id"})
	pod, _ := lookUp(data, []string{"k8s", "pod", "uid"})
	c, _ := container.(string)
	p, _ := pod.(string)
	return c + "\n" + p
}
