package compare

import (
	"cmp"
	"slices"

	"firebreak/services/workshop/replay"
)

// Kinds of difference.
const (
	First   = "first"   // only the first set opens it
	Second  = "second"  // only the second set opens it
	Changed = "changed" // both open it, and answer it otherwise
)

// Difference is one incident, or two of the same group.
type Difference struct {
	Difference string           `json:"difference"`
	Playbook   string           `json:"playbook"`
	Group      string           `json:"group"`
	What       []string         `json:"what,omitempty"` // of changed: a sentence each
	First      *replay.Incident `json:"first,omitempty"`
	Second     *replay.Incident `json:"second,omitempty"`
}

// mostOpen bounds what one set alone has opened so far.
const mostOpen = 100_000

// Comparison takes the incidents of two sets over the same events. The zero
// value is ready.
type Comparison struct {
	first, second side
	changed       []Difference
	same          uint64
	untold        uint64
}

// side is what one set has opened and the other has not, yet.
type side struct {
	now  []replay.Incident // at this event
	open map[string]replay.Incident
}

// First takes an incident of the first set.
func (c *Comparison) First(in replay.Incident) error {
	c.first.now = append(c.first.now, in)
	return nil
}

// Second takes an incident of the second set.
func (c *Comparison) Second(in replay.Incident) error {
	c.second.now = append(c.second.now, in)
	return nil
}

// Next says that both sets have seen an event.
func (c *Comparison) Next() {
	if len(c.first.now) == 0 && len(c.second.now) == 0 {
		return
	}
	for _, a := range c.first.now {
		n := slices.IndexFunc(c.second.now, func(b replay.Incident) bool { return a.ID == b.ID })
		if n >= 0 {
			c.both(a, c.second.now[n])
			c.second.now = slices.Delete(c.second.now, n, n+1)
		} else if b, ok := c.second.take(a.ID); ok {
			c.both(a, b)
		} else {
			c.keep(&c.first, a)
		}
	}
	for _, b := range c.second.now {
		if a, ok := c.first.take(b.ID); ok {
			c.both(a, b)
		} else {
			c.keep(&c.second, b)
		}
	}
	c.first.now, c.second.now = c.first.now[:0], c.second.now[:0]
}

func (s *side) take(id string) (replay.Incident, bool) {
	in, ok := s.open[id]
	if ok {
		delete(s.open, id)
	}
	return in, ok
}

func (c *Comparison) keep(s *side, in replay.Incident) {
	if len(s.open) >= mostOpen {
		c.untold++
		return
	}
	if s.open == nil {
		s.open = map[string]replay.Incident{}
	}
	s.open[in.ID] = in
}

// both compares two incidents of the same group.
func (c *Comparison) both(a, b replay.Incident) {
	what := changes(a, b)
	switch {
	case len(what) == 0:
		c.same++
	case len(c.changed) >= mostOpen:
		c.untold++
	default:
		c.changed = append(c.changed, Difference{Changed, a.Playbook, a.Group, what, &a, &b})
	}
}

// Same is how many incidents both sets open and answer alike.
func (c *Comparison) Same() uint64 { return c.same }

// Untold is how many differences there are beyond those that [Comparison.Differences] gives.
func (c *Comparison) Untold() uint64 { return c.untold }

// Differences gives all of them, by playbook and then by time, when both sets
// have seen all events. Where a group's incident was opened by another event in
// each, that is one difference.
func (c *Comparison) Differences() []Difference {
	c.Next()
	type group struct{ playbook, name string }
	seconds := map[group][]replay.Incident{}
	var out []Difference
	for _, b := range c.second.sorted() {
		if b.Group == "" { // each event is a group of its own
			out = append(out, Difference{Second, b.Playbook, b.Group, nil, nil, &b})
			continue
		}
		g := group{b.Playbook, b.Group}
		seconds[g] = append(seconds[g], b)
	}
	for _, a := range c.first.sorted() {
		g := group{a.Playbook, a.Group}
		list := seconds[g]
		if len(list) == 0 {
			out = append(out, Difference{First, a.Playbook, a.Group, nil, &a, nil})
			continue
		}
		b := list[0]
		seconds[g] = list[1:]
		out = append(out, Difference{Changed, a.Playbook, a.Group, changes(a, b), &a, &b})
	}
	for _, list := range seconds {
		for _, b := range list {
			out = append(out, Difference{Second, b.Playbook, b.Group, nil, nil, &b})
		}
	}
	c.first.open, c.second.open = nil, nil
	out = append(out, c.changed...)
	slices.SortFunc(out, func(x, y Difference) int {
		a, b := x.either(), y.either()
		return cmp.Or(cmp.Compare(x.Playbook, y.Playbook), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID), cmp.Compare(x.Difference, y.Difference))
	})
	return out
}

// either is the incident that tells when it was.
func (d *Difference) either() *replay.Incident {
	if d.First != nil {
		return d.First
	}
	return d.Second
}

func (s *side) sorted() []replay.Incident {
	out := make([]replay.Incident, 0, len(s.open))
	for _, in := range s.open {
		out = append(out, in)
	}
	slices.SortFunc(out, func(a, b replay.Incident) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out
}
