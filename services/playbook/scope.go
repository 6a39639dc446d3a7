package playbook

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"
)

// scope is what the step's expressions can speak of: the operands of the root
// match that took part.
func (w *walk) scope() expr.Scope {
	scope := expr.Scope{Steps: []string{}, Present: slices.Clone(w.assumed)}
	for _, id := range w.earlier {
		if _, group := w.groups[id]; !group { // a parallel has no state of its own
			scope.Steps = append(scope.Steps, id)
		}
	}
	took := w.p.tookPart()
	if !w.p.typed(took) {
		return scope // what is wrong with the signals was reported where they stand
	}
	scope.Signals, scope.Hidden = map[string][]string{}, map[string]string{}
	for _, n := range took {
		s := w.p.Signals[n]
		scope.Signals[s.Name] = s.Types
		scope.Present = append(scope.Present, w.p.present(n)...)
		if w.p.Match.Op == OpAny && len(took) > 1 {
			scope.Optional = append(scope.Optional, s.Name)
		}
	}
	scope.Key = w.p.keys()
	for n, s := range w.p.Signals {
		if !slices.Contains(took, n) {
			scope.Hidden[s.Name] = w.p.hidden(n)
		}
	}
	return scope
}

// tookPart gives the operands of the root match that leave an event behind.
func (p *Playbook) tookPart() []int {
	if p.Match.Op == OpAbsent && len(p.Match.Of) > 0 {
		return p.Match.Of[:1]
	}
	return p.Match.Of
}

// typed says whether there are signals, and of all of them the types are known.
func (p *Playbook) typed(signals []int) bool {
	for _, n := range signals {
		if len(p.Signals[n].Types) == 0 {
			return false
		}
	}
	return len(signals) > 0
}

// hidden says what to write instead of a signal that steps cannot speak of.
func (p *Playbook) hidden(n int) string {
	switch {
	case p.Match.Op == OpAbsent && slices.Contains(p.Match.Of, n):
		return "it is the event that did not come; speak of " + p.Signals[p.Match.Of[0]].Name
	case n == p.Match.Until:
		return "it would have broken the sequence off, and did not come"
	}
	for _, of := range p.tookPart() {
		if m := p.Signals[of].Match; m != nil && p.holds(*m, n) {
			return fmt.Sprintf("it is within %[1]s: write signals.%[1]s, the event that completed it", p.Signals[of].Name)
		}
	}
	return "only operands of the playbook's own match can be spoken of"
}

// holds says whether a signal is within a match, however deep.
func (p *Playbook) holds(m Match, n int) bool {
	return slices.ContainsFunc(m.operands(), func(of int) bool {
		return of == n || p.Signals[of].Match != nil && p.holds(*p.Signals[of].Match, n)
	})
}

// operands gives all of a match, what breaks it off included.
func (m Match) operands() []int {
	if m.Until < 0 {
		return m.Of
	}
	return append(slices.Clone(m.Of), m.Until)
}

// present gives the paths that are there when the playbook has matched: what
// the signal's condition tests, and the fields of the group.
func (p *Playbook) present(signal int) []string {
	s := p.Signals[signal]
	var fields []string
	if s.When != nil {
		fields = slices.Clone(s.When.Present())
	}
	fields = append(fields, p.Match.grouping(signal)...)
	if s.Match != nil {
		fields = append(fields, p.completed(*s.Match)...)
	}
	paths := make([]string, len(fields))
	for i, f := range fields {
		paths[i] = "signals." + s.Name + "." + f
	}
	return paths
}

// grouping gives the paths that an operand's event has, since it has a group.
func (m Match) grouping(signal int) []string {
	var out []string
	for n, of := range m.Of {
		if of != signal || n >= len(m.By) {
			continue
		}
		for _, path := range m.By[n] {
			for end := range path {
				out = append(out, strings.Join(path[:end+1], "."))
			}
		}
	}
	return out
}

// keys gives the names that the values of a group have in incident.key.
func (p *Playbook) keys() []string {
	out := []string{}
	for _, of := range p.Match.By {
		for _, path := range of {
			if name := strings.Join(path, "."); path != nil && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// completed gives the paths that the event which completes a match has: where
// it can be one of several, those that all of them have.
func (p *Playbook) completed(m Match) []string {
	var out []string
	for i, of := range p.completes(m) {
		s := p.Signals[of]
		fields := m.grouping(of)
		switch {
		case s.When != nil:
			fields = append(fields, s.When.Present()...)
		case s.Match != nil:
			fields = append(fields, p.completed(*s.Match)...)
		}
		if i == 0 {
			out = fields
			continue
		}
		out = slices.DeleteFunc(slices.Clone(out), func(f string) bool { return !slices.Contains(fields, f) })
	}
	return out
}

// completes gives the operands whose event can complete a match.
func (p *Playbook) completes(m Match) []int {
	switch {
	case len(m.Of) == 0:
		return nil
	case m.Op == OpSequence:
		return m.Of[len(m.Of)-1:]
	case m.Op == OpAbsent:
		return m.Of[:1]
	default:
		return m.Of
	}
}

// completing gives the types that the event which completes a match can have.
func (p *Playbook) completing(m Match) []string {
	var out []string
	for _, of := range p.completes(m) {
		for _, t := range p.Signals[of].Types {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// gives says whether there is always an event that can hold the field when the
// playbook has matched: of `any` each operand must be one, else one suffices.
func (p *Playbook) gives(field string) bool {
	took := p.tookPart()
	if !p.typed(took) {
		return true
	}
	if p.Match.Op == OpAny {
		return len(p.lacking(field)) == 0
	}
	return slices.ContainsFunc(took, func(n int) bool { return len(lackingOf(p.Signals[n].Types, field)) == 0 })
}

// lacking gives the types, as playbooks write them, of the events that cannot
// hold the field.
func (p *Playbook) lacking(field string) []string {
	var out []string
	for _, n := range p.tookPart() {
		for _, t := range lackingOf(p.Signals[n].Types, field) {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

func lackingOf(types []string, field string) []string {
	var out []string
	for _, t := range types {
		if !expr.Gives(t, field) {
			out = append(out, schemas.ShortType(t))
		}
	}
	return out
}
