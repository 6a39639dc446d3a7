package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// defaultStale is how old a match may be when it is stored, unless the
// playbook says otherwise.
const defaultStale = 15 * time.Minute

// fire is a playbook's own match, made.
type fire struct {
	node   *node
	hit    hit // what completed it
	group  string
	key    map[string]any
	entity uint64 // what it speaks of
	parts  []part
}

// fire takes what the playbook's own match is completed by; z brought it about.
// What one event completes in several ways is one match. It says whether the
// match was left alone because a person asked for it; what is decided once the
// event is done with never is, here.
func (e *Engine) fire(n *node, h hit, group string, z hit, operand int, parts []part) (leftAlone bool) {
	for i := range e.work.fires {
		f := &e.work.fires[i]
		if f.node == n && f.hit.hash == h.hash && f.hit.at == h.at && f.group == group {
			f.join(parts)
			return false
		}
	}
	f := fire{node: n, hit: h, group: group, key: n.keyOf(operand, z.data), entity: entityOf(z.data), parts: parts}
	if n.anew() {
		return e.open(f)
	}
	e.work.fires = append(e.work.fires, f)
	return false
}

func (f *fire) join(parts []part) {
	for _, p := range parts {
		if !slices.ContainsFunc(f.parts, func(o part) bool { return o.operand == p.operand }) {
			f.parts = append(f.parts, p)
		}
	}
}

// flush decides on what has been completed.
func (e *Engine) flush() {
	for _, f := range e.work.fires {
		e.open(f)
	}
	clear(e.work.fires)
	e.work.fires, e.work.passed = e.work.fires[:0], e.work.passed[:0]
}

// open opens an incident for a match, or lets one recur. It says whether the
// match was left alone because a person asked for it.
func (e *Engine) open(f fire) (leftAlone bool) {
	b := f.node.book
	if !b.Match.Grouped() || b.Once <= 0 {
		e.observe(Fired, f.node, f.group, f.hit, 0, 0, "")
		e.out = append(e.out, e.opened(f))
		return false
	}
	return e.once(f)
}

// opened makes the incident that a match opens.
func (e *Engine) opened(f fire) Opened {
	p := f.node.book
	guard := p.Guard
	if guard.StaleAfter <= 0 {
		guard.StaleAfter = schemas.Duration(defaultStale)
	}
	trigger := ref(f.hit)
	trigger.Time = instant(f.hit.at)
	signals, recall := e.signals(f)
	return Opened{
		Incident: f.incident(),
		Opened: schemas.Opened{
			Playbook: schemas.Playbook{
				Name: p.Name, Digest: e.set.Digest, Summary: p.Summary,
				Arena: p.Arena, Severity: p.Severity, Attack: p.Attack,
			},
			Group: f.group, Key: f.key, Trigger: trigger, Signals: signals, Types: typesOf(p.Playbook),
			Once: schemas.Duration(p.Once), Guard: guard,
			Stale: !e.now.Stored.IsZero() && e.now.Stored.Sub(trigger.Time) > time.Duration(guard.StaleAfter),
			Steps: p.Steps,
		},
		Recall: recall,
	}
}

// incident names the incident that the match opens. An event that came by a
// writer is named by its hash too: one of another writer with the same source
// and id must not take its place.
func (f *fire) incident() string {
	source, id := f.hit.ref.source, f.hit.ref.id
	if id == "" || f.hit.hash != identity("", source, id) {
		id += "#" + strconv.FormatUint(f.hit.hash, 16)
	}
	return IncidentID(f.node.book.Name, f.group, source, id)
}

// typesOf gives the types of the signals that steps may speak of, where one of
// them need not have taken part: steps may ask for it all the same.
func typesOf(p *playbook.Playbook) map[string][]string {
	if p.Match.Op != playbook.OpAny || len(p.Match.Of) < 2 {
		return nil
	}
	out := make(map[string][]string, len(p.Match.Of))
	for _, of := range p.Match.Of {
		out[p.Signals[of].Name] = p.Signals[of].Types
	}
	return out
}

// signals gives the events that took part: the current one with its data, the
// others to be recalled.
func (e *Engine) signals(f fire) (map[string]schemas.Signal, []Recall) {
	out := make(map[string]schemas.Signal, len(f.parts))
	var recall []Recall
	for _, p := range f.parts {
		name := f.node.book.Signals[f.node.Of[p.operand]].Name
		s := schemas.Signal{EventRef: ref(p.hit)}
		if p.hit.hash == e.now.hash && e.work.data != nil {
			s.EventRef = schemas.EventRef{Source: e.now.Source, ID: e.now.ID, Type: e.now.Type, Time: instant(e.now.at), Seq: e.now.Seq}
			s.Data = e.now.Data
		} else {
			recall = append(recall, Recall{Signal: name, Seq: p.hit.seq, Hash: p.hit.hash})
		}
		out[name] = s
	}
	slices.SortFunc(recall, func(a, b Recall) int { return strings.Compare(a.Signal, b.Signal) })
	return out, recall
}

// entityOf is a hash of the container and the pod that an event speaks of.
func entityOf(data map[string]any) uint64 {
	container, _ := lookUp(data, containerID)
	pod, _ := lookUp(data, podUID)
	c, _ := kept(container).(string)
	p, _ := kept(pod).(string)
	return identity("", c, p)
}
