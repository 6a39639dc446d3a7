package correlator

import (
	"context"
	"errors"
	"sync"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
)

// follow reads EVENTS from behind the checkpoint, and again when the reading
// breaks off: then the log may be another one.
func (c *Correlator) follow(ctx context.Context) error {
	live, again := sync.OnceValue(func() error { return c.owe(ctx, job{live: true}) }), false
	return c.retry(ctx, "read the events", func() error {
		from := c.from
		if again {
			var err error
			if from, err = c.again(ctx); err != nil {
				return err
			}
		}
		again = true
		err := c.cfg.Bus.FollowEvents(ctx, from+1, func(e schemas.Event) error { return c.event(ctx, e) }, live)
		if err == nil {
			err = errors.New("the bus ended it")
		}
		return err
	})
}

// again looks behind which place the log is to be read on.
func (c *Correlator) again(ctx context.Context) (uint64, error) {
	c.mu.Lock()
	at, before := c.place(), c.anchors
	c.mu.Unlock()
	from, err := c.check(ctx, at, before)
	if err == nil && from.Seq != at.Seq {
		c.mu.Lock()
		c.lost(from, at)
		c.mu.Unlock()
	}
	return from.Seq, err
}

// place is where the last event lies that was decided on.
func (c *Correlator) place() place {
	p := c.at
	if c.last.id != "" {
		p.Event = hashed(c.last.source, c.last.id)
	}
	return p
}

// event lets the engine decide, and hands on what is to be stored. An error
// means that ctx ended, or that the bus is hopeless: what the engine knows is
// then ahead of what is stored, and is not kept.
func (c *Correlator) event(ctx context.Context, e schemas.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Type {
	case schemas.PlaybooksChanged:
		if err := c.meet(ctx, e); err != nil {
			return err
		}
	case schemas.Tick:
		c.ticks.meet(e, c.cfg.Writer)
	case schemas.EventsRefused:
		if e.Writer == "" { // the bus met what is no event; the log does not hold this one
			c.refused(e)
			c.move(e)
			return nil
		}
	}
	c.recent.add(e)
	owed, err := c.decide(ctx, e)
	if err == nil && len(owed) > 0 {
		err = c.owe(ctx, job{seq: e.Seq, decisions: owed})
	}
	if err != nil {
		c.torn = true
		return err
	}
	c.move(e)
	return nil
}

// decide gives what is to be stored in the ledger, complete.
func (c *Correlator) decide(ctx context.Context, e schemas.Event) ([]engine.Decision, error) {
	owed, err := c.apply(ctx, e)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, d := range owed {
		d, err := engine.Fill(d, func(seq uint64) (schemas.Event, error) { return c.recall(ctx, seq) })
		if err != nil {
			return nil, err
		}
		c.engine.Unrecalled(d)
		if !c.tellOf(e, d) {
			owed[n] = d
			n++
		}
	}
	return owed[:n], nil
}

// move says that an event was decided on. The sequence may go back: a log that
// lost its end in a power cut gives it to others.
func (c *Correlator) move(e schemas.Event) {
	c.at = place{Seq: e.Seq, Stored: e.Stored}
	c.last.source, c.last.id = "", "" // of what stands for others nothing is in the log
	if e.Writer != "" {
		c.last.source, c.last.id = e.Source, e.ID
	}
	c.ticks.hear(e)
	c.debts.move(e.Seq)
}
