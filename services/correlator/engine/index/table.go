package index

import (
	"slices"

	"firebreak/services/playbook/expr"
)

// table holds the rules of one event type.
type table struct {
	always     []int32 // rules without a condition
	conditions []condition
	open       []filed    // conditions of which no necessary test is known
	root       member     // the fields that are tested, by their names
	fields     []postings // by field: the conditions that are filed under it
}

// condition is shared by all rules of the type whose text is the same.
type condition struct {
	when  *expr.Program
	rules []int32 // ascending
	rest  []clause
	exact bool // true when all its clauses hold, without evaluating it
}

// clause holds when one of its tests does.
type clause []test

func newTable(rules []Rule, ids []int) *table {
	t := &table{}
	byText := map[string]int{}
	for _, id := range ids {
		rule := int32(id) //nolint:gosec // so many rules there are not
		when := rules[id].When
		if when == nil {
			t.always = append(t.always, rule)
			continue
		}
		at, known := byText[when.Text()]
		if !known {
			at = len(t.conditions)
			byText[when.Text()] = at
			t.conditions = append(t.conditions, condition{when: when})
		}
		t.conditions[at].rules = append(t.conditions[at].rules, rule)
	}
	t.file()
	return t
}

// file puts every condition under its rarest clause.
func (t *table) file() {
	all := make([][]clause, len(t.conditions))
	for i := range t.conditions {
		c := &t.conditions[i]
		var clauses [][]expr.Witness
		clauses, c.exact = c.when.Necessary()
		for _, witnesses := range clauses {
			one := make(clause, len(witnesses))
			for j, w := range witnesses {
				one[j] = newTest(t.field(w.Path), w)
			}
			all[i] = append(all[i], one)
		}
	}
	use := t.usage(all)
	for i := range t.conditions {
		id := int32(i)
		if len(all[i]) == 0 {
			t.open = append(t.open, filed{condition: id})
			continue
		}
		rarest := use.rarest(all[i])
		var last []clause // what takes longest
		for n, one := range all[i] {
			switch {
			case slices.ContainsFunc(one, func(w test) bool { return w.op == isContaining }):
				last = append(last, one) // though it be the rarest: it is filed under the field's presence
			case n != rarest:
				t.conditions[i].rest = append(t.conditions[i].rest, one)
			}
		}
		t.conditions[i].rest = append(t.conditions[i].rest, last...)
		f := filed{id, guardOf(t.conditions[i].rest)}
		for _, w := range all[i][rarest] {
			t.fields[w.field].post(w, f)
		}
	}
	for i := range t.fields {
		t.fields[i].finish()
	}
}

// field gives the number of the field at a path.
func (t *table) field(path []string) int32 {
	m := &t.root
	for _, name := range path {
		m = m.child(name)
	}
	if m.field == 0 {
		t.fields = append(t.fields, postings{})
		m.field = int32(len(t.fields)) //nolint:gosec // so many fields there are not
	}
	return m.field - 1
}

// usage counts what the conditions of a type test for.
type usage []struct {
	texts   map[string]int
	numbers map[float64]int
	others  int // tests that an event may pass together: prefixes, bounds, presence, flags
}

func (t *table) usage(all [][]clause) usage {
	u := make(usage, len(t.fields))
	for i := range u {
		u[i].texts, u[i].numbers = map[string]int{}, map[float64]int{}
	}
	for _, clauses := range all {
		for _, one := range clauses {
			for _, w := range one {
				f := &u[w.field]
				for _, text := range w.texts {
					f.texts[text]++
				}
				for _, number := range w.numbers {
					f.numbers[number]++
				}
				if w.op != isOne || len(w.flags) > 0 {
					f.others++
				}
			}
		}
	}
	return u
}

// rarest guesses which clause makes the fewest candidates: how likely an event
// passes it, times how many conditions would become candidates with it.
func (u usage) rarest(clauses []clause) int {
	best, least := 0, 0.0
	for n, one := range clauses {
		cost := 0.0
		for _, w := range one {
			f := u[w.field]
			switch likely := 1 / float64(10+len(f.texts)+len(f.numbers)); {
			case w.op != isOne || len(w.flags) > 0:
				cost += guess[w.op] * float64(f.others)
			default:
				for _, text := range w.texts {
					cost += likely * float64(f.texts[text])
				}
				for _, number := range w.numbers {
					cost += likely * float64(f.numbers[number])
				}
			}
		}
		if n == 0 || cost < least {
			best, least = n, cost
		}
	}
	return best
}

// guess is how likely an event passes a test of a kind.
var guess = [...]float64{isOne: 0.5, isPrefixed: 0.2, isAbove: 0.5, isBelow: 0.5, isPresent: 0.9, isContaining: 0.9}
