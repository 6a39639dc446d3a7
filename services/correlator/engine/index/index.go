// Package index finds the rules whose condition an event meets, without
// evaluating those that cannot be met.
//
// From each condition come tests of single fields that are necessary for it
// ([expr.Program.Necessary]). A rule is filed under the rarest of them: an
// equal value, a prefix, a bound, or that a field is there at all. Of an event
// only the fields that some rule tests are read, straight from its bytes; what
// is found there names the candidates. Their other tests are tried on the same
// fields, and only what then is left is evaluated on the decoded data, which
// is decoded once. So the cost of an event follows what it may match, not how
// many rules there are.
//
// An index gives exactly what evaluating every condition would. It knows
// nothing of playbooks, time or windows, keeps nothing of an event, and reads
// no clock.
//
// Start with [Index.Match], then candidates in postings.go.
package index

import (
	"fmt"

	"firebreak/schemas/intake"
	"firebreak/services/playbook/expr"
)

// Rule waits for events of one type that meet a condition. Its position in
// the slice given to [New] is its id.
type Rule struct {
	Type string        // the full CloudEvents type
	When *expr.Program // nil: every event of the type
}

// Index holds rules. It does not change, and serves several goroutines at once.
type Index struct{ tables map[string]*table }

// New builds the index of rules.
func New(rules []Rule) *Index {
	byType := map[string][]int{}
	for id, r := range rules {
		byType[r.Type] = append(byType[r.Type], id)
	}
	x := &Index{tables: map[string]*table{}}
	for typ, ids := range byType {
		x.tables[typ] = newTable(rules, ids)
	}
	return x
}

// Match yields the rules whose condition the event's data meets, in ascending
// order, with the data as it is decoded, once for all of them.
//
// The data must have passed intake.Strict: what it refuses is matched
// arbitrarily, or gives an error.
func (x *Index) Match(typ string, data []byte, s *Scratch, yield func(rule int, decoded map[string]any)) error {
	t := x.tables[typ]
	if t == nil {
		return nil
	}
	s.begin(t)
	s.candidates(t, data)
	var decoded map[string]any
	for _, c := range s.passed {
		condition := &t.conditions[c]
		if !condition.exact {
			var err error
			if decoded == nil {
				if decoded, err = intake.Decode(data); err != nil {
					return fmt.Errorf("match %s: %w", typ, err)
				}
			}
			ok, err := condition.when.Bool(decoded)
			if err != nil {
				s.failed(condition, err)
			}
			if !ok {
				continue
			}
		}
		s.matched = append(s.matched, condition.rules...)
	}
	return s.hand(t, data, decoded, yield)
}
