package bustest

import (
	"context"
	"fmt"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// Publish stores an event once.
func (c *Client) Publish(_ context.Context, e schemas.Event) (uint64, error) {
	if err := intake.Event(e); err != nil {
		return 0, fmt.Errorf("publish %s: %w", e.Type, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq, seen := c.ids[e.Key()]; seen {
		return seq, nil
	}
	e.Seq, e.Writer, e.Stored = c.first+uint64(len(c.events)), c.Writer, c.Now().UTC()
	c.events = append(c.events, e)
	c.ids[e.Key()] = e.Seq
	c.wake()
	return e.Seq, nil
}

// Events gives all that the log holds.
func (b *Bus) Events() []schemas.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]schemas.Event(nil), b.events...)
}

// Event gives the event at a sequence.
func (c *Client) Event(_ context.Context, seq uint64) (schemas.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq < c.first || seq >= c.first+uint64(len(c.events)) {
		return schemas.Event{}, fmt.Errorf("event %d: %w", seq, schemas.ErrAbsent)
	}
	return c.events[seq-c.first], nil
}

// LastEvent gives the event that the log ends with.
func (c *Client) LastEvent(context.Context) (schemas.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) == 0 {
		return schemas.Event{}, fmt.Errorf("last event: %w", schemas.ErrAbsent)
	}
	return c.events[len(c.events)-1], nil
}

// LetGo makes the log let go of its oldest events.
func (b *Bus) LetGo(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.events))
	b.events, b.first = b.events[n:], b.first+uint64(n) //nolint:gosec // not negative
	b.wake()
}

// Cut takes the newest events off the log, as a power cut or a restored backup
// does; their sequences are given to others.
func (b *Bus) Cut(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.events))
	for _, e := range b.events[len(b.events)-n:] {
		delete(b.ids, e.Key())
	}
	b.events = b.events[:len(b.events)-n]
	b.log++
	b.wake()
}

// FollowEvents hands on every event from a sequence on, and a gap for those
// that were asked for and are gone.
func (c *Client) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	next, gaps, told := max(from, 1), from > 0, false
	c.mu.Lock()
	until, log := c.first+uint64(len(c.events)), -1
	c.mu.Unlock()
	for {
		c.mu.Lock()
		events, first, is, changed := c.events, c.first, c.log, c.changed
		c.mu.Unlock()
		end := first + uint64(len(events))
		from, to, beside := next, uint64(0), uint64(0)
		switch {
		case is != log && next > end: // the log lost its end
			from, to, beside, next = end, next-1, end-1, end
		case next < first && len(events) > 0:
			to, beside, next = first-1, first-1, first
		}
		log = is
		if to > 0 && gaps {
			if err := handle(c.gap(from, to, beside, events)); err != nil {
				return err
			}
		}
		for gaps = gaps || len(events) > 0; next < end; next++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := handle(events[next-first]); err != nil {
				return err
			}
		}
		if !told && next >= min(until, end) {
			told = true
			if live != nil {
				if err := live(); err != nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// gap is an event that stands for others, at the sequence beside them.
func (c *Client) gap(from, to, seq uint64, events []schemas.Event) schemas.Event {
	stored := c.Now().UTC()
	if len(events) > 0 {
		stored = events[len(events)-1].Stored
		if seq < events[0].Seq {
			stored = events[0].Stored
		}
	}
	e, err := schemas.NewEvent(schemas.LogGap, "/local/bus", fmt.Sprintf("gap/%s/%d-%d", c.Writer, from, to), c.Writer, stored,
		schemas.GapEvent{Reader: c.Writer, From: from, To: to})
	if err != nil { // the data is a struct of strings and numbers
		e.Type = schemas.LogGap
	}
	e.Seq, e.Stored = seq, stored
	return e
}
