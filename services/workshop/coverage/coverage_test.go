package coverage_test

import (
	"testing"

	"firebreak/services/playbook"
	"firebreak/services/workshop/coverage"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	t.Parallel()
	all := coverage.Of([]*playbook.Playbook{
		{Name: "b", Attack: []string{"T1059.004", "T1611"}},
		{Name: "a", Attack: []string{"T1059.004", "T1059.004"}},
	})
	if len(all) != len(playbook.Techniques()) {
		t.Errorf("%d techniques, want all %d", len(all), len(playbook.Techniques()))
	}
	type row struct {
		Playbooks, Below []string
		Gap              bool
	}
	got := map[string]row{}
	for _, one := range all {
		if one.ID == "T1059" || one.ID == "T1059.004" || one.ID == "T1611" || one.ID == "T1190" {
			got[one.ID] = row{one.Playbooks, one.Below, one.Gap()}
		}
	}
	want := map[string]row{
		"T1059":     {Playbooks: []string{}, Below: []string{"a", "b"}},
		"T1059.004": {Playbooks: []string{"a", "b"}},
		"T1611":     {Playbooks: []string{"b"}},
		"T1190":     {Playbooks: []string{}, Gap: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestByTactic(t *testing.T) {
	t.Parallel()
	got := coverage.ByTactic([]coverage.Technique{
		{ID: "T1", Tactics: []string{"execution"}, Playbooks: []string{"a"}},
		{ID: "T2", Tactics: []string{"impact", "execution"}},
		{ID: "T3", Tactics: []string{"execution"}},
		{ID: "T4"},
	})
	type tactic struct {
		Name             string
		Covered, Entries int
	}
	var short []tactic
	for _, g := range got {
		short = append(short, tactic{g.Name, g.Covered(), len(g.Techniques)})
	}
	if diff := cmp.Diff([]tactic{{"execution", 1, 2}, {"impact", 0, 1}, {"other", 0, 1}}, short); diff != "" {
		t.Errorf("tactics (-want +got):\n%s", diff)
	}
}
