package conductor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/incident"
)

// advance does all that is to be done for an incident now. What fails is tried
// again at the next tick.
func (c *Conductor) advance(ctx context.Context, f *file) {
	if f.inc.Opened() == nil {
		return
	}
	for ctx.Err() == nil {
		more, err := c.move(ctx, f)
		if err != nil {
			c.failed(f, err)
			return
		}
		f.dirty, f.conflicts = false, 0
		if !more {
			return
		}
	}
}

func (c *Conductor) failed(f *file, err error) {
	level := c.cfg.Log.Warn
	if f.dirty {
		level = c.cfg.Log.Debug // said once is enough
	}
	if errors.Is(err, schemas.ErrConflict) {
		f.conflicts++
		level = c.cfg.Log.Debug // a place was quicker; its record is on its way to us
	}
	f.dirty = true
	level("conductor: could not go on, trying again", "incident", f.inc.ID, "error", err)
}

// move does the next things; more says that this may have made others due.
func (c *Conductor) move(ctx context.Context, f *file) (more bool, err error) {
	// The silence comes before the release, so that nothing opens in between;
	// yet a log that takes no events must not keep what is held from being let go.
	quiet := c.silence(ctx, f)
	if more, err = c.releases(ctx, f); err != nil || more {
		return more, err
	}
	if quiet != nil {
		return false, quiet
	}
	next := f.inc.Next(func(k incident.Key) bool { return f.asked[k] })
	for _, ask := range next.Asks {
		if err := c.ask(ctx, f, ask); err != nil {
			return false, err
		}
		more = true
	}
	for _, t := range next.Retries {
		again, err := c.retry(ctx, f, t)
		if err != nil {
			return false, err
		}
		more = more || again
	}
	if more || !next.Complete {
		return more, nil
	}
	return false, c.finish(ctx, f)
}

func (c *Conductor) situation(f *file) decide.Situation {
	return decide.Situation{Incident: f.inc, Inventory: c.inventory, Hold: *c.hold, Budget: c.budget, Now: c.clock, Lease: c.cfg.Lease}
}

// errUnread puts off a step until the inventory can answer it.
var errUnread = errors.New("the inventory is not read yet")

// ask stores the tasks of a step.
func (c *Conductor) ask(ctx context.Context, f *file, ask incident.Ask) error {
	if len(c.unread) > 0 && decide.LooksUp(ask.Step) {
		return fmt.Errorf("step %s: %w", ask.Step.ID, errUnread)
	}
	for _, t := range c.decider.Step(c.situation(f), ask) {
		if err := c.store(ctx, f, t.ID, t.Place, t.Kind, 0, t.Data()); err != nil {
			return err
		}
	}
	f.asked[incident.Key{Round: ask.Round, Step: ask.Step.ID}] = true
	return nil
}

func (c *Conductor) retry(ctx context.Context, f *file, t *incident.Task) (bool, error) {
	s, known := f.inc.Step(t.Step)
	if !known || s.Retry == nil || f.wait(t).quiet < time.Duration(s.Retry.Backoff) {
		return false, nil
	}
	task, ok := c.decider.Retry(c.situation(f), t)
	if !ok {
		return false, nil
	}
	return true, c.store(ctx, f, task.ID, task.Place, task.Kind, task.Requested.Attempt-1, task.Data())
}

// releases asks for what a person, or the end of `for`, wants to be let go.
func (c *Conductor) releases(ctx context.Context, f *file) (bool, error) {
	late := func(t *incident.Task) bool { return f.wait(t).release >= unanswered }
	more := false
	for _, t := range f.inc.ToRelease(late) {
		a := f.inc.Asked()
		if err := c.release(ctx, f, t, schemas.Release{Reason: "asked", By: a.By, Why: a.Why}); err != nil {
			return false, err
		}
		more = true
	}
	for _, t := range f.inc.Holding() {
		if t.ExpiredAt.IsZero() || t.Requested.OnExpire != onExpireRelease || t.ReleaseSeq() > 0 || c.hold.On {
			continue
		}
		if err := c.release(ctx, f, t, schemas.Release{Reason: "expired", Why: "`for` has passed"}); err != nil {
			return false, err
		}
		more = true
	}
	return more, nil
}

// release is numbered by what was released before, so that a later wish is
// another record.
func (c *Conductor) release(ctx context.Context, f *file, t *incident.Task, r schemas.Release) error {
	return c.store(ctx, f, t.ID, t.Place, schemas.KindRelease, t.Releases(), r)
}

// finish arms the group where another incident may be needed before its time
// is over, and closes an incident that holds nothing.
func (c *Conductor) finish(ctx context.Context, f *file) error {
	may := f.inc.MayClose()
	if why := rearmed(f.inc, may); why != "" && !f.armed {
		if err := c.arm(ctx, f, why); err != nil {
			return err
		}
	}
	if !may {
		return nil
	}
	if err := c.dropTimers(ctx, f); err != nil {
		return err
	}
	outcome := f.inc.Verdict()
	if err := c.store(ctx, f, schemas.TaskIncident, schemas.PlaceCore, schemas.KindClosed, f.inc.ClosedCount(), schemas.Closed{Outcome: outcome}); err != nil {
		return err
	}
	c.cfg.Log.Info("incident closed", "incident", f.inc.ID, "outcome", outcome)
	return nil
}

// rearmed says why the group may open another incident before its `once` is
// over: nothing stands between the target and the next strike. What was only
// observed, or is not to be touched, stays quiet for all of that time.
func rearmed(inc *incident.Incident, may bool) string {
	switch {
	case inc.Failed():
		return "the response failed or was without effect"
	case !may:
		return ""
	case inc.Verdict() == incident.OutcomeGone:
		return "the target was gone, so nothing is held should it come again"
	case inc.LetGo():
		return "what was contained is released"
	case inc.Deferred(decide.CauseHold, decide.CauseBudget):
		return "the response was put off by the hold or a budget"
	}
	return ""
}

// store appends a record behind what is known of its chain, and folds it.
func (c *Conductor) store(ctx context.Context, f *file, task, place string, kind schemas.Kind, n int, data any) error {
	r, err := schemas.NewRecord(f.inc.ID, task, place, kind, n, c.cfg.Now(), data)
	if err != nil {
		return err
	}
	after := f.inc.Head(task, place)
	if f.conflicts >= 3 {
		// What explains the conflict has not come yet: the reading of the
		// ledger lags or has lost touch. The next record follows it all the same.
		last, err := c.cfg.Bus.Last(ctx, f.inc.ID, task, place)
		if err != nil {
			return fmt.Errorf("last record of %s at %s: %w", task, place, err)
		}
		if last.Seq > after.Seq {
			after = last.Head()
		}
	}
	stored, err := c.cfg.Bus.Append(ctx, r, after)
	if err != nil {
		return fmt.Errorf("store %s of %s at %s: %w", kind, task, place, err)
	}
	if stored.Stored.After(c.clock) {
		c.clock = stored.Stored
	}
	c.fold(f, stored)
	return nil
}
