package incident

import (
	"firebreak/schemas"
)

// move folds a record of the place that carries the task out.
func (t *Task) move(r schemas.Record) error {
	from := t.place.state
	switch r.Kind {
	case schemas.KindPlanned:
		if from != Requested {
			return t.cannot(r)
		}
		return t.take(r, Planned)
	case schemas.KindApplied:
		// Without a plan it breaks the rules, yet something is there now.
		if from != Requested && from != Planned {
			return t.cannot(r)
		}
		return t.take(r, Applied)
	case schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified:
		return t.verdict(r)
	case schemas.KindKept:
		if !t.verified() && from != Applied {
			return t.cannot(r)
		}
		t.effect = r.Data
		return nil
	case schemas.KindObserved:
		if from != Requested && from != Planned {
			return t.cannot(r)
		}
		t.plan, t.held, t.release = r.Data, false, false
		t.enter(Observed, r, schemas.Outcome{})
		return nil
	case schemas.KindFailed, schemas.KindRefused, schemas.KindGone, schemas.KindSkipped:
		return t.end(r)
	case schemas.KindRelease, schemas.KindReleasing, schemas.KindReleased:
		return t.letGo(r)
	default:
		return nil
	}
}

func (t *Task) take(r schemas.Record, s State) error {
	if s == Planned {
		t.plan = r.Data
	} else {
		t.effect = r.Data
	}
	t.held = t.Requested.Mode != ModeObserve && !t.Requested.NoUndo
	t.enter(s, r, schemas.Outcome{})
	return nil
}

func (t *Task) verified() bool {
	switch t.place.state {
	case Enforced, Partial, Ineffective, Unverified:
		return true
	default:
		return false
	}
}

// verdict folds what a verification saw. A later look counts more.
func (t *Task) verdict(r schemas.Record) error {
	if t.place.state != Applied && !t.verified() {
		return t.cannot(r)
	}
	var v schemas.Verdict
	if err := r.Decode(&v); err != nil {
		return err
	}
	t.again = v.Again
	t.enter(State(r.Kind), r, schemas.Outcome{Reason: detail(v)})
	return nil
}

// detail is the worst of what the layers say, for people.
func detail(v schemas.Verdict) string {
	for _, bad := range []string{schemas.Ineffective, schemas.Partial, schemas.Unverified} {
		for _, l := range v.Layers {
			if l.State == bad {
				return l.Name + ": " + l.Detail
			}
		}
	}
	return ""
}

// end folds an outcome that is no verdict.
func (t *Task) end(r schemas.Record) error {
	from := t.place.state
	fresh := from == Requested || from == Planned
	ok := false
	switch r.Kind {
	case schemas.KindFailed:
		ok = fresh || from == Applied || t.verified() || from == Releasing
	case schemas.KindGone:
		ok = fresh || from == Applied || t.verified() || from == Releasing || from == Failed && t.held
	default:
		ok = fresh
	}
	if !ok {
		return t.cannot(r)
	}
	var o schemas.Outcome
	if err := r.Decode(&o); err != nil {
		return err
	}
	if r.Kind != schemas.KindFailed {
		t.held = false
	}
	if r.Kind != schemas.KindFailed || from != Releasing {
		t.undoing, t.release = false, t.release && t.held
	}
	t.enter(State(r.Kind), r, o)
	return nil
}

// letGo folds the records of a release.
func (t *Task) letGo(r schemas.Record) error {
	from := t.place.state
	switch r.Kind {
	case schemas.KindRelease:
		// One that crossed the task's end on its way asks for nothing more.
		t.release, t.relSeq = t.held || t.pending(), r.Seq
		t.relCount++
		t.seen(r)
		t.At = t.stateAt()
		return nil
	case schemas.KindReleasing:
		if !t.held && !t.release || from == Releasing {
			return t.cannot(r)
		}
		if from != Failed || !t.undoing {
			t.reached = from
		}
		t.release, t.undoing = false, true
		t.enter(Releasing, r, schemas.Outcome{})
		return nil
	default:
		if !t.undoing && !(t.release && (from == Requested || from == Planned)) {
			return t.cannot(r)
		}
		var d schemas.Released
		if err := r.Decode(&d); err != nil {
			return err
		}
		if t.reached == "" {
			t.reached = from
		}
		t.release, t.undoing, t.held = false, false, false
		t.enter(Released, r, schemas.Outcome{Reason: d.Drift})
		return nil
	}
}

func (t *Task) enter(s State, r schemas.Record, o schemas.Outcome) {
	t.place = side{state: s, at: stamp(r), outcome: o}
	t.seen(r)
	t.At = t.stateAt()
}

func (t *Task) seen(r schemas.Record) { t.lastAt = stamp(r) }

func (t *Task) cannot(r schemas.Record) error {
	return impossible(r, "the task is "+string(t.place.state))
}
