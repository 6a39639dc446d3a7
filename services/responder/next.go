package responder

import "time"

// step is what a task needs next.
type step int

const (
	stepNone    step = iota
	stepPlan         // requested: plan it, and claim it
	stepApply        // planned: carry the recorded plan out
	stepVerify       // applied: look whether it is there
	stepRelease      // asked to let go: say so before anything is undone
	stepUndo         // releasing: undo it, or leave it to the other holders
)

// next says what a task needs, from its records alone. A release goes before
// everything else: whatever the task was about to do, nobody wants it any more.
func (t *task) next(verifies func(action string) bool) step {
	switch {
	case t.releasing != nil:
		return stepUndo
	case t.release != nil:
		return stepRelease
	case t.stage == stageRequested:
		return stepPlan
	case t.stage == stagePlanned:
		return stepApply
	case t.stage == stageApplied && verifies(t.action()):
		return stepVerify
	default:
		return stepNone
	}
}

// pick gives the task of a lane that has waited longest for its next step. The
// time is when to look again if all of them are waiting; zero for never.
func (l *lane) pick(now time.Time, verifies func(string) bool) (*task, step, time.Time) {
	var (
		first *task
		what  step
		again time.Time
	)
	for _, t := range l.tasks {
		s := t.next(verifies)
		if s == stepNone {
			continue
		}
		if t.wait.After(now) {
			if again.IsZero() || t.wait.Before(again) {
				again = t.wait
			}
			continue
		}
		if first == nil || t.head.Seq < first.head.Seq {
			first, what = t, s
		}
	}
	return first, what, again
}
