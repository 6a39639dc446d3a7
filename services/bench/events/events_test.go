package events_test

import (
	"encoding/json"
	"testing"

	"firebreak/schemas/schemastest"
	"firebreak/services/bench/events"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
	"firebreak/services/responder/action"

	"github.com/google/go-cmp/cmp"
)

func TestPlaybooksLoad(t *testing.T) {
	t.Parallel()
	var sources []playbook.Source
	for _, p := range events.New(1, 30, 0).Playbooks() {
		sources = append(sources, playbook.Source{Name: p.Name + ".yaml", Data: p.Data})
	}
	set, findings := playbook.Load(sources, action.Specs())
	if set == nil || len(set.Playbooks) != 30 {
		t.Fatalf("findings: %v", findings)
	}
}

// TestEvents counts the matches, and checks that the events are what their
// types promise.
func TestEvents(t *testing.T) {
	t.Parallel()
	const playbooks, made = 24, 3000
	w := events.New(1, playbooks, 0.1)
	conditions := map[string][]*expr.Program{}
	for _, p := range w.Playbooks() {
		when, err := expr.Condition(p.When, p.Type)
		if err != nil {
			t.Fatalf("%s: %v", p.When, err)
		}
		conditions[p.Type] = append(conditions[p.Type], when)
	}
	batch, err := w.Batch(made)
	if err != nil {
		t.Fatal(err)
	}
	matches, bytes := 0, map[string]int{}
	count := map[string]int{}
	for i, e := range batch {
		if i < 30 {
			schemastest.Valid(t, e)
		}
		data := decode(t, e.Data)
		count[e.Type]++
		bytes[e.Type] += len(e.Data)
		for _, when := range conditions[e.Type] {
			if ok, err := when.Bool(data); err != nil {
				t.Fatal(err)
			} else if ok {
				matches++
			}
		}
	}
	if matches < made/20 || matches > made/5 {
		t.Errorf("%d of %d events matched, want some %d", matches, made, made/10)
	}
	for typ, n := range count {
		if mean := bytes[typ] / n; n < made/4 || mean < 650 || mean > 850 {
			t.Errorf("%s: %d events of %d bytes, want %d of some 750", typ, n, mean, made/3)
		}
	}
}

func TestSameSeedSameEvents(t *testing.T) {
	t.Parallel()
	one, err := events.New(7, 100, 0.5).Batch(50)
	if err != nil {
		t.Fatal(err)
	}
	two, err := events.New(7, 100, 0.5).Batch(50)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one, two); diff != "" {
		t.Error(diff)
	}
}

func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
