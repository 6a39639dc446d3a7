package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// A restart of the embedded server keeps all, keys and address included.
func TestRestartKeepsAll(t *testing.T) {
	cfg := config(t)
	cfg.Sync = "always"
	s, ctx := start(t, cfg), soon(t)
	core, eyes := client(t, s, bus.Core), client(t, s, bus.Collector("a"))
	if _, err := core.Append(ctx, record(t, "i", "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{}); err != nil {
		t.Fatal(err)
	}
	if _, err := eyes.Publish(ctx, event(t, "1")); err != nil {
		t.Fatal(err)
	}
	if err := eyes.PutItem(ctx, schemas.Item{Kind: "container", ID: "c", AsOf: at}); err != nil {
		t.Fatal(err)
	}
	rev, err := core.PutState(ctx, "lease", []byte("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := core.PutBlob(ctx, strings.NewReader("evidence"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Start(ctx, cfg); err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("a second server on the same files: %v", err)
	}
	roster, address := s.Roster(), s.Address()
	core.Close()
	eyes.Close()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}

	s = start(t, cfg)
	if d := cmp.Diff(roster, s.Roster()); d != "" {
		t.Error(d)
	}
	if s.Address() != address {
		t.Errorf("address %s, was %s", s.Address(), address)
	}
	core = client(t, s, bus.Core)
	if r, err := core.Last(ctx, "i", "-", schemas.PlaceCore); err != nil || r.Kind != schemas.KindOpened {
		t.Errorf("record: %+v, %v", r, err)
	}
	if v, is, err := core.GetState(ctx, "lease"); err != nil || string(v) != "x" || is != rev {
		t.Errorf("state: %q, %d, %v", v, is, err)
	}
	if items, err := core.Items(ctx, "container"); err != nil || len(items) != 1 || items[0].Owner != "node-a" {
		t.Errorf("items: %+v, %v", items, err)
	}
	if got := readBlob(t, core, digest); got != "evidence" {
		t.Errorf("blob: %q", got)
	}
	events, _ := follow(t, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return core.FollowEvents(ctx, 1, h, l)
	})
	if e := next(t, events); e.ID != "1" || e.Writer != "node-a" {
		t.Errorf("event: %+v", e)
	}
}

// outside is an external server that can be stopped and started again.
type outside struct {
	t         *testing.T
	dir, conf string
	keys      string
	roster    bus.Roster
	port      int
	ns        *server.Server
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{t: t, dir: t.TempDir(), keys: t.TempDir(), port: -1}
	var err error
	if o.roster, err = bus.EnsureKeys(o.keys, "a", "b.example"); err != nil {
		t.Fatal(err)
	}
	if o.conf, err = bus.Users("local", o.roster); err != nil {
		t.Fatal(err)
	}
	o.start()
	if err := bus.Migrate(soon(t), bus.MigrateConfig{Dial: o.dial(bus.Admin)}); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *outside) start() {
	o.t.Helper()
	o.ns = externalIn(o.t, o.dir, o.conf, o.port)
	var port int
	if _, err := fmt.Sscanf(o.ns.Addr().String(), "127.0.0.1:%d", &port); err != nil {
		o.t.Fatal(err)
	}
	o.port = port
}

func (o *outside) stop() { o.ns.Shutdown(); o.ns.WaitForShutdown() }

func (o *outside) dial(u bus.User) bus.DialConfig {
	return bus.DialConfig{URL: fmt.Sprintf("nats://127.0.0.1:%d", o.port), Keyfile: keyfile(o.keys, u), User: u, Roster: o.roster, Log: logger(o.t), Wait: true}
}

func (o *outside) client(u bus.User) *bus.Client {
	o.t.Helper()
	c, err := bus.Dial(soon(o.t), o.dial(u))
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(c.Close)
	return c
}

