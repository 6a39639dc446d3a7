package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

const (
	// aheadBound is how far an event's own time may lie after the log's stamp.
	aheadBound = time.Minute
	// defaultStale is how old a match may be when it is stored, unless the
	// playbook says otherwise.
	defaultStale = 15 * time.Minute
	// maxGroups bounds the groups of one playbook that are remembered.
	maxGroups = 1 << 17
)

// Engine matches events with the playbooks of a set. It is not safe for
// concurrent use.
type Engine struct {
	// Marker is the only writer whose events may arm or silence a group; ""
	// trusts all, as for a replay.
	Marker string

	set       *playbook.Set
	byType    map[string][]rule
	books     map[string]*book // by the playbook's name; outlives a change of the set
	incidents map[string]*group
	stats     map[string]*Stats
	now       time.Time // latest event time seen
	limit     int
}

// rule is a signal of a playbook, under the type of event it waits for.
type rule struct {
	playbook *playbook.Playbook
	signal   *playbook.Signal
	stats    *Stats
}

// Stats counts what happened to the events of a playbook.
type Stats struct {
	Matched    uint64 // conditions that held
	Errors     uint64 // conditions and group fields that could not be evaluated: no match
	Suppressed uint64 // matches left alone because a person asked for it
	Late       uint64 // matches from before the window of their group
	LastError  string
}

// New gives an engine for a set; nil is a set without playbooks.
func New(set *playbook.Set) *Engine {
	e := &Engine{books: map[string]*book{}, incidents: map[string]*group{}, stats: map[string]*Stats{}, limit: maxGroups}
	e.Swap(set)
	return e
}

// Swap puts another set in force. Groups are those of a playbook's name: they stay.
func (e *Engine) Swap(set *playbook.Set) {
	if set == nil {
		set = &playbook.Set{}
	}
	e.set, e.byType = set, map[string][]rule{}
	for _, p := range set.Playbooks {
		st := e.stats[p.Name]
		if st == nil {
			st = &Stats{}
			e.stats[p.Name] = st
		}
		for n := range p.Signals {
			s := &p.Signals[n]
			e.byType[s.Type] = append(e.byType[s.Type], rule{p, s, st})
		}
	}
	for _, rules := range e.byType {
		slices.SortStableFunc(rules, func(a, b rule) int { return urgency(b.playbook) - urgency(a.playbook) })
	}
}

// urgency orders the playbooks that one event matches: what must be contained
// first does not wait behind what is only noted.
func urgency(p *playbook.Playbook) int {
	return slices.Index([]string{"low", "medium", "high", "critical"}, p.Severity)
}

// Digest of the set in force.
func (e *Engine) Digest() string { return e.set.Digest }

// Stats gives a copy of the counts, by playbook.
func (e *Engine) Stats() map[string]Stats {
	out := make(map[string]Stats, len(e.stats))
	for name, s := range e.stats {
		out[name] = *s
	}
	return out
}

// Apply takes the next event of the log and gives what it decides, the most
// severe playbook first and then by name.
func (e *Engine) Apply(ev schemas.Event) []Decision {
	rules := e.byType[ev.Type]
	var out []Decision
	switch ev.Type {
	case schemas.LogGap:
		out = e.gap(ev)
	case schemas.GroupArmed, schemas.GroupSuppressed:
		e.mark(ev)
	}
	if len(rules) == 0 {
		return out
	}
	at := clamp(ev)
	if at.After(e.now) {
		e.now = at
	}
	var data map[string]any
	if err := json.Unmarshal(ev.Data, &data); err != nil {
		for _, r := range rules {
			r.stats.fail(err)
		}
		return out
	}
	if err := honest(ev, data); err != nil {
		for _, r := range rules {
			r.stats.fail(err)
		}
		return out
	}
	for _, r := range rules {
		out = e.match(r, ev, at, data, out)
	}
	return out
}

func (s *Stats) fail(err error) {
	s.Errors++
	s.LastError = err.Error()
}

// clamp gives the time that an event counts with.
func clamp(ev schemas.Event) time.Time {
	if latest := ev.Stored.Add(aheadBound); !ev.Stored.IsZero() && ev.Time.After(latest) {
		return latest.UTC()
	}
	return ev.Time.UTC()
}

// honest refuses an event in which a node speaks of another: its key must not
// bring about anything elsewhere.
func honest(ev schemas.Event, data map[string]any) error {
	node, ok := schemas.NodeOf(ev.Writer)
	if !ok {
		return nil
	}
	if host, _ := lookUp(data, []string{"host", "name"}); host != nil && host != node {
		return fmt.Errorf("event %s: %w: host.name is %v, the writer is node %s", ev.ID, schemas.ErrInvalid, host, node)
	}
	return nil
}

// gap hands on a gap that the reader of the log met. One that is an event of
// the log itself was told before.
func (e *Engine) gap(ev schemas.Event) []Decision {
	if ev.Writer != "" {
		return nil
	}
	var g schemas.GapEvent
	if json.Unmarshal(ev.Data, &g) != nil {
		g.To = ev.Seq // all that is certain
	}
	return []Decision{Gap{g}}
}
