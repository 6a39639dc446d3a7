package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/incident"
)

const (
	onExpireRelease   = "release"
	onExpireTerminate = "terminate"

	// saveEvery bounds what a crash can add to a `for`.
	saveEvery = 10 * time.Second
	// calm is how long an incident must not have recurred before it is
	// released because its time has passed.
	calm = 5 * time.Minute
	// noticeAt is the share of `for` after which people are told.
	noticeNum, noticeDen = 3, 4
)

// timer counts how long a task is held.
type timer struct {
	elapsed time.Duration
	saved   time.Duration
	rev     uint64
}

// timerState is what STATE keeps of a timer.
type timerState struct {
	Elapsed schemas.Duration `json:"elapsed"`
}

func timerKey(incident, task string) string {
	return "timer." + schemas.Token(incident) + "." + schemas.Token(task)
}

// expiry counts a task's `for` on, and does what follows from it.
func (c *Conductor) expiry(ctx context.Context, f *file, t *incident.Task, passed time.Duration) error {
	key := timerKey(f.inc.ID, t.ID)
	limit := time.Duration(t.Requested.For)
	if limit <= 0 || !t.Held() || t.Pending() || t.Releasing() || !t.ExpiredAt.IsZero() {
		return nil
	}
	tm := f.timer[t.ID]
	if tm == nil {
		var err error
		if tm, err = c.loadTimer(ctx, key); err != nil {
			return err
		}
		f.timer[t.ID] = tm
	}
	tm.elapsed += passed
	if tm.elapsed-tm.saved >= saveEvery {
		if err := c.saveTimer(ctx, key, tm); err != nil {
			return err
		}
	}
	if tm.elapsed >= limit*noticeNum/noticeDen && t.NoticedAt.IsZero() {
		if err := c.notice(ctx, f, t, limit, tm.elapsed); err != nil {
			return err
		}
	}
	if tm.elapsed >= limit {
		return c.expire(ctx, f, t, limit)
	}
	return nil
}

func (c *Conductor) notice(ctx context.Context, f *file, t *incident.Task, limit, elapsed time.Duration) error {
	what := "it is kept until a person releases it"
	if t.Requested.OnExpire == onExpireRelease {
		what = "it will be released then"
	}
	reason := fmt.Sprintf("%s of %s %s has been held for %s of %s; %s", t.Action, t.Target.Kind, t.Target.ID, elapsed.Round(time.Second), limit, what)
	c.cfg.Log.Warn("three quarters of the time have passed", "incident", f.inc.ID, "task", t.ID, "for", limit)
	return c.store(ctx, f, t.ID, schemas.PlaceCore, schemas.KindNoticed, 0, schemas.Outcome{
		Reason: reason, Remedy: "`firebreak incident release " + f.inc.ID + "` lets it go", Step: t.Step, Action: t.Action, Round: t.Round,
	})
}

// expire records that `for` has passed. A release waits while the hold is on,
// or while the incident recurs.
func (c *Conductor) expire(ctx context.Context, f *file, t *incident.Task, limit time.Duration) error {
	reason := fmt.Sprintf("%s of %s %s has been held for %s", t.Action, t.Target.Kind, t.Target.ID, limit)
	switch t.Requested.OnExpire {
	case onExpireRelease:
		n, last := f.inc.Recurred()
		if c.hold.On || n > 0 && c.cfg.Now().Sub(last) < calm {
			return nil
		}
		reason += "; it is released"
	case onExpireTerminate:
		reason += "; it is kept, since there is no action that terminates yet"
	default:
		reason += "; it is kept until a person releases it"
	}
	err := c.store(ctx, f, t.ID, schemas.PlaceCore, schemas.KindExpired, 0, schemas.Outcome{
		Reason: reason, Remedy: "`firebreak incident release " + f.inc.ID + "` lets it go", Step: t.Step, Action: t.Action, Round: t.Round,
	})
	if err != nil {
		return err
	}
	if t.Requested.OnExpire != onExpireRelease {
		c.cfg.Log.Error("held for longer than was planned: a person has to decide", "incident", f.inc.ID, "task", t.ID, "for", limit, "page", true)
		return nil
	}
	c.advance(ctx, f)
	return nil
}

func (c *Conductor) loadTimer(ctx context.Context, key string) (*timer, error) {
	value, rev, err := c.cfg.Bus.GetState(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	tm := &timer{rev: rev}
	if len(value) == 0 {
		return tm, nil
	}
	var s timerState
	if err := json.Unmarshal(value, &s); err != nil {
		c.cfg.Log.Warn("conductor: a timer cannot be read, counting from the start", "key", key, "error", err)
		return tm, nil
	}
	tm.elapsed, tm.saved = time.Duration(s.Elapsed), time.Duration(s.Elapsed)
	return tm, nil
}

func (c *Conductor) saveTimer(ctx context.Context, key string, tm *timer) error {
	value, err := json.Marshal(timerState{Elapsed: schemas.Duration(tm.elapsed)})
	if err != nil {
		return fmt.Errorf("timer %s: %w", key, err)
	}
	rev, err := c.cfg.Bus.PutState(ctx, key, value, tm.rev)
	if errors.Is(err, schemas.ErrConflict) {
		// A write whose answer was lost, or a former conductor's last one.
		if _, tm.rev, err = c.cfg.Bus.GetState(ctx, key); err == nil {
			rev, err = c.cfg.Bus.PutState(ctx, key, value, tm.rev)
		}
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", key, err)
	}
	tm.rev, tm.saved = rev, tm.elapsed
	return nil
}

// saveTimers keeps what was counted when the conductor stops.
func (c *Conductor) saveTimers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, f := range c.open {
		for id, tm := range f.timer {
			if tm.elapsed == tm.saved {
				continue
			}
			if err := c.saveTimer(ctx, timerKey(f.inc.ID, id), tm); err != nil {
				c.cfg.Log.Warn("conductor: a timer was not kept", "incident", f.inc.ID, "task", id, "error", err)
				return
			}
		}
	}
}

// dropTimers forgets the timers of an incident that holds nothing any more.
func (c *Conductor) dropTimers(ctx context.Context, f *file) error {
	for _, t := range f.inc.Tasks() {
		if t.Requested.For <= 0 || t.Requested.Mode == incident.ModeObserve {
			continue
		}
		key := timerKey(f.inc.ID, t.ID)
		if err := c.cfg.Bus.DeleteState(ctx, key); err != nil {
			return fmt.Errorf("drop %s: %w", key, err)
		}
		delete(f.timer, t.ID)
	}
	return nil
}
