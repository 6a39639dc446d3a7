package playbook

import (
	"slices"
	"strings"
	"time"

	"firebreak/services/playbook/document"
	"firebreak/services/playbook/near"
)

// longest is how far a window may reach: an event's time is believed up to a
// day before it was stored, so that no longer one could be told from a wrong clock.
const longest = 24 * time.Hour

// joiner puts the matches of a playbook together.
type joiner struct {
	c     *check
	p     *Playbook
	root  *document.Joint // nil: there is no match
	index map[string]int  // signals by name
	used  map[int]bool    // by a match
	vague bool            // a match is wrong, so that what it uses is not known
}

// join compiles the matches of `on`, `match` and once.
func (c *check) join(p *Playbook) {
	j := &joiner{c: c, p: p, index: map[string]int{}, used: map[int]bool{}}
	for n, s := range p.Signals {
		if _, twice := j.index[s.Name]; !twice {
			j.index[s.Name] = n
		}
	}
	for n := range p.Signals {
		if s := &c.doc.On.List[n]; s.Type == nil && document.Operator(s.Keys) != "" {
			m := j.operands(&s.Joint, s.Keys)
			p.Signals[n].Match = &m
		}
	}
	j.rootMatch()
	if j.acyclic() {
		for n := range p.Signals {
			j.types(n)
		}
		j.windows()
	} else {
		p.Match = Match{Op: OpAny, Until: -1} // nothing more can be said of it
	}
	j.once()
}

// rootMatch reads `match`, which one signal alone does not need.
func (j *joiner) rootMatch() {
	j.p.Match = Match{Op: OpAny, Until: -1}
	doc := j.c.doc.Match
	if doc != nil {
		j.root = &doc.Joint
	}
	switch {
	case doc != nil && document.Operator(doc.Keys) != "":
		j.p.Match = j.operands(&doc.Joint, doc.Keys)
	case len(j.p.Signals) == 1:
		j.p.Match.Of = []int{0}
		j.used[0] = true
		if doc != nil && doc.Within != nil {
			j.c.errorf(doc.Within.At, "take it out", "within has no meaning for one event alone")
		}
	case len(j.p.Signals) > 1:
		at := j.c.doc.On.List[1].Name.At
		if doc != nil {
			at = doc.At
		}
		j.c.errorf(at, "add match: with any, all, sequence … and their names", "there are several signals, and no match that joins them")
		return
	}
	for n, s := range j.c.doc.On.List {
		if !j.used[n] && !j.vague {
			j.c.errorf(s.Name.At, "take it out, or name it in a match", "nobody uses the signal %s", s.Name.Value)
		}
	}
}

// operands reads the operator and the signals that it names.
func (j *joiner) operands(doc *document.Joint, keys map[string]document.Place) Match {
	m := Match{Op: Op(document.Operator(keys)), Until: -1}
	var names []document.Text
	switch m.Op {
	case OpAny:
		names = doc.Any
	case OpAll:
		names = doc.All
	case OpSequence:
		names = doc.Sequence
	case OpCount:
		if doc.Count != nil {
			names, m.AtLeast = []document.Text{doc.Count.Of}, doc.Count.AtLeast.Value
		}
	case OpDistinct:
		if doc.Distinct != nil {
			names, m.AtLeast = []document.Text{doc.Distinct.Of}, doc.Distinct.AtLeast.Value
		}
	case OpAbsent:
		if doc.Absent != nil {
			names = []document.Text{doc.Absent.After, doc.Absent.Expect}
		}
	case OpBaseline:
		if doc.Baseline != nil {
			names, m.Factor, m.Over = []document.Text{doc.Baseline.Of}, doc.Baseline.Factor.Value, doc.Baseline.Over.Value
		}
	}
	j.vague = j.vague || len(names) == 0 || document.Operators(keys) > 1
	for i, name := range names {
		if n, known := j.operand(names[:i], name); known {
			m.Of = append(m.Of, n)
		}
	}
	if doc.Until != nil && m.Op == OpSequence {
		if n, known := j.operand(names, *doc.Until); known {
			m.Until = n
		}
	}
	return m
}

// operand resolves a name that none of those before it may have.
func (j *joiner) operand(before []document.Text, name document.Text) (int, bool) {
	if name.Value == "" { // its absence was reported
		j.vague = true
		return 0, false
	}
	n, known := j.index[name.Value]
	if !known {
		j.vague = true
		fix := "`on` has " + strings.Join(j.names(), ", ")
		if word := near.Nearest(name.Value, j.names()); word != "" {
			fix = "did you mean " + word + "?"
		}
		j.c.errorf(name.At, fix, "there is no signal %q", name.Value)
		return 0, false
	}
	j.used[n] = true
	if slices.ContainsFunc(before, func(t document.Text) bool { return t.Value == name.Value }) {
		j.c.errorf(name.At, "name each signal once; count says how often one must come, and a signal of its own with the same type is another", "%s is named twice in one match", name.Value)
		return 0, false
	}
	return n, true
}

func (j *joiner) names() []string {
	var out []string
	for _, s := range j.p.Signals {
		out = append(out, s.Name)
	}
	return out
}

// acyclic refuses signals that wait for themselves.
func (j *joiner) acyclic() bool {
	done := map[int]bool{}
	var visit func(n int, way []int) bool
	visit = func(n int, way []int) bool {
		if at := slices.Index(way, n); at >= 0 {
			var names []string
			for _, w := range append(way[at:], n) {
				names = append(names, j.p.Signals[w].Name)
			}
			j.c.errorf(j.c.doc.On.List[n].Name.At, "let it join other signals", "%s waits for itself: %s", j.p.Signals[n].Name, strings.Join(names, " → "))
			return false
		}
		if m := j.p.Signals[n].Match; m != nil && !done[n] {
			for _, of := range m.operands() {
				if !visit(of, append(way, n)) {
					return false
				}
			}
		}
		done[n] = true
		return true
	}
	for n := range j.p.Signals {
		if !visit(n, nil) {
			return false
		}
	}
	return true
}

// types gives a signal the types of the events that can complete it.
func (j *joiner) types(n int) {
	s := &j.p.Signals[n]
	if s.Match == nil || s.Types != nil {
		return
	}
	for _, of := range s.Match.operands() {
		j.types(of)
	}
	s.Types = j.p.completing(*s.Match)
}

// once needs groups.
func (j *joiner) once() {
	if j.c.doc.Once == nil {
		return
	}
	j.p.Once = j.c.doc.Once.Value
	if j.root == nil || j.root.By == nil {
		j.c.errorf(j.c.doc.Once.At, "add match: {by: container.id} or take once out",
			"once without match.by: every event is a group of its own, so there is nothing to do once")
	}
}