// While the server is away calls wait, and nothing is lost or stored twice.
func TestServerAway(t *testing.T) {
	o := newOutside(t)
	eyes, core, hand := o.client(bus.Collector("a")), o.client(bus.Core), o.client(bus.Responder("a"))
	events, eventsLive := follow(t, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return core.FollowEvents(ctx, 1, h, l)
	})
	asked, askedLive := follow(t, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
		return hand.FollowLedger(ctx, 0, h, l)
	})
	state, _ := follow(t, func(ctx context.Context, h func([]byte) error, _ func() error) error {
		return hand.FollowState(ctx, "hold", h)
	})
	people := o.client(bus.People)
	next(t, eventsLive)
	next(t, askedLive)
	next(t, state)

	const n = 1000
	done := make(chan error, 2)
	ctx := soon(t)
	go func() {
		var all error
		for i := range n {
			seq, err := eyes.Publish(ctx, event(t, fmt.Sprint(i)))
			if err == nil && seq != uint64(i+1) {
				err = fmt.Errorf("event %d got sequence %d", i, seq)
			}
			all = errors.Join(all, err)
		}
		done <- all
	}()
	go func() {
		var all error
		for i := range 100 {
			_, err := core.Append(ctx, record(t, fmt.Sprint(i), "t", schemas.NodePlace("a"), schemas.KindRequested, 0), schemas.Head{})
			all = errors.Join(all, err)
		}
		_, err := people.PutState(ctx, "hold", []byte(`{"on":true}`), 0)
		done <- errors.Join(all, err)
	}()
	for range 50 {
		next(t, events)
	}
	o.stop()
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := core.Publish(short, event(t, "away")); !errors.Is(err, bus.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish without a server: %v; want ErrUnavailable", err)
	}
	time.Sleep(2 * time.Second)
	o.start()
	for range 2 {
		if err := next(t, done); err != nil {
			t.Fatal(err)
		}
	}
	for i := 50; i < n; i++ {
		if e := next(t, events); e.Seq != uint64(i+1) {
			t.Fatalf("event with sequence %d, want %d", e.Seq, i+1)
		}
	}
	for i := range 100 {
		if r := next(t, asked); r.Incident != fmt.Sprint(i) {
			t.Fatalf("record of incident %s, want %d", r.Incident, i)
		}
	}
	if v := next(t, state); string(v) != `{"on":true}` {
		t.Errorf("hold: %q", v)
	}
	none(t, events)
	none(t, asked)
}

// A follower that is slower than the writers reads from the store what it
// could not keep in its queue.
func TestSlowFollower(t *testing.T) {
	s := start(t, config(t))
	core, hand, ctx := client(t, s, bus.Core), client(t, s, bus.Responder("a")), soon(t)
	const n = 3000
	var all, own []uint64
	gate, live, done := make(chan struct{}), make(chan struct{}, 2), make(chan error, 2)
	enough := errors.New("enough")
	go func() {
		done <- core.FollowEvents(ctx, 0, func(e schemas.Event) error {
			<-gate
			if all = append(all, e.Seq); len(all) == n {
				return enough
			}
			return nil
		}, func() error { live <- struct{}{}; return nil })
	}()
	go func() {
		done <- hand.FollowLedger(ctx, 0, func(r schemas.Record) error {
			<-gate
			if own = append(own, r.Seq); len(own) == n {
				return enough
			}
			return nil
		}, func() error { live <- struct{}{}; return nil })
	}()
	next(t, live)
	next(t, live)
	for i := range n {
		if _, err := core.Publish(ctx, event(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if _, err := core.Append(ctx, record(t, fmt.Sprint(i), "t", schemas.NodePlace("a"), schemas.KindRequested, 0), schemas.Head{}); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	for range 2 {
		if err := next(t, done); !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	for i := range n {
		if all[i] != uint64(i+1) || own[i] != uint64(i+1) {
			t.Fatalf("at %d: event %d, record %d", i, all[i], own[i])
		}
	}
}

// Several readings with one key do not disturb each other.
func TestManyReadersOfOneKey(t *testing.T) {
	o := newOutside(t)
	core, ctx := o.client(bus.Core), soon(t)
	const n = 700
	for i := range n {
		if _, err := core.Append(ctx, record(t, fmt.Sprint(i), "t", schemas.NodePlace("a"), schemas.KindRequested, 0), schemas.Head{}); err != nil {
			t.Fatal(err)
		}
	}
	one := o.client(bus.Responder("a"))
	for _, c := range []*bus.Client{one, one, o.client(bus.Responder("a")), o.client(bus.Responder("a"))} {
		got, _ := follow(t, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
			return c.FollowLedger(ctx, 10, h, l)
		})
		t.Cleanup(func() {
			for seq := uint64(10); seq <= n; seq++ {
				if r := next(t, got); r.Seq != seq {
					t.Errorf("sequence %d, want %d", r.Seq, seq)
					return
				}
			}
		})
	}
}
