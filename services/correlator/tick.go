package correlator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"firebreak/schemas"
)

// ticks is where the log's own time stands. It is counted by a clock that
// nobody sets, because a playbook that waits must not be hurried or held up by
// whoever sets the time.
type ticks struct {
	N   uint64    `json:"n"`           // how many there were
	At  time.Time `json:"at,omitzero"` // the last one's time
	on  bool      // since the last one something has been waiting
	at  time.Duration
	log time.Time // the latest time at which the log took an event
}

// hear moves the log's time.
func (t *ticks) hear(e schemas.Event) {
	if e.Stored.After(t.log) {
		t.log = e.Stored
	}
}

// meet counts a tick of the log: a restart goes on from the last one.
func (t *ticks) meet(e schemas.Event, writer string) {
	var say schemas.TickEvent
	if writer != "" && e.Writer != writer || json.Unmarshal(e.Data, &say) != nil || say.N < t.N {
		return
	}
	t.N = say.N + 1
	if say.At.After(t.At) {
		t.At = say.At.UTC()
	}
}

// next is the time of the next tick. The first one after a rest is not before
// the log's latest event.
func (t *ticks) next(now time.Duration) time.Time {
	if !t.on {
		t.on, t.at = true, now
		if t.log.After(t.At) {
			t.At = t.log
		}
	}
	return t.At.Add(now - t.at).UTC()
}

// tick publishes the time each second while something waits for it.
func (c *Correlator) tick(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.told:
	}
	t := time.NewTicker(c.cfg.Tick)
	defer t.Stop()
	var said time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		if err := c.tickOnce(ctx); err != nil && ctx.Err() == nil && time.Since(said) > time.Minute {
			said = time.Now()
			c.cfg.Log.Warn("correlator: the time cannot be told to the log; playbooks that wait for an absence wait longer", "error", err)
		}
	}
}

func (c *Correlator) tickOnce(ctx context.Context) error {
	now, err := c.cfg.Boot()
	if err != nil {
		return err
	}
	c.mu.Lock()
	waiting := c.engine.Waiting()
	var at time.Time
	if c.ticks.on = c.ticks.on && waiting; waiting {
		at = c.ticks.next(now)
	}
	n := c.ticks.N
	c.mu.Unlock()
	if !waiting {
		return nil
	}
	e, err := schemas.NewEvent(schemas.Tick, c.source(), fmt.Sprintf("tick/%d", n), "", at, schemas.TickEvent{N: n, At: at})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := c.cfg.Bus.Publish(ctx, e); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticks.N, c.ticks.At, c.ticks.at = max(c.ticks.N, n+1), at, now
	return nil
}
