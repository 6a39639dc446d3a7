package correlator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Bus is what the correlator needs of the bus.
type Bus interface {
	Publish(ctx context.Context, e schemas.Event) (uint64, error)
	Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error)
	Last(ctx context.Context, incident, task, place string) (schemas.Record, error)
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	GetState(ctx context.Context, key string) ([]byte, uint64, error)
	PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Blobs keeps content under its digest.
type Blobs interface {
	PutBlob(ctx context.Context, r io.Reader) (digest string, size int64, err error)
}

// Config of a correlator.
type Config struct {
	Bus     Bus
	Blobs   Blobs                // where the sources of a set are kept, so that a replay sees them; may be nil
	Set     *playbook.Set        // in force at the start
	Sets    <-chan *playbook.Set // sets that replace it; may be nil
	Cluster string               // names the source of its events
	Writer  string               // name under which the core's events are stored; only its marks on groups count. "" for all
	Log     *slog.Logger

	// Live is called once, when the events that were stored at the start are
	// done with; may be nil.
	Live func()
	Now  func() time.Time // time.Now when nil
	Save time.Duration    // how often the cursor is kept; a second when zero
}

// Correlator matches events with playbooks. Use [New].
type Correlator struct {
	cfg Config

	mu      sync.Mutex
	engine  *engine.Engine
	seq     uint64                   // last event whose decisions are stored
	digest  string                   // of the set that was announced last
	pending map[string]*playbook.Set // announced, by digest, not met in the log yet
	busy    bool                     // the engine is ahead of seq: what it decided is not stored yet
}

// New gives a correlator.
func New(cfg Config) *Correlator {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Save <= 0 {
		cfg.Save = time.Second
	}
	e := engine.New(cfg.Set)
	e.Marker = cfg.Writer
	return &Correlator{cfg: cfg, engine: e, pending: map[string]*playbook.Set{}}
}

// Stats gives the engine's counts by playbook.
func (c *Correlator) Stats() map[string]engine.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.engine.Stats()
}

// Sequence is that of the last event whose decisions are stored.
func (c *Correlator) Sequence() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seq
}

// Run seeds from the ledger and correlates until ctx ends. It returns nil then.
func (c *Correlator) Run(ctx context.Context) error {
	err := c.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (c *Correlator) run(ctx context.Context) error {
	cur := &cursor{bus: c.cfg.Bus}
	if err := c.retry(ctx, "read the cursor", func() error { return cur.load(ctx) }); err != nil {
		return err
	}
	if cur.unreadable != nil {
		c.cfg.Log.Error("correlator: the cursor cannot be read, reading the log from its start", "error", cur.unreadable)
	}
	if err := c.retry(ctx, "seed from the ledger", func() error { return c.seed(ctx) }); err != nil {
		return err
	}
	c.mu.Lock()
	c.engine.Restore(cur.state.Marks)
	c.seq, c.digest = cur.state.Seq, cur.state.Digest
	c.mu.Unlock()

	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return c.follow(inner) })
	g.Go(func() error { return c.sets(inner) })
	g.Go(func() error { return c.save(inner, cur) })
	return g.Wait()
}

// errSeeded ends the reading of the ledger.
var errSeeded = errors.New("all that was stored is read")

// seed starts the engine anew with what the ledger knows.
func (c *Correlator) seed(ctx context.Context) error {
	c.mu.Lock()
	c.engine.Forget()
	c.mu.Unlock()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	seeded := false
	err := c.cfg.Bus.FollowLedger(inner, 0,
		func(r schemas.Record) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := c.engine.Seed(r); err != nil {
				c.cfg.Log.Warn("correlator: a record of the ledger cannot be read", "seq", r.Seq, "error", err)
			}
			return nil
		},
		func() error {
			seeded = true
			cancel()
			return errSeeded
		})
	if seeded {
		return nil
	}
	return err
}

// follow reads EVENTS from behind the cursor, again and again.
func (c *Correlator) follow(ctx context.Context) error {
	told := false
	return c.retry(ctx, "read the events", func() error {
		err := c.cfg.Bus.FollowEvents(ctx, c.Sequence()+1,
			func(e schemas.Event) error { return c.event(ctx, e) },
			func() error {
				if !told && c.cfg.Live != nil {
					c.cfg.Live()
				}
				told = true
				return nil
			})
		if err == nil {
			err = fmt.Errorf("the bus ended it")
		}
		return err
	})
}

// event lets the engine decide, and moves on when the decisions are stored.
func (c *Correlator) event(ctx context.Context, e schemas.Event) error {
	c.mu.Lock()
	if e.Type == schemas.PlaybooksChanged && len(c.pending) > 0 {
		c.swap(e)
	}
	c.busy = true
	decisions := c.engine.Apply(e)
	c.mu.Unlock()
	for _, d := range decisions {
		if err := c.record(ctx, e, d); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.seq, c.busy = max(c.seq, e.Seq), false
	c.mu.Unlock()
	return nil
}

// retry does something until it is done or ctx ends.
func (c *Correlator) retry(ctx context.Context, what string, do func() error) error {
	wait := 100 * time.Millisecond
	for {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.cfg.Log.Warn("correlator: it did not work, trying again", "what", what, "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}
