package playbook

import (
	"slices"
	"strings"

	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
	"firebreak/services/playbook/near"
)

// windows reads by, within, and the fields of all matches.
func (j *joiner) windows() {
	for n := range j.p.Signals {
		if m := j.p.Signals[n].Match; m != nil {
			doc := &j.c.doc.On.List[n]
			j.window(m, &doc.Joint, doc.Name)
		}
	}
	if j.root != nil {
		j.window(&j.p.Match, j.root, document.Text{At: j.c.doc.Match.At})
	} else {
		j.p.Match.By = make([][][]string, len(j.p.Match.Of))
	}
}

// window reads what belongs to the operator of one match. name is empty of the
// playbook's own.
func (j *joiner) window(m *Match, doc *document.Joint, name document.Text) {
	m.By = make([][][]string, len(m.operands()))
	j.within(m, doc, name)
	j.field(m, doc)
	if m.Op == OpBaseline {
		j.bounded(doc.Baseline.Over, "over")
	}
	if m.Op == OpCount && len(m.Of) == 1 {
		if inner := j.p.Signals[m.Of[0]].Match; inner != nil && inner.Op == OpCount {
			j.c.errorf(doc.Count.Of.At, "write a larger atLeast, or distinct over the group's field", "a count of a count: %s counts already", doc.Count.Of.Value)
		}
	}
	by, inherited := doc.By, false
	if by == nil && name.Value != "" && m.Op != OpAny && j.root != nil && j.root.By != nil && j.root.By.Map == nil {
		by, inherited = j.root.By, true
	}
	switch {
	case by == nil && m.Op != OpAny:
		fix := "add by: with the field that they share, such as container.id"
		if name.Value != "" && j.root != nil && j.root.By != nil {
			fix += "; that of the playbook's match is a map, and says nothing of it"
		}
		j.c.errorf(name.At, fix, "%s without by: it would throw the events of everything together", j.title(m, name))
	case by == nil:
	case by.Map != nil:
		j.byMap(m, by)
	default:
		j.byList(m, by, inherited, name)
	}
}

// title names a match for people.
func (j *joiner) title(m *Match, name document.Text) string {
	if name.Value == "" {
		return "the playbook's " + string(m.Op)
	}
	return string(m.Op) + " of the signal " + name.Value
}

// windowless are the operators that have no time of their own.
func windowless(op Op) bool { return op == OpAny || op == OpBaseline }

func (j *joiner) within(m *Match, doc *document.Joint, name document.Text) {
	switch {
	case doc.Within != nil && windowless(m.Op) && document.Operator(j.keys(name)) != "":
		if m.Op == OpBaseline {
			j.c.errorf(doc.Within.At, "take it out; over says how far back the history reaches", "within has no meaning beside baseline")
		} else if name.Value != "" || !j.inherits() {
			j.c.errorf(doc.Within.At, "take it out", "within has no meaning beside any: one event suffices")
		}
	case windowless(m.Op):
	case doc.Within != nil:
		j.bounded(*doc.Within, "within")
		m.Within = doc.Within.Value
	case name.Value != "" && j.root != nil && j.root.Within != nil:
		m.Within = j.root.Within.Value
	default:
		j.c.errorf(name.At, "add within: with a time such as 5m", "%s needs within", j.title(m, name))
	}
}

// inherits says whether a nested match takes its time from the playbook's own.
func (j *joiner) inherits() bool {
	for n, s := range j.p.Signals {
		if s.Match != nil && !windowless(s.Match.Op) && j.c.doc.On.List[n].Within == nil {
			return true
		}
	}
	return false
}

func (j *joiner) keys(name document.Text) map[string]document.Place {
	if name.Value == "" {
		return j.c.doc.Match.Keys
	}
	return j.c.doc.On.List[j.index[name.Value]].Keys
}

func (j *joiner) bounded(d document.Duration, key string) {
	if d.Value > longest {
		j.c.errorf(d.At, "take a shorter time, and once: for what may happen once in a longer one",
			"%s is longer than 24h: an event's time is believed up to a day before it was stored, so a longer window cannot be told from a wrong clock", key)
	}
}

// field reads the field of distinct and baseline.
func (j *joiner) field(m *Match, doc *document.Joint) {
	var text document.Text
	switch m.Op {
	case OpDistinct:
		text = doc.Distinct.Field
	case OpBaseline:
		text = doc.Baseline.Field
	}
	if text.Value == "" || len(m.Of) != 1 || len(j.p.Signals[m.Of[0]].Types) == 0 {
		return
	}
	path, holds, err := expr.FieldOf(text.Value, j.p.Signals[m.Of[0]].Types)
	j.c.problems(text, err)
	m.Field = path
	if m.Op == OpDistinct {
		j.sameAsBy(text, doc)
	}
	if m.Op == OpBaseline && err == nil && holds != expr.HoldsNumber && holds != expr.HoldsAny {
		j.c.errorf(text.At, "take a field that holds a number", "%s holds %s, and baseline compares numbers", text.Value, holds)
	}
}

