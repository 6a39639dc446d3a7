// Package bustest is a ledger, a log of events and a state in memory, for
// tests of what stands on the bus. The bus's own tests run one contract over
// this and over the real thing, so that the two stay equal.
package bustest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"firebreak/schemas"
)

// Bus keeps everything in memory. The zero value is not ready; use [New].
type Bus struct {
	Now func() time.Time // by which it stamps what it stores; set it before use

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every write

	events  []schemas.Event
	first   uint64 // sequence of events[0]; before it the log has let go
	log     int    // counts the logs made anew or cut
	ids     map[string]uint64
	records []schemas.Record
	state   map[string]entry
	rev     uint64
	items   []change // of the inventory
}

type entry struct {
	value []byte
	rev   uint64
}

// New gives an empty bus.
func New() *Bus {
	return &Bus{Now: time.Now, changed: make(chan struct{}), first: 1, ids: map[string]uint64{}, state: map[string]entry{}}
}

// Client speaks for one writer. Place limits what FollowLedger hands on; ""
// shows all.
type Client struct {
	*Bus
	Writer string
	Place  string
}

// Client of the bus.
func (b *Bus) Client(writer, place string) *Client {
	return &Client{Bus: b, Writer: writer, Place: place}
}

func (b *Bus) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Append stores a record if its task's place still ends in after.
func (c *Client) Append(_ context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last(r.Incident, r.Task, r.Place)
	if last.Seq != after.Seq {
		if last.ID == r.ID && last.Writer == c.Writer {
			return last, nil
		}
		return schemas.Record{}, fmt.Errorf("append %s: %w: sequence %d is there", r.Subject(), schemas.ErrConflict, last.Seq)
	}
	r.Writer, r.Prev = c.Writer, after.Hash
	r.Seq, r.Stored = uint64(len(c.records)+1), c.Now().UTC()
	c.records = append(c.records, r)
	c.wake()
	return r, nil
}

func (b *Bus) last(incident, task, place string) schemas.Record {
	for i := len(b.records) - 1; i >= 0; i-- {
		if r := b.records[i]; r.Incident == incident && r.Task == task && r.Place == place {
			return r
		}
	}
	return schemas.Record{}
}

// Last gives the last record of a task at a place.
func (c *Client) Last(_ context.Context, incident, task, place string) (schemas.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last(incident, task, place), nil
}

// Records gives all that was appended.
func (b *Bus) Records() []schemas.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]schemas.Record(nil), b.records...)
}

// FollowLedger hands on every record from a sequence on.
func (c *Client) FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error {
	return follow(ctx, c.Bus, from, func() []schemas.Record { return c.records }, func(r schemas.Record) error {
		if c.Place != "" && r.Place != c.Place {
			return nil
		}
		return handle(r)
	}, live)
}

func follow[T any](ctx context.Context, b *Bus, from uint64, all func() []T, handle func(T) error, live func() error) error {
	next := 0
	if from > 1 {
		next = int(from - 1) //nolint:gosec // a sequence in memory fits
	}
	b.mu.Lock()
	until := len(all())
	b.mu.Unlock()
	told := false
	for {
		b.mu.Lock()
		items, changed := all(), b.changed
		b.mu.Unlock()
		for ; next < len(items); next++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := handle(items[next]); err != nil {
				return err
			}
		}
		if !told && next >= until {
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

// GetState reads a key.
func (c *Client) GetState(_ context.Context, key string) ([]byte, uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.state[key]
	return e.value, e.rev, nil
}

// PutState writes a key if it is still at the revision.
func (c *Client) PutState(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state[key].rev != revision {
		return 0, fmt.Errorf("state %s: %w: revision %d is there", key, schemas.ErrConflict, c.state[key].rev)
	}
	c.rev++
	c.state[key] = entry{value: append([]byte(nil), value...), rev: c.rev}
	c.wake()
	return c.rev, nil
}

// DeleteState removes a key.
func (c *Client) DeleteState(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.state, key)
	c.wake()
	return nil
}

// FollowState hands on a key's value now and at every change.
func (c *Client) FollowState(ctx context.Context, key string, handle func([]byte) error) error {
	seen, first := uint64(0), true
	for {
		c.mu.Lock()
		e, changed := c.state[key], c.changed
		c.mu.Unlock()
		if first || e.rev != seen {
			first, seen = false, e.rev
			if err := handle(e.value); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
