package conductor

import (
	"context"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/incident"
)

const (
	// unanswered is how long a place may leave a request or a release without
	// any record, unless the step says otherwise.
	unanswered = 2 * time.Minute
	// unfinished is how long a place may be silent once it has planned.
	unfinished = 10 * time.Minute
)

// ticks counts time while the conductor runs.
func (c *Conductor) ticks(ctx context.Context) error {
	t := time.NewTicker(c.cfg.Tick)
	defer t.Stop()
	last := c.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			c.mu.Lock()
			c.saveTimers(context.WithoutCancel(ctx))
			c.mu.Unlock()
			return ctx.Err()
		case <-t.C:
		}
		now := c.cfg.Now()
		// A machine that slept did not wait for anybody.
		passed := min(max(now.Sub(last), 0), 2*c.cfg.Tick)
		last = now
		c.mu.Lock()
		if c.ready() {
			c.tick(ctx, now, passed)
		}
		c.mu.Unlock()
	}
}

func (c *Conductor) tick(ctx context.Context, now time.Time, passed time.Duration) {
	c.sweep(now)
	for _, f := range c.inOrder() {
		due := f.dirty
		for _, t := range f.inc.Tasks() {
			w := f.wait(t)
			w.since += passed
			w.quiet += passed
			if t.Releasing() {
				w.release += passed
				due = due || w.release >= unanswered
			} else {
				w.release = 0
			}
			due = due || c.retryDue(f, t, w)
			if err := c.expiry(ctx, f, t, passed); err != nil {
				c.failed(f, err)
			}
			if err := c.overdue(ctx, f, t, w); err != nil {
				c.failed(f, err)
			}
		}
		if due || f.dirty {
			c.advance(ctx, f)
		}
	}
}

func (c *Conductor) retryDue(f *file, t *incident.Task, w *wait) bool {
	if t.State() != incident.Failed {
		return false
	}
	s, known := f.inc.Step(t.Step)
	return known && s.Retry != nil && w.quiet >= time.Duration(s.Retry.Backoff)
}

// overdue records that a place did not answer in time.
func (c *Conductor) overdue(ctx context.Context, f *file, t *incident.Task, w *wait) error {
	if !t.Pending() || t.TimedOut() || t.Releasing() || t.State() == incident.Releasing {
		return nil
	}
	waited, limit := w.quiet, unfinished
	if t.State() == incident.Requested {
		limit = unanswered
	}
	if s, known := f.inc.Step(t.Step); known && s.Timeout > 0 {
		waited, limit = w.since, time.Duration(s.Timeout)
	}
	if waited < limit {
		return nil
	}
	err := c.store(ctx, f, t.ID, schemas.PlaceCore, schemas.KindFailed, 0, schemas.Outcome{
		Cause:  decide.CauseTimeout,
		Reason: fmt.Sprintf("%s did not finish step %s on %s %s within %s; it stands at %s", t.Place, t.Step, t.Target.Kind, t.Target.ID, limit, t.State()),
		Remedy: "look whether the responder of " + t.Place + " runs and reaches the bus; what it records later still counts",
		Step:   t.Step, Action: t.Action, Target: &t.Target, Round: t.Round,
	})
	if err != nil {
		return err
	}
	c.advance(ctx, f)
	return nil
}