// sameAsBy refuses to count the values of what makes the group: there is one.
func (j *joiner) sameAsBy(field document.Text, doc *document.Joint) {
	by := doc.By
	if by == nil && j.root != nil && j.root.By != nil {
		by = j.root.By
	}
	if by != nil && slices.ContainsFunc(by.Fields, func(f document.Text) bool { return f.Value == field.Value }) {
		j.c.errorf(field.At, "take it out of by, or count the values of another field", "within a group there is one %s alone: by holds it", field.Value)
	}
}

// byList gives every operand the same fields.
func (j *joiner) byList(m *Match, by *document.By, inherited bool, name document.Text) {
	for i, of := range m.operands() {
		for _, f := range by.Fields {
			if inherited {
				// It was written for the playbook's match: said here, where the match is.
				j.inheritedPath(m, i, of, f, name)
				continue
			}
			m.By[i] = append(m.By[i], j.path(of, f))
		}
	}
	j.agree(m, func(int, int) document.Place { return by.At })
}

func (j *joiner) inheritedPath(m *Match, i, of int, f, name document.Text) {
	if f.Value == "" || len(j.p.Signals[of].Types) == 0 {
		return
	}
	path, _, err := expr.FieldOf(f.Value, j.p.Signals[of].Types)
	if err != nil {
		j.c.errorf(name.At, "give "+name.Value+" a by of its own", "%s takes by from the playbook's match, and %s lacks it: %v", name.Value, j.p.Signals[of].Name, err)
	}
	m.By[i] = append(m.By[i], path)
}

// path finds a field in every type that an operand's event can have.
func (j *joiner) path(of int, f document.Text) []string {
	if f.Value == "" || len(j.p.Signals[of].Types) == 0 {
		return nil
	}
	path, _, err := expr.FieldOf(f.Value, j.p.Signals[of].Types)
	j.c.problems(f, err)
	return path
}

// byMap gives each operand its own fields, the same number for each.
func (j *joiner) byMap(m *Match, by *document.By) {
	operands := m.operands()
	for _, one := range by.Map {
		n, known := j.index[one.Operand.Value]
		if !known || !slices.Contains(operands, n) {
			j.strange(operands, one.Operand)
		}
	}
	places := map[[2]int]document.Place{}
	count := 0
	for i, of := range operands {
		at := slices.IndexFunc(by.Map, func(o document.ByOperand) bool { return o.Operand.Value == j.p.Signals[of].Name })
		if at < 0 {
			j.c.errorf(by.At, "give it the field that it shares with the others", "by says nothing of %s", j.p.Signals[of].Name)
			continue
		}
		fields := by.Map[at].Fields
		for n, f := range fields {
			places[[2]int{i, n}] = f.At
			m.By[i] = append(m.By[i], j.path(of, f))
		}
		switch {
		case count == 0:
			count = len(fields)
		case len(fields) > 0 && len(fields) != count:
			j.c.errorf(by.Map[at].Operand.At, "give every signal as many fields, in the same order", "by has %d of %s and %d of the signal before it", len(fields), j.p.Signals[of].Name, count)
		}
	}
	j.agree(m, func(operand, position int) document.Place { return places[[2]int{operand, position}] })
}

// strange reports a name in by that is no operand.
func (j *joiner) strange(operands []int, name document.Text) {
	var names []string
	for _, of := range operands {
		names = append(names, j.p.Signals[of].Name)
	}
	fix := "it joins " + strings.Join(names, ", ")
	if word := near.Nearest(name.Value, names); word != "" {
		fix = "did you mean " + word + "?"
	}
	j.c.errorf(name.At, fix, "by speaks of %q, which this match does not join", name.Value)
}

// agree refuses groups that can never be the same: a text is no number.
func (j *joiner) agree(m *Match, at func(operand, position int) document.Place) {
	operands := m.operands()
	most := 0
	for _, fields := range m.By {
		most = max(most, len(fields))
	}
	for position := range most {
		first, holds := -1, ""
		for i, of := range operands {
			if position >= len(m.By[i]) || m.By[i][position] == nil {
				continue
			}
			what := expr.Holds(m.By[i][position], j.p.Signals[of].Types)
			switch {
			case what == expr.HoldsAny:
			case first < 0:
				first, holds = of, what
			case what != holds:
				j.c.errorf(at(i, position), "take fields that hold the same", "by can never be equal: it holds %s in %s and %s in %s", holds, j.p.Signals[first].Name, what, j.p.Signals[of].Name)
			}
		}
	}
}
