package incident

import (
	"time"

	"firebreak/schemas"
)

// applyTask folds a record of a task.
func (i *Incident) applyTask(r schemas.Record) error {
	t := i.tasks[r.Task]
	if t == nil {
		t = &Task{ID: r.Task}
	}
	if r.Kind == schemas.KindNoticed || r.Kind == schemas.KindExpired {
		t.mark(r)
		i.tasks[r.Task] = t
		return nil
	}
	var err error
	switch {
	case r.Kind == schemas.KindRequested:
		err = t.request(r)
	case r.Place == schemas.PlaceCore && t.Place != schemas.PlaceCore:
		err = t.decided(r)
	case t.Place == "" || t.Place != r.Place:
		if !kindOfTask(r.Kind) {
			return nil
		}
		return impossible(r, "nobody asked this place for the task")
	default:
		err = t.move(r)
	}
	if err != nil {
		return err
	}
	if t.firstSeq == 0 || r.Seq < t.firstSeq {
		t.firstSeq = r.Seq
	}
	if t.State() != "" {
		i.tasks[r.Task] = t
	}
	return nil
}

func kindOfTask(k schemas.Kind) bool {
	switch k {
	case schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced, schemas.KindPartial,
		schemas.KindIneffective, schemas.KindUnverified, schemas.KindFailed, schemas.KindRefused,
		schemas.KindGone, schemas.KindObserved, schemas.KindKept, schemas.KindRelease,
		schemas.KindReleasing, schemas.KindReleased, schemas.KindSkipped:
		return true
	default:
		return false
	}
}

func (t *Task) mark(r schemas.Record) {
	switch r.Kind {
	case schemas.KindNoticed:
		t.NoticedAt = stamp(r)
	default:
		t.ExpiredAt = stamp(r)
	}
}

// request folds the first request, or another attempt after a failure.
func (t *Task) request(r schemas.Record) error {
	var q schemas.Requested
	if err := r.Decode(&q); err != nil {
		return err
	}
	switch {
	case t.Place != "" && t.Place != r.Place:
		return impossible(r, "the task is at "+t.Place)
	case t.place.state == "":
	case t.place.state == Failed && q.Attempt > t.Requested.Attempt && !t.undoing:
	default:
		return impossible(r, "the task is "+string(t.place.state))
	}
	t.Requested, t.Place = q, r.Place
	t.Step, t.Action, t.Target, t.Round = q.Step, q.Action, q.Target, q.Round
	t.release, t.again = false, 0
	t.enter(Requested, r, schemas.Outcome{})
	return nil
}

// decided folds what the core recorded of a task that is not carried out at the core.
func (t *Task) decided(r schemas.Record) error {
	var s State
	switch r.Kind {
	case schemas.KindSkipped:
		s = Skipped
	case schemas.KindRefused:
		s = Refused
	case schemas.KindFailed:
		s = Failed
	default:
		if !kindOfTask(r.Kind) {
			return nil
		}
		return impossible(r, "nobody asked the core for the task")
	}
	if t.core.state != "" {
		return impossible(r, "the core has recorded "+string(t.core.state))
	}
	var o schemas.Outcome
	if err := r.Decode(&o); err != nil {
		return err
	}
	t.core = side{state: s, at: stamp(r), outcome: o}
	if t.Place == "" {
		t.Step, t.Action, t.Round = o.Step, o.Action, o.Round
		if o.Target != nil {
			t.Target = *o.Target
		}
	}
	t.At = t.stateAt()
	return nil
}

func (t *Task) stateAt() time.Time {
	if t.place.state == "" || t.TimedOut() {
		return t.core.at
	}
	return t.place.at
}
