package conductor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/playbook"
)

// holdKey is where STATE keeps the global hold.
const holdKey = "hold"

// itemKinds are the kinds of the inventory that steps may ask for.
var itemKinds = []string{"container", "pod"}

// Bus is what the conductor needs of the bus.
type Bus interface {
	Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error)
	Last(ctx context.Context, incident, task, place string) (schemas.Record, error)
	Publish(ctx context.Context, e schemas.Event) (uint64, error)
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
	FollowState(ctx context.Context, key string, handle func(value []byte) error) error
	GetState(ctx context.Context, key string) ([]byte, uint64, error)
	PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	DeleteState(ctx context.Context, key string) error
}

// Items is where the inventory comes from.
type Items interface {
	FollowItems(ctx context.Context, kind string, handle func(it schemas.Item, deleted bool) error, live func() error) error
}

// Config of a conductor.
type Config struct {
	Bus       Bus
	Items     Items
	Specs     []schemas.Spec   // the actions there are
	Protected decide.Protected // what is never touched, beside our own
	Cluster   string           // names the source of its events
	Lease     uint64           // revision of its lease, kept in its requests
	Log       *slog.Logger

	Tick time.Duration    // how often time is counted; a second when zero
	Now  func() time.Time // time.Now when nil
}

// Conductor asks for steps. Use [New].
type Conductor struct {
	cfg     Config
	decider *decide.Decider

	mu     sync.Mutex
	files  map[string]*file
	open   map[string]*file
	budget *decide.Budget
	clock  time.Time // latest stamp of the ledger
	next   uint64    // sequence to go on from
	live   bool      // all that was stored at the start is folded
	hold   *schemas.Hold
	swept  time.Time

	inventory *decide.Inventory
	unread    map[string]bool // kinds of the inventory that are not read yet
}

// New gives a conductor.
func New(cfg Config) *Conductor {
	if cfg.Tick <= 0 {
		cfg.Tick = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Conductor{
		cfg: cfg, decider: decide.New(cfg.Specs, cfg.Protected),
		files: map[string]*file{}, open: map[string]*file{}, budget: decide.NewBudget(),
		inventory: decide.NewInventory(), unread: map[string]bool{},
	}
	for _, kind := range itemKinds {
		c.unread[kind] = true
	}
	return c
}

// Warm compiles what a set's guards need before its first incident.
func (c *Conductor) Warm(set *playbook.Set) { c.decider.Warm(set) }

// Run folds and acts until ctx ends. It returns nil then.
func (c *Conductor) Run(ctx context.Context) error {
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return c.again(inner, "ledger", c.followLedger) })
	g.Go(func() error { return c.again(inner, "hold", c.followHold) })
	for _, kind := range itemKinds {
		g.Go(func() error {
			return c.again(inner, "inventory", func(ctx context.Context) error { return c.followItems(ctx, kind) })
		})
	}
	g.Go(func() error { return c.ticks(inner) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// again follows anew when the bus broke off.
func (c *Conductor) again(ctx context.Context, what string, follow func(context.Context) error) error {
	wait := 100 * time.Millisecond
	for {
		began := c.cfg.Now()
		err := follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c.cfg.Now().Sub(began) > time.Minute {
			wait = 100 * time.Millisecond
		}
		c.cfg.Log.Warn("conductor: lost touch, following it again", "what", what, "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func (c *Conductor) followLedger(ctx context.Context) error {
	c.mu.Lock()
	from := c.next
	c.mu.Unlock()
	return c.cfg.Bus.FollowLedger(ctx, from,
		func(r schemas.Record) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.take(ctx, r)
			return nil
		},
		func() error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.live = true
			c.advanceAll(ctx)
			return nil
		})
}

func (c *Conductor) followHold(ctx context.Context) error {
	return c.cfg.Bus.FollowState(ctx, holdKey, func(value []byte) error {
		h := schemas.Hold{}
		if len(value) > 0 {
			if err := json.Unmarshal(value, &h); err != nil {
				// What cannot be read may mean stop.
				h = schemas.Hold{On: true, Why: fmt.Sprintf("the hold in STATE cannot be read: %v", err), Since: c.cfg.Now()}
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hold = &h
		c.advanceAll(ctx)
		return nil
	})
}

// followItems keeps the inventory of a kind. What went while the bus was away
// is told when it is followed anew, as far as the bus remembers.
func (c *Conductor) followItems(ctx context.Context, kind string) error {
	return c.cfg.Items.FollowItems(ctx, kind,
		func(it schemas.Item, deleted bool) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if deleted {
				c.inventory.Delete(it.Kind, it.ID, it.Owner)
			} else {
				c.inventory.Put(it)
			}
			return nil
		},
		func() error {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.unread, kind)
			return nil
		})
}

// take folds a record and acts on it.
func (c *Conductor) take(ctx context.Context, r schemas.Record) {
	c.next = max(c.next, r.Seq+1)
	if r.Stored.After(c.clock) {
		c.clock = r.Stored
	}
	if r.Incident == schemas.IncidentHold {
		return
	}
	f := c.files[r.Incident]
	if f == nil {
		f = newFile(r.Incident)
		c.files[r.Incident] = f
	}
	c.fold(f, r)
	if c.ready() {
		c.advance(ctx, f)
	}
}

// ready says that the conductor knows all it needs to act.
func (c *Conductor) ready() bool { return c.live && c.hold != nil }

func (c *Conductor) advanceAll(ctx context.Context) {
	if !c.ready() {
		return
	}
	for _, f := range c.inOrder() {
		c.advance(ctx, f)
	}
}

// inOrder gives the open incidents, the oldest first: a budget goes to those
// that came first.
func (c *Conductor) inOrder() []*file {
	out := make([]*file, 0, len(c.open))
	for _, f := range c.open {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *file) int {
		return cmp.Or(a.inc.OpenedAt().Compare(b.inc.OpenedAt()), cmp.Compare(a.inc.ID, b.inc.ID))
	})
	return out
}
