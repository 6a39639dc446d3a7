package trial_test

import (
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/trial"

	"github.com/google/go-cmp/cmp"
)

func TestTrace(t *testing.T) {
	t.Parallel()
	set, findings := playbook.Load([]playbook.Source{{Name: "p.yaml", Data: []byte(strings.Replace(missing, "then:", "guard: {except: 'host.name == \"n1\"'}\nthen:", 1))}}, specs())
	if set == nil {
		t.Fatal(findings)
	}
	at := func(id, when string) schemas.Event {
		e := schemas.Event{ID: id, Source: "/x", Type: schemas.LoginFailed, Data: []byte(`{"host":{"name":"n1"},"user":{"name":"root"}}`)}
		if err := e.Time.UnmarshalText([]byte(when)); err != nil {
			t.Fatal(err)
		}
		return e
	}
	late := at("late", "2026-03-01T11:00:00Z")
	traced, err := trial.New(specs()).Trace(set.Playbooks[0], trial.CaseOf([]schemas.Event{
		at("a", "2026-03-01T12:00:00Z"), at("a", "2026-03-01T12:00:00Z"), late,
	}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range traced {
		line := "time:"
		if one.Event != nil {
			line = one.Event.ID + ":"
		}
		for _, s := range one.Signals {
			line += " " + s.String() + ";"
		}
		for _, n := range one.Notes {
			line += " " + n.What
		}
		for _, h := range one.Incidents {
			line += " → " + h.Group + " " + h.Steps[0].String()
		}
		got = append(got, line)
	}
	want := []string{
		"a: matches gone; waits", "a: matches gone; duplicate", "late: matches gone; late",
		"time: fired → root notify.log refused",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
}
