package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// oracle says at which events a playbook's match stands, by trying all events
// with all: it knows no order of arrival, no watermark and no windows.
type oracle struct {
	p      *playbook.Playbook
	events []schemas.Event
	data   []map[string]any
}

// point is an event that a signal stands at, and when.
type point struct {
	at time.Time
	ev int
}

func newOracle(t fataler, p *playbook.Playbook, events []schemas.Event) *oracle {
	o := &oracle{p: p, events: events}
	for _, ev := range events {
		var data map[string]any
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			t.Fatal(err)
		}
		o.data = append(o.data, data)
	}
	return o
}

func (o *oracle) signal(i int) []point {
	s := o.p.Signals[i]
	if s.Match != nil {
		return o.match(s.Match)
	}
	var out []point
	for n := range o.events {
		if ok, err := s.When.Bool(o.data[n]); err == nil && ok {
			out = append(out, point{o.events[n].Time, n})
		}
	}
	return out
}

func (o *oracle) group(m *playbook.Match, operand int, p point) string {
	text, err := groupText(m.By[operand], o.data[p.ev])
	if err != nil {
		return fmt.Sprint("none ", p.ev)
	}
	return text
}

// operands gives the points of each operand, those of the group g alone.
func (o *oracle) match(m *playbook.Match) []point {
	var points [][]point
	for _, of := range m.Of {
		points = append(points, o.signal(of))
	}
	var until []point
	if m.Until >= 0 {
		until = o.signal(m.Until)
	}
	var out []point
	add := func(p point) {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	// within gives an operand's points of x's group in a time, both ends included.
	within := func(points []point, operand int, g string, from, to time.Time) []point {
		var in []point
		for _, y := range points {
			if o.group(m, operand, y) == g && !y.at.Before(from) && !y.at.After(to) {
				in = append(in, y)
			}
		}
		return in
	}
	for operand, list := range points {
		for _, x := range list {
			g := o.group(m, operand, x)
			first := x.at.Add(-m.Within)
			switch m.Op {
			case playbook.OpAny:
				add(x)
			case playbook.OpAll:
				all := true
				for other := range points {
					all = all && len(within(points[other], other, g, first, x.at)) > 0
				}
				if all {
					add(x)
				}
			case playbook.OpSequence:
				if operand == len(points)-1 && o.leads(m, points, until, operand, x.at, x.at, first, g, within) {
					add(x)
				}
			case playbook.OpCount:
				if len(within(list, 0, g, first.Add(1), x.at)) >= m.AtLeast {
					add(x)
				}
			case playbook.OpDistinct:
				values := map[any]bool{}
				for _, y := range within(list, 0, g, first.Add(1), x.at) {
					v, _ := lookUp(o.data[y.ev], m.Field)
					values[v] = true
				}
				if len(values) >= m.AtLeast {
					add(x)
				}
			case playbook.OpAbsent:
				if operand == 0 && len(within(points[1], 1, g, x.at, x.at.Add(m.Within))) == 0 {
					add(point{x.at.Add(m.Within), x.ev})
				}
			case playbook.OpBaseline:
				sum, n := 0.0, 0
				for _, y := range within(list, 0, g, x.at.Add(1-m.Over), x.at.Add(-1)) {
					v, _ := lookUp(o.data[y.ev], m.Field)
					sum += v.(float64)
					n++
				}
				v, _ := lookUp(o.data[x.ev], m.Field)
				if n >= 10 && v.(float64) > m.Factor*sum/float64(n) {
					add(x)
				}
			}
		}
	}
	return out
}

// leads says whether some choice of the signals before one leads to it in order,
// without a break.
func (o *oracle) leads(m *playbook.Match, points [][]point, until []point, operand int, at, last, first time.Time, g string,
	within func([]point, int, string, time.Time, time.Time) []point,
) bool {
	if operand == 0 {
		return len(m.By) <= len(m.Of) || len(within(until, len(m.Of), g, at.Add(1), last)) == 0
	}
	for _, y := range within(points[operand-1], operand-1, g, first, at) {
		if o.leads(m, points, until, operand-1, y.at, last, first, g, within) {
			return true
		}
	}
	return false
}

// groups gives the groups that the playbook's match stands for, and stands the
// events at which it does.
func (o *oracle) groups() (groups, stands []string) {
	all, in := map[string]bool{}, map[string]bool{}
	for _, p := range o.match(&o.p.Match) {
		// Every operand's `by` is the same in random playbooks.
		g := o.group(&o.p.Match, 0, p)
		in[o.p.Name+" "+g] = true
		all[fmt.Sprintf("%s %s %s", g, p.at.Sub(epoch), o.events[p.ev].ID)] = true
	}
	return keys(in), keys(all)
}
