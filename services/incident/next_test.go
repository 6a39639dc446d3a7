package incident

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

// begin gives a history that has opened an incident with these steps.
func begin(t *testing.T, steps ...schemas.Step) *history {
	h := &history{t: t}
	h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, opened(steps...))
	return h
}

// run adds a request and what became of it.
func (h *history) run(step, id string, kinds ...schemas.Kind) *history {
	task := schemas.TaskID(step, id)
	h.add(task, place, schemas.KindRequested, requested(step, id, ModeEnforce, 1))
	for _, k := range kinds {
		h.add(task, place, k, schemas.Outcome{Transient: true})
	}
	return h
}

func (h *history) skip(step string) *history {
	h.add(schemas.TaskID(step, ""), schemas.PlaceCore, schemas.KindSkipped, schemas.Outcome{Step: step, Action: "x", Cause: "condition"})
	return h
}

func summary(n Next) []string {
	var out []string
	for _, a := range n.Asks {
		s := "ask " + a.Step.ID
		if a.Begun {
			s += " (begun)"
		}
		for _, t := range a.Only {
			s += " only " + t.ID
		}
		out = append(out, s)
	}
	for _, t := range n.Retries {
		out = append(out, "retry "+t.Step)
	}
	if n.Complete {
		out = append(out, "complete")
	}
	return out
}

