package correlator

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
)

// once runs a correlator over what the log holds until it has done with it or
// is killed, and says which.
func once(t fataler, m *mortal, cfg Config) (done bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	live := make(chan struct{})
	m.kill = cancel
	cfg.Bus, cfg.Cluster, cfg.Writer, cfg.Save = m, "local", "core", time.Millisecond
	cfg.Live = func() { close(live) }
	ended := make(chan error, 1)
	go func() { ended <- New(cfg).Run(ctx) }()
	select {
	case <-live:
		cancel()
		err := <-ended
		if done = !m.dead.Load(); err != nil && done {
			t.Fatal("run:", err)
		}
	case err := <-ended:
		if !m.dead.Load() {
			t.Fatal("run ended:", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it neither ends nor gets anywhere")
	}
	return done
}

// A process that is killed at any of its writes, before it or after it, and
// again after its restart, leaves the ledger that one leaves that was never
// killed: nothing missing, nothing twice.
func TestKilledAnywhereTheLedgerIsTheSame(t *testing.T) {
	set := several(t, "d1")
	base := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	rapid.Check(t, func(t *rapid.T) {
		var log []schemas.Event
		at := time.Duration(0)
		for n := range rapid.IntRange(1, 40).Draw(t, "events") {
			at += time.Duration(rapid.IntRange(0, 3000).Draw(t, "passes")) * time.Millisecond
			log = append(log, near(base, n, at, rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "container"),
				rapid.SampledFrom([]string{"sh", "curl", "xmrig", "ls"}).Draw(t, "program")))
		}
		fill := func() *bustest.Bus {
			b := bustest.New()
			node := b.Client("node-n1", "node-n1")
			for _, e := range log {
				if _, err := node.Publish(context.Background(), e); err != nil {
					t.Fatal(err)
				}
			}
			return b
		}
		cfg := Config{Set: set, Blobs: &blobs{}, Compile: compiler(set)}
		whole := fill()
		if !once(t, &mortal{Client: whole.Client("core", "")}, cfg) {
			t.Fatal("not done")
		}
		killed := fill()
		for done := false; !done; {
			m := &mortal{
				Client: killed.Client("core", ""), at: int64(rapid.IntRange(0, 30).Draw(t, "killed at")), after: rapid.Bool().Draw(t, "after the write"),
				pace: time.Duration(rapid.IntRange(0, 1).Draw(t, "pace")) * time.Millisecond,
			}
			done = once(t, m, cfg)
		}
		if d := cmp.Diff(told(whole), told(killed)); d != "" {
			t.Fatal(d)
		}
	})
}

// Two correlators: the newer one goes on, the older one ends and says why, and
// the ledger is that of one.
func TestTheNewerOfTwoGoesOn(t *testing.T) {
	r := newRig(t)
	base := time.Now().UTC()
	cfg := Config{Set: several(t, "d1")}
	older := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := cfg
	a.Bus, a.Cluster, a.Writer, a.Save = r.core, "local", "core", 5*time.Millisecond
	c := New(a)
	go func() { older <- c.Run(ctx) }()
	r.publish(near(base, 1, 0, "c1", "xmrig"))
	until(t, "the first incident", func() bool { return len(r.bus.Records()) == 1 })
	until(t, "a checkpoint", func() bool { return c.Checkpoint().Seq > 0 })
	b, stop := r.start(cfg)
	r.publish(near(base, 2, time.Second, "c1", "xmrig"))
	select {
	case err := <-older:
		if !errors.Is(err, errTakenOver) {
			t.Errorf("the older one ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the older one goes on")
	}
	for n := 3; n < 6; n++ {
		r.publish(near(base, n, time.Duration(n)*time.Second, "c1", "xmrig"))
	}
	until(t, "the rest", func() bool { return len(r.bus.Records()) == 5 })
	until(t, "its checkpoint", func() bool { return b.Checkpoint().Seq > 0 })
	stop()
	if d := cmp.Diff([]string{"opened", "recurred", "recurred", "recurred", "recurred"}, r.kinds()); d != "" {
		t.Error(d)
	}
}
