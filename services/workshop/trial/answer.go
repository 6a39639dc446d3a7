package trial

import (
	"fmt"

	"firebreak/schemas"
	"firebreak/services/incident"
	"firebreak/services/workshop/testfile"
)

// answer records what the place of a task does, as the test's mock says or
// else as a place does with which all goes well.
func (w *world) answer(f *file, t *incident.Task) {
	spec := w.specs[t.Action]
	a, mocked := w.mock(f, t)
	if !mocked {
		a.State = string(schemas.KindEnforced)
		if spec.Verify == "" {
			a.State = string(schemas.KindApplied)
		}
	}
	plan := schemas.Plan{Version: 1, Action: t.Action, Target: t.Target, With: t.Requested.With, Holder: f.inc.ID + "/" + t.ID, PlannedAt: w.now}
	place := func(kind schemas.Kind, data any) {
		w.store(f, t.ID, t.Place, kind, t.Requested.Attempt-1, data)
	}
	outcome := schemas.Outcome{Reason: a.Reason, Cause: "error", Transient: true, Step: t.Step, Action: t.Action}
	switch kind := schemas.Kind(a.State); kind {
	case testfile.Unanswered:
	case schemas.KindRefused, schemas.KindGone:
		place(kind, outcome)
	default:
		if t.Requested.Mode == incident.ModeObserve {
			place(schemas.KindObserved, plan) // a dry run reads and changes nothing
			return
		}
		place(schemas.KindPlanned, plan)
		if kind == schemas.KindFailed {
			place(kind, outcome)
			return
		}
		place(schemas.KindApplied, schemas.Effect{Version: 1, Plan: plan})
		if kind != schemas.KindApplied {
			place(kind, verdict(spec, kind, a.Reason))
		}
	}
}

func verdict(spec schemas.Spec, kind schemas.Kind, reason string) schemas.Verdict {
	state := string(kind)
	if kind == schemas.KindEnforced {
		state = schemas.Contained
	}
	return schemas.Verdict{Layers: []schemas.Layer{{Name: spec.Name, State: state, Detail: reason}}}
}

// mock gives what the test says of this attempt; a step's id goes before its action.
func (w *world) mock(f *file, t *incident.Task) (testfile.Answer, bool) {
	for _, name := range []string{t.Step, t.Action} {
		for _, m := range w.test.Mocks {
			if m.Step != name {
				continue
			}
			key := f.inc.ID + "/" + t.ID
			n := min(w.attempts[key], len(m.Answers)-1)
			w.attempts[key]++
			w.mocked[name] = true
			a := m.Answers[n]
			if a.Reason == "" {
				a.Reason = fmt.Sprintf("the test says that it is %s", a.State)
			}
			return a, true
		}
	}
	return testfile.Answer{}, false
}

// letGo answers a release: whatever was done is undone.
func (w *world) letGo(f *file, id, place string) {
	t, known := f.inc.Task(id)
	if !known {
		w.fault(fmt.Errorf("task %s is let go and was never there", id))
		return
	}
	n := t.Releases() - 1
	w.store(f, id, place, schemas.KindReleasing, n, schemas.Releasing{Undo: true})
	w.store(f, id, place, schemas.KindReleased, n, schemas.Released{Undone: true})
}
