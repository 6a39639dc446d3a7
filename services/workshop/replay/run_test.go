package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/replay"
)

// run replays a text and gives what each incident looks like.
func run(t *testing.T, cfg replay.Config, text string) ([]string, replay.Summary) {
	t.Helper()
	f := &replay.Files{Names: []string{"-"}, Stdin: strings.NewReader(text), As: "cloudevents", Recall: replay.Joins(cfg.Set), Bad: func(b replay.Bad) { t.Error(b) }}
	var out []string
	cfg.Specs, cfg.Recall, cfg.Core = action.Specs(), f.RecallEvent, "core"
	cfg.Incident = func(in replay.Incident) error {
		s := fmt.Sprintf("%s %s at %s by %s", in.Playbook, in.Group, in.At.Sub(start), in.Trigger.ID)
		for _, name := range []string{"fail", "ok"} {
			if sig, has := in.Signals[name]; has {
				s += fmt.Sprintf(" %s=%s", name, sig.ID)
			}
		}
		for _, step := range in.Steps {
			for _, to := range step.Targets {
				s += fmt.Sprintf(" %s:%s", step.ID, to.Would)
			}
		}
		out = append(out, s)
		return nil
	}
	r := replay.New(cfg)
	err := f.Each(t.Context(), r.Apply)
	if err := errors.Join(err, r.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return out, r.Summary()
}

// guarded gives a set in which all playbooks are in a mode.
func guarded(set *playbook.Set, mode string) *playbook.Set {
	for _, p := range set.Playbooks {
		p.Guard.Mode = mode
	}
	return set
}

func TestIncidents(t *testing.T) {
	t.Parallel()
	text := strings.Join([]string{
		login(1, 0, false, "root"), login(2, 10, false, "root"), login(2, 10, false, "root"), login(3, 20, false, "root"),
		login(4, 30, false, "anna"), login(5, 40, true, "anna"), login(6, 300, true, "root"), login(7, 290, true, "bert"), login(8, 285, false, "root"),
	}, "\n")
	for _, beside := range []bool{false, true} {
		got, sum := run(t, replay.Config{Set: load(t, logins), Alive: true, Beside: beside}, text)
		want := []string{
			"single root at 0s by e1 fail=e1 notify.log:plan",
			"count root at 20s by e3 fail=e3 notify.log:plan",
			"sequence anna at 40s by e5 fail=e4 ok=e5 notify.log:plan",
			"sequence root at 5m0s by e6 fail=e3 ok=e6 notify.log:plan",
			"absent root at 1m0s by e1 fail=e1 notify.log:plan", // when e6 lets the time run on
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("incidents, beside %v (-want +got):\n%s", beside, diff)
		}
		if sum.Events != 9 || sum.Incidents != 5 || sum.Duplicates == 0 || sum.Late == 0 || sum.Errors != 0 || sum.Recurred == 0 ||
			sum.Types[schemas.LoginFailed] != 6 || sum.Playbooks["count"].Incidents != 1 || sum.Playbooks["sequence"].Incidents != 2 {
			t.Errorf("summary: %+v", sum)
		}
	}
	got, _ := run(t, replay.Config{Set: guarded(load(t, logins), "enforce"), Alive: true, Since: start.Add(1e9), Until: start.Add(59e9)}, text)
	want := []string{"count root at 20s by e3 fail=e3 notify.log:act", "sequence anna at 40s by e5 fail=e4 ok=e5 notify.log:act"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a time in between (-want +got):\n%s", diff)
	}
	if _, sum := run(t, replay.Config{Set: load(t, logins)}, text); sum.Unknown == 0 {
		t.Errorf("absences without heartbeats are certain: %+v", sum)
	}
	if _, sum := run(t, replay.Config{Set: load(t, logins), Alive: true}, login(1, 0, false, "root")); !sum.Waiting {
		t.Errorf("nothing waits at the end: %+v", sum)
	}
}

// TestAnErrorEndsIt: of whoever is told of incidents.
func TestAnErrorEndsIt(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for _, beside := range []bool{false, true} {
		r := replay.New(replay.Config{Set: load(t, logins), Specs: action.Specs(), Beside: beside, Incident: func(replay.Incident) error { return full }})
		f := &replay.Files{Names: []string{"-"}, Stdin: strings.NewReader(strings.Repeat(login(1, 0, false, "root")+"\n", 3000)), As: "cloudevents"}
		err := f.Each(t.Context(), r.Apply)
		if err = errors.Join(err, r.Close(), f.Close()); !errors.Is(err, full) {
			t.Errorf("beside %v: %v", beside, err)
		}
	}
}

// TestManyTypes: an event chooses its type; they do not fill the memory.
func TestManyTypes(t *testing.T) {
	t.Parallel()
	r := replay.New(replay.Config{})
	for n := range 5000 {
		if err := r.Apply(schemas.Event{ID: "x", Source: "/x", Type: fmt.Sprintf("t.%d", n), Time: start, Stored: start, Seq: uint64(n + 1), Data: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.Summary(); len(s.Types) > 1001 || s.Events != 5000 || s.Types["(others)"] != 4000 {
		t.Errorf("%d types, %d others", len(s.Types), s.Types["(others)"])
	}
}

func TestJoins(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"single": false, "count": true, "sequence": true} {
		if got := replay.Joins(nil, load(t, map[string]string{name: logins[name]})); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestManyLines: none is lost or counted twice, and none of the incidents.
func TestManyLines(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	const lines, users = 100_000, 250
	for n := range lines {
		fmt.Fprintln(&text, login(n, n/100, false, fmt.Sprint("user", n%users)))
	}
	set := load(t, map[string]string{"count": logins["count"], "none": strings.Replace(logins["single"], "root", "nobody", 1)})
	incidents := 0
	for name, in := range map[string]string{"x": text.String(), "x.gz": text.String()} {
		incidents = 0
		f := &replay.Files{Names: []string{file(t, name, in)}, As: "cloudevents", Recall: true, Bad: func(b replay.Bad) { t.Error(b) }}
		r := replay.New(replay.Config{Set: set, Specs: action.Specs(), Recall: f.RecallEvent, Incident: func(replay.Incident) error { incidents++; return nil }, Beside: true})
		err := f.Each(t.Context(), r.Apply)
		if err := errors.Join(err, r.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		// Each user fails every 2.5 s for 1,000 s: an incident at the third time, and again after 10 minutes.
		if s := r.Summary(); s.Events != lines || f.Counts().Lines != lines || incidents != 2*users || s.Incidents != 2*users || s.Late != 0 || s.Errors != 0 {
			t.Errorf("%s: %d incidents, %d lines, %+v", name, incidents, f.Counts().Lines, s)
		}
	}
}