func TestNext(t *testing.T) {
	pause := schemas.Step{ID: "pause", Do: "container.pause"}
	tell := schemas.Step{ID: "tell", Do: "notify.log"}
	capture := schemas.Step{ID: "capture", Do: "evidence.capture"}
	kill := schemas.Step{ID: "kill", Do: "container.kill"}
	withFailure := pause
	withFailure.OnFailure = []schemas.Step{kill}
	withRetry := pause
	withRetry.Retry = &schemas.Retry{Attempts: 1}
	both := schemas.Step{ID: "both", Parallel: []schemas.Step{pause, capture}}
	bothOrKill := both
	bothOrKill.OnFailure = []schemas.Step{kill}

	P, A, E, F, I := schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced, schemas.KindFailed, schemas.KindIneffective
	for name, tc := range map[string]struct {
		h     *history
		asked []string
		want  []string
	}{
		"the first step":                  {begin(t, pause, tell), nil, []string{"ask pause"}},
		"asked, and waits":                {begin(t, pause, tell).run("pause", "c1"), []string{"pause"}, nil},
		"after a crash between targets":   {begin(t, pause, tell).run("pause", "c1"), nil, []string{"ask pause (begun)"}},
		"applied waits for verification":  {begin(t, pause, tell).run("pause", "c1", P, A), []string{"pause"}, nil},
		"the next when enforced":          {begin(t, pause, tell).run("pause", "c1", P, A, E), []string{"pause"}, []string{"ask tell"}},
		"the next when failed":            {begin(t, pause, tell).run("pause", "c1", P, F), []string{"pause"}, []string{"ask tell"}},
		"the next when skipped":           {begin(t, pause, tell).skip("pause"), []string{"pause"}, []string{"ask tell"}},
		"all of the targets":              {begin(t, pause, tell).run("pause", "c1", P, A, E).run("pause", "c2"), []string{"pause"}, nil},
		"all done":                        {begin(t, pause).run("pause", "c1", P, A, E), []string{"pause"}, []string{"complete"}},
		"passed steps are not asked anew": {begin(t, pause, tell).run("pause", "c1", P, A, E).run("tell", "i1"), nil, []string{"ask tell (begun)"}},
		"a retry":                         {begin(t, withRetry, tell).run("pause", "c1", F), []string{"pause"}, []string{"retry pause"}},
		"on failure, the failed only":     {begin(t, withFailure, tell).run("pause", "c1", P, F).run("pause", "c2", P, A, E), []string{"pause"}, []string{"ask kill only c1"}},
		"on failure, without effect":      {begin(t, withFailure, tell).run("pause", "c1", P, A, I), []string{"pause"}, []string{"ask kill only c1"}},
		"not on a refusal":                {begin(t, withFailure, tell).run("pause", "c1", schemas.KindRefused), []string{"pause"}, []string{"ask tell"}},
		"not when gone":                   {begin(t, withFailure, tell).run("pause", "c1", schemas.KindGone), []string{"pause"}, []string{"ask tell"}},
		"behind the failure's steps":      {begin(t, withFailure, tell).run("pause", "c1", P, F).run("kill", "c1", P, A, E), []string{"pause", "kill"}, []string{"ask tell"}},
		"parallel at once":                {begin(t, both, tell), nil, []string{"ask pause", "ask capture"}},
		"parallel waits for all":          {begin(t, both, tell).run("pause", "c1", P, A, E).run("capture", "c1"), []string{"pause", "capture"}, nil},
		"on failure of a parallel":        {begin(t, bothOrKill, tell).run("pause", "c1", P, F).run("capture", "c1", P, F), []string{"pause", "capture"}, []string{"ask kill only c1"}},
		"not before all of it":            {begin(t, bothOrKill, tell).run("pause", "c1", P, F).run("capture", "c1"), []string{"pause", "capture"}, nil},
		"behind a parallel's failure":     {begin(t, bothOrKill, tell).run("pause", "c1", P, F).run("capture", "c1", P, A, E).run("kill", "c1", P, A, E), []string{"pause", "capture", "kill"}, []string{"ask tell"}},
		"behind parallel":                 {begin(t, both, tell).run("pause", "c1", P, A, E).run("capture", "c1", P, A, E), []string{"pause", "capture"}, []string{"ask tell"}},
	} {
		t.Run(name, func(t *testing.T) {
			asked := map[string]bool{}
			for _, s := range tc.asked {
				asked[s] = true
			}
			got := fold(t, tc.h.list).Next(func(k Key) bool { return asked[k.Step] })
			if d := cmp.Diff(tc.want, summary(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func ids(tasks []*Task) []string {
	var out []string
	for _, t := range tasks {
		out = append(out, t.Step+" "+t.Target.ID)
	}
	return out
}

func TestReleaseInReverseOrder(t *testing.T) {
	h := begin(t, schemas.Step{ID: "pause", Do: "a"}, schemas.Step{ID: "fence", Do: "b"}, schemas.Step{ID: "tell", Do: "c"})
	P, A, E := schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced
	h.run("pause", "c1", P, A, E).run("fence", "c1", P, A, E).run("fence", "c2", P, A, E)
	never := func(*Task) bool { return false }
	check := func(late func(*Task) bool, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, ids(fold(t, h.list).ToRelease(late))); d != "" {
			t.Error(d)
		}
	}
	check(never)
	h.add(schemas.TaskIncident, schemas.PlacePeople, schemas.KindReleaseAsked, schemas.ReleaseAsked{By: "ann"})
	check(never, "fence c2", "fence c1")
	if got := summary(fold(t, h.list).Next(func(Key) bool { return false })); !cmp.Equal(got, []string{"complete"}) {
		t.Errorf("steps go on after a release was asked: %v", got)
	}
	letGo := func(step, id string, kinds ...schemas.Kind) {
		for _, k := range kinds {
			h.add(schemas.TaskID(step, id), place, k, schemas.Released{Undone: true})
		}
	}
	letGo("fence", "c2", schemas.KindRelease)
	check(never, "fence c1")
	letGo("fence", "c1", schemas.KindRelease)
	check(never)
	check(func(*Task) bool { return true }, "pause c1")
	letGo("fence", "c1", schemas.KindReleasing, schemas.KindReleased)
	letGo("fence", "c2", schemas.KindReleasing, schemas.KindFailed)
	check(never, "pause c1")
	letGo("pause", "c1", schemas.KindRelease, schemas.KindReleasing, schemas.KindReleased)
	check(never)
	i := fold(t, h.list)
	if i.MayClose() {
		t.Error("an undo has failed, and the incident may close")
	}
	h.add(schemas.TaskIncident, schemas.PlacePeople, schemas.KindReleaseAsked, schemas.ReleaseAsked{By: "ann"})
	check(never, "fence c2")
	letGo("fence", "c2", schemas.KindReleased) // the place tried again by itself
	i = fold(t, h.list)
	if !i.MayClose() || i.Verdict() != OutcomeContained {
		t.Errorf("may close %v, verdict %s", i.MayClose(), i.Verdict())
	}
}

// The conductor stores a request while a person's wish is on its way to it.
func TestARequestThatCrossesTheRelease(t *testing.T) {
	h := begin(t, schemas.Step{ID: "pause", Do: "a", Retry: &schemas.Retry{Attempts: 3}}, schemas.Step{ID: "tell", Do: "c"})
	h.add(schemas.TaskIncident, schemas.PlacePeople, schemas.KindReleaseAsked, schemas.ReleaseAsked{By: "ann"})
	h.run("pause", "c1", schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced)
	h.run("pause", "c2", schemas.KindFailed)
	i := fold(t, h.list)
	if d := cmp.Diff([]string{"pause c1"}, ids(i.ToRelease(func(*Task) bool { return false }))); d != "" {
		t.Error(d)
	}
	if got := i.Next(func(Key) bool { return true }); len(got.Retries) > 0 {
		t.Error("tried again, although a person asked for the release")
	}
	// What a later recurrence brings is not what the person spoke of.
	h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, schemas.Recurred{Signals: signalOf("c3")})
	later := requested("pause", "c3", ModeEnforce, 1)
	later.Round = 1
	task := schemas.TaskID("pause", "c3")
	h.add(task, place, schemas.KindRequested, later)
	for _, k := range []schemas.Kind{schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced} {
		h.add(task, place, k, schemas.Outcome{})
	}
	if d := cmp.Diff([]string{"pause c1"}, ids(fold(t, h.list).ToRelease(func(*Task) bool { return false }))); d != "" {
		t.Error(d)
	}
}

func TestAPlaceThatDoesNotAnswer(t *testing.T) {
	h := begin(t, schemas.Step{ID: "pause", Do: "a"}, schemas.Step{ID: "tell", Do: "c"}).run("pause", "c1")
	task := schemas.TaskID("pause", "c1")
	h.add(task, schemas.PlaceCore, schemas.KindFailed, schemas.Outcome{Cause: "timeout", Reason: "silent", Step: "pause"})
	i := fold(t, h.list)
	got, _ := i.Task(task)
	if got.State() != Failed || !got.TimedOut() || got.Outcome().Reason != "silent" || !i.Failed() {
		t.Errorf("state %s, outcome %+v", got.State(), got.Outcome())
	}
	if i.MayClose() {
		t.Error("nobody knows what is held, and the incident may close")
	}
	if d := cmp.Diff([]string{"ask tell"}, summary(i.Next(func(k Key) bool { return k.Step == "pause" }))); d != "" {
		t.Error(d)
	}

	h.add(schemas.TaskIncident, schemas.PlacePeople, schemas.KindReleaseAsked, schemas.ReleaseAsked{By: "ann"})
	h.add(task, place, schemas.KindRelease, schemas.Release{Reason: "asked"})
	if i = fold(t, h.list); !i.MayClose() {
		t.Error("what was never planned and is withdrawn may be closed")
	}

	// It answers after all.
	late := begin(t, schemas.Step{ID: "pause", Do: "a"}).run("pause", "c1")
	late.add(task, schemas.PlaceCore, schemas.KindFailed, schemas.Outcome{Cause: "timeout", Step: "pause"})
	for _, k := range []schemas.Kind{schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced} {
		late.add(task, place, k, schemas.Verdict{})
	}
	i = fold(t, late.list)
	if got, _ := i.Task(task); got.State() != Enforced || i.Failed() || len(i.Holding()) != 1 {
		t.Errorf("state %s, failed %v", got.State(), i.Failed())
	}
}

func TestClosedOpensAgain(t *testing.T) {
	h := begin(t, schemas.Step{ID: "pause", Do: "a"}).run("pause", "c1", schemas.KindGone)
	h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindClosed, schemas.Closed{Outcome: OutcomeGone})
	if i := fold(t, h.list); i.State() != Closed || i.View().Outcome != OutcomeGone {
		t.Errorf("state %s", i.State())
	}
	h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, schemas.Recurred{Signals: signalOf("c1")})
	if i := fold(t, h.list); i.State() != Closed || i.View().Recurred != 1 {
		t.Errorf("a recurrence of the same: state %s", i.State())
	}
	h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, schemas.Recurred{Signals: signalOf("c2")})
	i := fold(t, h.list)
	next := i.Next(func(k Key) bool { return k.Round == 0 })
	if i.State() != Open || len(next.Asks) != 1 || next.Asks[0].Round != 1 {
		t.Errorf("a recurrence of something new: state %s, next %+v", i.State(), next)
	}
}

func TestApplyRefuses(t *testing.T) {
	h := begin(t, schemas.Step{ID: "pause", Do: "a"}).run("pause", "c1")
	i := fold(t, h.list)
	other := h.list[0]
	other.Incident = "i2"
	unstored := h.list[0]
	unstored.Seq = 0
	for name, r := range map[string]schemas.Record{"another incident's": other, "one that is not stored": unstored} {
		if err := i.Apply(r); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestView(t *testing.T) {
	h := begin(t, schemas.Step{ID: "pause", Do: "container.pause"}, schemas.Step{ID: "capture", Do: "evidence.capture"}, schemas.Step{ID: "tell", Do: "notify.log"})
	h.run("pause", "c1", schemas.KindPlanned, schemas.KindApplied)
	h.add(schemas.TaskID("pause", "c1"), place, schemas.KindPartial, schemas.Verdict{Layers: []schemas.Layer{{Name: "freezer", State: "partial", Detail: "one thread runs"}}})
	h.skip("capture")
	second := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }
	want := View{
		ID: "i1", Playbook: "p", Severity: "high", Opened: second(1), State: Open, Group: "c1", Mode: "enforce",
		Steps: []StepView{
			{ID: "pause", Action: "container.pause", Targets: []TargetView{{
				ID: "c1", State: Partial, At: second(5), Error: "freezer: one thread runs", Kind: "container", Place: place, Held: true,
			}}},
			{ID: "capture", Action: "evidence.capture", Targets: []TargetView{{State: Skipped, At: second(6), Cause: "condition"}}},
			{ID: "tell", Action: "notify.log", Targets: []TargetView{}},
		},
	}
	if d := cmp.Diff(want, fold(t, h.list).View()); d != "" {
		t.Error(d)
	}
}

func TestAParallelsFailureIsMadeUpFor(t *testing.T) {
	both := schemas.Step{
		ID: "both", Parallel: []schemas.Step{{ID: "pause", Do: "a"}, {ID: "fence", Do: "b"}}, OnFailure: []schemas.Step{{ID: "kill", Do: "c"}},
	}
	h := begin(t, both).run("pause", "c1", schemas.KindFailed).run("fence", "c1", schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced)
	if !fold(t, h.list).Failed() {
		t.Error("the pause failed, and the response is none")
	}
	h.run("kill", "c1", schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced)
	if fold(t, h.list).Failed() {
		t.Error("the kill has made up for it")
	}
}
