package trial

import (
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/incident"
)

// How long the conductor waits. It counts ticks; a test computes the moment.
const (
	unanswered = 2 * time.Minute  // for the first record of a place
	unfinished = 10 * time.Minute // for a place that has planned
	calm       = 5 * time.Minute  // without a recurrence, before something is released because its time has passed
)

// job is something that is due at a time.
type job struct {
	at time.Time
	do func()
}

// runTo lets time pass, and does what becomes due on the way.
func (w *world) runTo(end time.Time) {
	for len(w.faults) == 0 {
		j := w.nextJob()
		if j == nil || j.at.After(end) {
			break
		}
		if j.at.After(w.now) {
			w.now = j.at
		}
		j.do()
		w.listen()
	}
	if end.After(w.now) {
		w.now = end
	}
}

// nextJob is the first thing that an incident waits for; nil when none does.
func (w *world) nextJob() *job {
	var first *job
	for _, f := range w.files {
		for _, t := range f.inc.Tasks() {
			j := w.jobOf(f, t)
			if j != nil && (first == nil || j.at.Before(first.at)) {
				first = j
			}
		}
	}
	return first
}

func (w *world) jobOf(f *file, t *incident.Task) *job {
	switch {
	case w.retries(f, t):
		return &job{w.retryAt(f, t), func() { w.advance(f) }}
	case t.Pending() && !t.TimedOut() && !t.Releasing():
		return w.overdue(f, t)
	case t.Requested.For > 0 && t.Held() && !t.Pending() && !t.Releasing() && t.ExpiredAt.IsZero():
		return w.expiry(f, t)
	}
	return nil
}

// retries says that the task waits for its backoff, and for nothing else.
func (w *world) retries(f *file, t *incident.Task) bool {
	if w.test.Hold || t.State() != incident.Failed || !w.retryAt(f, t).After(w.now) {
		return false
	}
	for _, r := range f.inc.Next(func(k incident.Key) bool { return f.asked[k] }).Retries {
		if r.ID == t.ID {
			return true
		}
	}
	return false
}

func (w *world) retryAt(f *file, t *incident.Task) time.Time {
	s, known := f.inc.Step(t.Step)
	if !known || s.Retry == nil {
		return w.now
	}
	return t.Answered().Add(time.Duration(s.Retry.Backoff))
}

// overdue is when the conductor gives a place up.
func (w *world) overdue(f *file, t *incident.Task) *job {
	limit := unfinished
	if t.State() == incident.Requested {
		limit = unanswered
	}
	if s, known := f.inc.Step(t.Step); known && s.Timeout > 0 {
		limit = time.Duration(s.Timeout)
	}
	return &job{t.Answered().Add(limit), func() {
		w.store(f, t.ID, schemas.PlaceCore, schemas.KindFailed, 0, schemas.Outcome{
			Cause:  decide.CauseTimeout,
			Reason: fmt.Sprintf("%s did not finish step %s within %s", t.Place, t.Step, limit),
			Step:   t.Step, Action: t.Action, Target: &t.Target, Round: t.Round,
		})
		w.advance(f)
	}}
}

// expiry is when `for` has passed, and a release waits for the incident to be calm.
func (w *world) expiry(f *file, t *incident.Task) *job {
	at := t.At.Add(time.Duration(t.Requested.For))
	lets := t.Requested.OnExpire == "release"
	if n, last := f.inc.Recurred(); lets && n > 0 && at.Before(last.Add(calm)) {
		at = last.Add(calm)
	}
	if lets && w.test.Hold {
		return nil
	}
	return &job{at, func() {
		w.store(f, t.ID, schemas.PlaceCore, schemas.KindExpired, 0, schemas.Outcome{
			Reason: "`for` has passed", Step: t.Step, Action: t.Action, Round: t.Round,
		})
		if lets {
			w.store(f, t.ID, t.Place, schemas.KindRelease, t.Releases(), schemas.Release{Reason: "expired", Why: "`for` has passed"})
		}
		w.advance(f)
	}}
}
