package incident

import (
	"encoding/json"
	"time"

	"firebreak/schemas"
)

// State says how a task stands.
type State string

// States of a task. Expired and noticed are marks beside the state.
const (
	Requested   State = "requested"
	Planned     State = "planned"
	Applied     State = "applied"
	Enforced    State = "enforced"
	Partial     State = "partial"
	Ineffective State = "ineffective"
	Unverified  State = "unverified"
	Failed      State = "failed"
	Refused     State = "refused"
	Gone        State = "gone"
	Observed    State = "observed"
	Skipped     State = "skipped"
	Releasing   State = "releasing"
	Released    State = "released"
)

// Modes of a task.
const (
	ModeObserve = "observe"
	ModeEnforce = "enforce"
)

// Task is one step on one target.
type Task struct {
	ID        string
	Step      string
	Round     int
	Place     string            // where it is carried out; "" when the core ended it without asking
	Requested schemas.Requested // the last request; zero when nobody was asked
	Target    schemas.Target
	Action    string
	At        time.Time // when State came to be

	// NoticedAt and ExpiredAt say when three quarters, and all, of `for` had passed.
	NoticedAt, ExpiredAt time.Time

	place    side  // what its place recorded
	core     side  // what the core recorded instead of asking, or when the place did not answer
	reached  State // the last state before it was let go
	plan     json.RawMessage
	effect   json.RawMessage
	again    schemas.Duration // the last verdict wants another look
	held     bool
	undoing  bool   // releasing was stored and released was not
	release  bool   // asked to let go, and it has not begun
	relSeq   uint64 // of the last release record
	relCount int
	firstSeq uint64
	lastAt   time.Time // of the last record of its place
}

// side is how a task stands by the records of one writer.
type side struct {
	state   State
	at      time.Time
	outcome schemas.Outcome
}

// State of the task. What its place says goes before what the core says,
// except that an unanswered request that ran out of time has failed.
func (t *Task) State() State {
	if t.place.state == "" || t.TimedOut() {
		return t.core.state
	}
	return t.place.state
}

// Outcome says why the task ended, or stands where it does.
func (t *Task) Outcome() schemas.Outcome {
	if t.place.state == "" || t.TimedOut() {
		return t.core.outcome
	}
	return t.place.outcome
}

// TimedOut says that the place has not ended the task in the time it had.
func (t *Task) TimedOut() bool {
	return t.core.state == Failed && t.pending() && t.place.state != Releasing
}

// Pending says that its place has yet to end the task.
func (t *Task) Pending() bool { return t.pending() }

func (t *Task) pending() bool {
	switch t.place.state {
	case Requested, Planned, Releasing:
		return true
	case Applied:
		return !t.Requested.NoVerify
	case Unverified:
		return t.again > 0
	default:
		return false
	}
}

// Final says that the step's turn is over for this task: what follows may run.
func (t *Task) Final() bool { return t.State() != "" && (t.TimedOut() || !t.pending()) }

// Settled says that nothing of the task is unfinished or held.
func (t *Task) Settled() bool {
	if t.held {
		return false
	}
	return !t.pending() || t.place.state == Requested && t.release
}

// Held says that an effect is there, or may be there.
func (t *Task) Held() bool { return t.held }

// Bad says that the task's `onFailure` has to run: it failed, was without
// effect, or its place did not answer. A refusal or a skip is not bad.
func (t *Task) Bad() bool {
	s := t.State()
	return s == Failed || s == Ineffective
}

// Satisfied says that a step that needs this one may run: it is enforced, or
// applied where there is nothing to verify, or would have been.
func (t *Task) Satisfied() bool {
	switch t.State() {
	case Enforced, Observed:
		return true
	case Applied:
		return t.Requested.NoVerify
	default:
		return false
	}
}

// Reached is the last state the task had before it was let go.
func (t *Task) Reached() State {
	if t.reached != "" {
		return t.reached
	}
	return t.State()
}

// Releasing says that the place was asked to let go and has not done it.
func (t *Task) Releasing() bool { return t.release || t.undoing && t.place.state == Releasing }

// Answered says when its place last recorded something: the request, or what followed it.
func (t *Task) Answered() time.Time { return t.lastAt }

// Plan gives the recorded plan as it was stored; nil before it.
func (t *Task) Plan() json.RawMessage { return t.plan }

// Effect gives the recorded effect as it was stored; nil before it.
func (t *Task) Effect() json.RawMessage { return t.effect }
