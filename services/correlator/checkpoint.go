package correlator

import (
	"context"
	"errors"
	"time"
)

const (
	// saveShare is how many times longer the pause between checkpoints is than
	// the work on one.
	saveShare = 100
	// manyEvents are so many to read again after a crash that it is floodShare
	// times as long only.
	manyEvents = 100_000
	floodShare = 10
	// saveMost bounds that pause: what came in it is read again after a crash.
	saveMost = 5 * time.Minute
	// saveAgain is the pause after one that failed.
	saveAgain = 10 * time.Second
	// lastSave is how long Run goes on storing its last checkpoint.
	lastSave = 5 * time.Second
	// saveWait is how long one may take.
	saveWait = 2 * time.Minute
)

// Figures are those of the last checkpoint.
type Figures struct {
	Seq   uint64        // where in the log it lies
	Bytes int           // of the engine's state
	Pause time.Duration // for which no event was decided on
	Took  time.Duration // in all
}

// Checkpoint gives the figures of the last one that this run has stored.
func (c *Correlator) Checkpoint() Figures {
	if f := c.figures.Load(); f != nil {
		return *f
	}
	return Figures{}
}

// save stores checkpoints: not more often than the configuration says and than
// costs a hundredth of the time, and one at the end.
func (c *Correlator) save(ctx context.Context) error {
	wait, flood, failing := c.cfg.Save, c.cfg.Save, false
	for {
		if !c.rest(ctx, wait, flood) {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
			defer cancel()
			if _, err := c.saveNow(last); err != nil {
				c.cfg.Log.Warn("correlator: the last checkpoint was not stored; some events will be read again", "error", err)
			}
			return ctx.Err()
		}
		inner, cancel := context.WithTimeout(ctx, saveWait)
		took, err := c.saveNow(inner)
		cancel()
		if errors.Is(err, errTakenOver) {
			return err
		}
		if err != nil && !failing && ctx.Err() == nil {
			c.cfg.Log.Error("correlator: the checkpoint was not stored, trying again; correlating goes on, but a restart would read the log again from the former one", "error", err)
		}
		if err == nil && failing {
			c.cfg.Log.Info("correlator: checkpoints are stored again")
		}
		failing = err != nil
		if wait = max(c.cfg.Save, min(saveShare*took, saveMost)); failing {
			wait = max(c.cfg.Save, saveAgain)
		}
		flood = min(wait, max(c.cfg.Save, floodShare*took))
	}
}

// rest waits until the next checkpoint is due. While events come in floods it is
// due sooner. It is false when ctx ended first.
func (c *Correlator) rest(ctx context.Context, wait, flood time.Duration) bool {
	if !sleep(ctx, flood) {
		return false
	}
	for left := wait - flood; left > 0; left -= c.cfg.Save {
		if c.stored != nil && c.debts.decided() >= c.stored.Place.Seq+manyEvents {
			return true
		}
		if !sleep(ctx, min(left, c.cfg.Save)) {
			return false
		}
	}
	return true
}

// saveNow stores a checkpoint, if there is anything new.
func (c *Correlator) saveNow(ctx context.Context) (took time.Duration, err error) {
	begin := c.cfg.Now()
	cp, state, owed, ok := c.snapshot()
	if !ok {
		return 0, nil
	}
	pause := c.cfg.Now().Sub(begin)
	if err := c.debts.settle(ctx, owed); err != nil {
		return 0, err
	}
	begin = c.cfg.Now().Add(-pause) // the waiting is no work
	err = c.keep.save(ctx, cp, state)
	took = c.cfg.Now().Sub(begin)
	if err != nil && !errors.Is(err, errTakenOver) && ctx.Err() == nil {
		err = errors.Join(err, c.keep.giveWay(ctx, len(state)))
	}
	if err != nil {
		return took, err
	}
	c.stored = &cp
	c.figures.Store(&Figures{Seq: cp.Place.Seq, Bytes: len(state), Pause: pause, Took: took})
	return took, nil
}

// snapshot takes the state between two events, and how much must be stored
// before it may be kept. It is false when there is nothing new, or when an event
// could not be decided on to its end.
func (c *Correlator) snapshot() (cp checkpoint, state []byte, owed int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.engine.Stats()
	c.stats.Store(&stats)
	at := c.place()
	c.anchors = anchor(c.anchors, at)
	cp = checkpoint{Place: at, Anchors: c.anchors, Ledger: c.ledger.Load(), Set: c.force, Names: c.names, Ticks: c.ticks, Outbox: c.outbox.copy()}
	if c.torn || !c.fresh(cp) {
		return cp, nil, 0, false
	}
	return cp, c.engine.Snapshot(), c.debts.owed(), true
}

// fresh says whether a checkpoint says more than the one that is stored.
func (c *Correlator) fresh(cp checkpoint) bool {
	is := c.stored
	return is == nil || is.Place.Seq != cp.Place.Seq || is.Place.Stored != cp.Place.Stored || is.Ledger != cp.Ledger ||
		is.Names != cp.Names || is.Set != cp.Set || len(is.Outbox.Owed) != len(cp.Outbox.Owed)
}
