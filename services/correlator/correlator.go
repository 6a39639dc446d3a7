package correlator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Events is the log of what happened.
type Events interface {
	Publish(ctx context.Context, e schemas.Event) (uint64, error)
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	Event(ctx context.Context, seq uint64) (schemas.Event, error)
	LastEvent(ctx context.Context) (schemas.Event, error)
}

// Ledger is the log of what was decided.
type Ledger interface {
	Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error)
	Last(ctx context.Context, incident, task, place string) (schemas.Record, error)
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
}

// Bus is what the correlator needs of the bus.
type Bus interface {
	Events
	Ledger
	GetState(ctx context.Context, key string) ([]byte, uint64, error)
	PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	DeleteState(ctx context.Context, key string) error
}

// Blobs keeps content under its digest.
type Blobs interface {
	PutBlob(ctx context.Context, r io.Reader) (digest string, size int64, err error)
	Blob(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Config of a correlator.
type Config struct {
	Bus     Bus
	Blobs   Blobs                // where the sources of a set are kept, so that a replay sees them; may be nil
	Set     *playbook.Set        // in force at the start, unless the checkpoint says otherwise
	Sets    <-chan *playbook.Set // sets that replace it; may be nil
	Cluster string               // names the source of its events
	Writer  string               // name under which the core's events are stored; only its marks on groups count. "" for all
	Log     *slog.Logger

	// Sources gives all that Compile needs to make a set again: texts by name,
	// and [schemas.CapsEntry]. The set's own Sources when nil.
	Sources func(*playbook.Set) map[string][]byte
	// Compile makes a set of the past from what Sources gave. Nil: only sets
	// that came by Set and Sets can come into force.
	Compile func(sources map[string][]byte) (*playbook.Set, error)

	// Live is called once, when the events that were stored at the start are
	// done with; may be nil.
	Live func()
	// Fatal says of an error of the bus that waiting does not help; may be nil.
	Fatal func(error) bool
	// Anew takes the log for another one than that of the checkpoint, and reads
	// it from its start.
	Anew bool

	Now  func() time.Time              // time.Now when nil
	Boot func() (time.Duration, error) // a clock that nobody sets; since boot when nil
	Save time.Duration                 // the least time between two checkpoints; a second when zero
	Tick time.Duration                 // the time between two ticks; a second when zero
}

// Correlator matches events with playbooks. Use [New].
type Correlator struct {
	cfg     Config
	keep    *keeper
	debts   debts
	ledger  atomic.Uint64  // the last record of ours
	known   map[string]int // what the ledger holds beyond the checkpoint; of pay, which drops it when the log is read up
	from    uint64         // where the log is read from; of recover and follow
	recent  recent
	fault   fault                    // where the engine failed before; of recover, then under mu
	observe func(engine.Observation) // of tests
	told    chan struct{}            // closed when the log was read up for the first time

	mu      sync.Mutex // held while an event is decided on
	engine  *engine.Engine
	at      place                       // the last event that was decided on
	last    struct{ source, id string } // its names
	anchors []place                     // where the log was read to before
	torn    bool                        // the engine is ahead of it: its state must not be kept
	force   inForce                     // which set is in force
	names   string                      // digest of the set that was announced last
	unmet   map[string]inSet            // announced, by the id of the announcement, not met in the log yet
	ticks   ticks
	outbox  outbox

	stored  *checkpoint // the last one; of recover and then of save alone
	figures atomic.Pointer[Figures]
	stats   atomic.Pointer[map[string]engine.Stats]
}

// New gives a correlator.
func New(cfg Config) *Correlator {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Boot == nil {
		cfg.Boot = sinceBoot
	}
	if cfg.Save <= 0 {
		cfg.Save = time.Second
	}
	if cfg.Tick <= 0 {
		cfg.Tick = time.Second
	}
	if cfg.Sources == nil {
		cfg.Sources = func(s *playbook.Set) map[string][]byte { return s.Sources }
	}
	c := &Correlator{cfg: cfg, keep: newKeeper(cfg.Bus), told: make(chan struct{}), unmet: map[string]inSet{}}
	c.begin(cfg.Set)
	c.outbox.wake = make(chan struct{}, 1)
	c.debts.jobs, c.debts.ended = make(chan job, maxJobs), make(chan struct{})
	return c
}

// begin makes an engine that has seen nothing, with a set in force.
func (c *Correlator) begin(set *playbook.Set) {
	c.engine = engine.New(set)
	c.engine.Marker = c.cfg.Writer
	c.engine.Observe = c.observe
	c.force = inForce{}
	if set != nil {
		c.force.Digest = set.Digest
	}
}

// Stats gives the engine's counts by playbook. While an event's decisions wait
// for the bus they are those before it.
func (c *Correlator) Stats() map[string]engine.Stats {
	if c.mu.TryLock() {
		stats := c.engine.Stats()
		c.mu.Unlock()
		c.stats.Store(&stats)
		return stats
	}
	if stats := c.stats.Load(); stats != nil {
		return *stats
	}
	return nil
}

// Sequence is that of the last event whose decisions are stored.
func (c *Correlator) Sequence() uint64 { return c.debts.sequence() }

// Run recovers and correlates until ctx ends. It returns nil then.
func (c *Correlator) Run(ctx context.Context) error {
	err := c.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (c *Correlator) run(ctx context.Context) error {
	if err := c.recover(ctx); err != nil {
		return err
	}
	g, inner := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context) error{c.follow, c.pay, c.sets, c.save, c.tick, c.post, c.report} {
		g.Go(func() error { return part(inner) })
	}
	return g.Wait()
}

// retry does something until it is done, ctx ends, or it is hopeless.
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
		if c.hopeless(err) {
			return err
		}
		c.cfg.Log.Warn("correlator: it did not work, trying again", "what", what, "error", err, "in", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// hopeless says that trying again does not help.
func (c *Correlator) hopeless(err error) bool {
	return errors.Is(err, errLog) || errors.Is(err, errNewer) || errors.Is(err, errTakenOver) || errors.Is(err, errEngine) || c.cfg.Fatal != nil && c.cfg.Fatal(err)
}

// sleep is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
