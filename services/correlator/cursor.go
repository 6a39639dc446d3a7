package correlator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
)

// cursorKey is where STATE keeps how far the events are read.
const cursorKey = "correlator.cursor"

// cursor is the place in the log behind which all decisions are stored, with
// what the ledger does not know of it.
type cursor struct {
	bus        Bus
	state      cursorState
	rev        uint64
	unreadable error
}

type cursorState struct {
	Seq    uint64        `json:"seq"`
	Digest string        `json:"digest,omitempty"` // of the set that was announced last
	Marks  []engine.Mark `json:"marks,omitempty"`
}

func (c *cursor) load(ctx context.Context) error {
	value, rev, err := c.bus.GetState(ctx, cursorKey)
	if err != nil {
		return err
	}
	c.rev = rev
	if len(value) == 0 {
		return nil
	}
	c.unreadable = json.Unmarshal(value, &c.state)
	if c.unreadable != nil {
		c.state = cursorState{} // reading all again is slow and harmless
	}
	return nil
}

// put keeps a state. Another writer's conflict is that of a correlator that has
// lost its lease, or of our own write whose answer was lost: ours is in force.
func (c *cursor) put(ctx context.Context, s cursorState) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	rev, err := c.bus.PutState(ctx, cursorKey, value, c.rev)
	if errors.Is(err, schemas.ErrConflict) {
		if _, c.rev, err = c.bus.GetState(ctx, cursorKey); err == nil {
			rev, err = c.bus.PutState(ctx, cursorKey, value, c.rev)
		}
	}
	if err != nil {
		return fmt.Errorf("keep the cursor: %w", err)
	}
	c.rev, c.state = rev, s
	return nil
}

// save keeps the cursor at most every second, and at the end.
func (c *Correlator) save(ctx context.Context, cur *cursor) error {
	t := time.NewTicker(c.cfg.Save)
	defer t.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if err := c.saveNow(last, cur); err != nil {
				c.cfg.Log.Warn("correlator: the cursor was not kept; some events will be read again", "error", err)
			}
			return ctx.Err()
		case <-t.C:
		}
		err := c.saveNow(ctx, cur)
		if err != nil && !failing && ctx.Err() == nil {
			c.cfg.Log.Warn("correlator: the cursor was not kept, trying again", "error", err)
		}
		failing = err != nil
	}
}

func (c *Correlator) saveNow(ctx context.Context, cur *cursor) error {
	c.mu.Lock()
	if c.busy {
		// The marks are those of the next event already; the cursor is not.
		c.mu.Unlock()
		return nil
	}
	s := cursorState{Seq: c.seq, Digest: c.digest}
	if s.Seq != cur.state.Seq {
		s.Marks = c.engine.Marks()
	}
	c.mu.Unlock()
	if s.Seq == cur.state.Seq && s.Digest == cur.state.Digest {
		return nil
	}
	if s.Seq == cur.state.Seq {
		s.Marks = cur.state.Marks
	}
	return cur.put(ctx, s)
}
