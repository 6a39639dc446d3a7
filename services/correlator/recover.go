package correlator

import (
	"context"
	"errors"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// recover makes the correlator as it was at its checkpoint. Without one it is
// made from the ledger, and the log is read from its start.
func (c *Correlator) recover(ctx context.Context) error {
	var cp *checkpoint
	var state []byte
	err := c.retry(ctx, "read the checkpoint", func() (err error) {
		if cp, state, err = c.load(ctx); err == nil {
			err = c.readFault(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	if cp != nil {
		done, err := c.resume(ctx, cp, state)
		if done || err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.begin(c.cfg.Set)
	c.mu.Unlock()
	if err := c.retry(ctx, "seed from the ledger", func() error { return c.seed(ctx) }); err != nil {
		return err
	}
	// From here on every restart has a checkpoint: what the ledger holds alone
	// cannot tell which of two decisions on one event was stored.
	if _, err := c.saveNow(ctx); err != nil && ctx.Err() == nil {
		if c.hopeless(err) {
			return err
		}
		c.cfg.Log.Warn("correlator: the first checkpoint was not stored", "error", err)
	}
	return nil
}

// load takes the checkpoint over and reads it.
func (c *Correlator) load(ctx context.Context) (*checkpoint, []byte, error) {
	switch err := c.keep.claim(ctx); {
	case errors.Is(err, errDamaged):
		c.cfg.Log.Error("correlator: the checkpoint cannot be read; what was decided is taken from the ledger, and the log is read from its start", "error", err)
	case err != nil:
		return nil, nil, err
	}
	if c.cfg.Anew {
		c.cfg.Log.Warn("correlator: the log is taken for a new one, as asked; it is read from its start")
		return nil, nil, c.keep.forget(ctx)
	}
	cp, state, err := c.keep.load(ctx)
	switch {
	case errors.Is(err, errDamaged) && cp == nil:
		c.cfg.Log.Error("correlator: the checkpoint is damaged; what was decided is taken from the ledger, and the log is read from its start", "error", err)
	case errors.Is(err, errDamaged):
		c.cfg.Log.Error("correlator: the checkpoint is damaged; the former one takes its place", "seq", cp.Place.Seq, "error", err)
	case err != nil:
		return nil, nil, err
	case cp == nil:
		c.cfg.Log.Info("correlator: no checkpoint; what was decided is taken from the ledger, and the log is read from its start")
	}
	return cp, state, nil
}

// resume takes a checkpoint in force. It is false when the engine cannot read
// its state.
func (c *Correlator) resume(ctx context.Context, cp *checkpoint, state []byte) (bool, error) {
	var from place
	err := c.retry(ctx, "compare the log with the checkpoint", func() (err error) {
		from, err = c.check(ctx, cp.Place, cp.Anchors)
		return err
	})
	if err != nil {
		return false, err
	}
	if err := c.restore(ctx, cp, state); err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		c.cfg.Log.Error("correlator: the engine cannot go on from the checkpoint; what was decided is taken from the ledger, and the log is read from its start", "error", err)
		return false, nil
	}
	c.from = from.Seq
	c.debts.move(from.Seq)
	if from.Seq != cp.Place.Seq {
		c.mu.Lock()
		c.lost(from, cp.Place)
		c.mu.Unlock()
	}
	c.cfg.Log.Info("correlator: goes on from its checkpoint", "seq", from.Seq, "bytes", cp.Size, "playbooks", c.force.Digest)
	return true, c.retry(ctx, "read what was decided since the checkpoint", func() error { return c.decided(ctx, cp.Ledger) })
}

// restore makes the engine and all beside it as they were.
func (c *Correlator) restore(ctx context.Context, cp *checkpoint, state []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var set *playbook.Set
	if cp.Set.Digest != "" {
		set = c.without(c.setOf(ctx, cp.Set), cp.Place.Seq)
	}
	c.begin(set)
	if c.force.Digest == cp.Set.Digest {
		c.force.Content = cp.Set.Content
	}
	if err := c.engine.Restore(state); err != nil {
		return err
	}
	c.at, c.anchors, c.names = cp.Place, cp.Anchors, cp.Names
	c.recorded(cp.Ledger)
	c.ticks.N, c.ticks.At, c.ticks.log = cp.Ticks.N, cp.Ticks.At, cp.Place.Stored
	c.outbox.restore(cp.Outbox)
	c.stored = cp
	return nil
}

// errRead ends the reading of the ledger.
var errRead = errors.New("all that was stored is read")

// ledgerUpTo hands on the records from a sequence on that are stored by now.
func (c *Correlator) ledgerUpTo(ctx context.Context, from uint64, take func(schemas.Record)) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	read := false
	err := c.cfg.Bus.FollowLedger(inner, from,
		func(r schemas.Record) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.recorded(r.Seq)
			take(r)
			return nil
		},
		func() error {
			read = true
			return errRead
		})
	if read {
		return nil
	}
	return err
}

// decided notes which decisions the ledger holds that lie beyond the
// checkpoint: they will be made again, and are not to be stored again.
func (c *Correlator) decided(ctx context.Context, after uint64) error {
	c.known = map[string]int{}
	return c.ledgerUpTo(ctx, after+1, func(r schemas.Record) {
		if r.Place == schemas.PlaceCore && (r.Kind == schemas.KindOpened || r.Kind == schemas.KindRecurred) {
			c.known[r.Incident] = max(c.known[r.Incident], recurrence(r))
		}
	})
}

// seed gives a new engine what the ledger knows.
func (c *Correlator) seed(ctx context.Context) error {
	c.mu.Lock()
	c.begin(c.cfg.Set)
	c.mu.Unlock()
	return c.ledgerUpTo(ctx, 0, func(r schemas.Record) {
		if err := c.engine.Seed(r); err != nil {
			c.cfg.Log.Warn("correlator: a record of the ledger cannot be read", "seq", r.Seq, "error", err)
		}
	})
}
