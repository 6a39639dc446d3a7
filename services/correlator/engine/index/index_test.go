package index_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"firebreak/schemas/intake"
	"firebreak/services/correlator/engine/index"
	"firebreak/services/playbook/expr"

	"pgregory.net/rapid"
)

// scan is what the index must give: every condition evaluated on what
// encoding/json decodes.
func scan(rules []index.Rule, typ string, decoded map[string]any) []int {
	var out []int
	for id, r := range rules {
		if r.Type != typ {
			continue
		}
		if r.When != nil {
			if ok, err := r.When.Bool(decoded); err != nil || !ok {
				continue
			}
		}
		out = append(out, id)
	}
	return out
}

// rules draws rules, some of them alike.
func (s source) rules(compiled *[2]atomic.Int64) []index.Rule {
	most := 6
	if s.one(20) {
		most = 60 // beyond what is compared one by one
	}
	rules := make([]index.Rule, 1+s.n(most))
	for i := range rules {
		rules[i].Type = s.typ
		switch {
		case s.one(30):
			continue
		case i > 0 && s.one(10):
			rules[i] = rules[s.n(i)]
			continue
		}
		for rules[i].When == nil {
			when, err := expr.Condition(s.condition(3), s.typ)
			compiled[0].Add(1)
			if err == nil {
				compiled[1].Add(1)
				rules[i].When = when
			}
		}
	}
	return rules
}

// TestIndexIsAFullScan is run with -rapid.checks=50000 after changes.
func TestIndexIsAFullScan(t *testing.T) {
	t.Parallel()
	var compiled, outcomes [2]atomic.Int64
	var exact, events, refused atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		// What rapid draws leans towards the smallest: it draws the seed alone.
		s := source{Rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), rapid.Uint64().Draw(rt, "seed")))}
		s.fields = types[s.n(len(types))]
		rules := s.rules(&compiled)
		x := index.New(rules)
		for _, r := range rules {
			if r.When == nil {
				continue
			}
			if _, is := r.When.Necessary(); is {
				exact.Add(1)
			}
		}
		var scratch index.Scratch
		for range 8 {
			data := s.event()
			events.Add(1)
			if intake.Strict(data) != nil {
				refused.Add(1)
				// Not for the index; it must only not break down.
				if err := x.Match(s.typ, data, &scratch, func(int, map[string]any) {}); err != nil && json.Valid(data) && len(err.Error()) == 0 {
					rt.Fatal("an error without a text")
				}
				continue
			}
			n := same(rt, x, rules, s.typ, data, &scratch)
			outcomes[0].Add(int64(n))
			outcomes[1].Add(int64(len(rules) - n))
		}
	})
	t.Logf("%d of %d conditions compiled, %d of them exact; %d events, %d refused; %d matches, %d none",
		compiled[1].Load(), compiled[0].Load(), exact.Load(), events.Load(), refused.Load(), outcomes[0].Load(), outcomes[1].Load())
	switch {
	case outcomes[0].Load()*20 < outcomes[1].Load():
		t.Error("hardly anything matches: the comparison says little")
	case exact.Load() == 0 || refused.Load() == 0 || refused.Load()*2 > events.Load():
		t.Error("what is drawn leaves something out")
	}
}

// same compares the index with the scan and gives the number of matches.
func same(t *rapid.T, x *index.Index, rules []index.Rule, typ string, data []byte, scratch *index.Scratch) int {
	var decoded map[string]any
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatalf("intake let pass what cannot be decoded: %v: %s", err, data)
	}
	var got []int
	err := x.Match(typ, data, scratch, func(rule int, d map[string]any) {
		if got = append(got, rule); !reflect.DeepEqual(d, decoded) {
			t.Errorf("decoded as %v, want %v", d, decoded)
		}
	})
	if err != nil {
		t.Fatalf("match: %v: %s", err, data)
	}
	if want := scan(rules, typ, decoded); !slices.Equal(got, want) {
		t.Errorf("matched %v, want %v, by\n%s", got, want, data)
		for id, r := range rules {
			if r.When != nil && slices.Contains(got, id) != slices.Contains(want, id) {
				clauses, exact := r.When.Necessary()
				ok, err := r.When.Bool(decoded)
				t.Errorf("%d: %s\nwitnesses %v, exact %v; evaluates to %v, %v", id, r.When.Text(), clauses, exact, ok, err)
			}
		}
		t.FailNow()
	}
	return len(got)
}
