package correlator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// An error in the engine ends the correlator with words that help, and what
// they say helps.
func TestAnEngineThatFails(t *testing.T) {
	r, log := newRig(t), &lines{}
	both := several(t, "both")
	less := &playbook.Set{Digest: "less", Sources: map[string][]byte{"set": []byte("less")}, Playbooks: both.Playbooks[:3]} // without all
	cfg := Config{Bus: r.core, Set: both, Blobs: &blobs{}, Compile: compiler(both, less), Log: log.logger(), Cluster: "local", Writer: "core", Save: time.Millisecond}
	run := func(ctx context.Context, cfg Config) error {
		c := New(cfg)
		c.observe = func(o engine.Observation) {
			if o.Playbook == "all" && o.What == engine.Fired {
				panic("a fault")
			}
		}
		c.begin(cfg.Set)
		return c.Run(ctx)
	}
	end := make(chan error, 1)
	go func() { end <- run(t.Context(), cfg) }()
	until(t, "the announcement", func() bool { return len(r.bus.Events()) > 0 })
	r.publish(near(r.base, 1, time.Second, "c1", "curl"))
	r.publish(near(r.base, 2, 2*time.Second, "c1", "xmrig"))
	bad := r.bus.Events()[2]
	for again := range 2 {
		err := <-end
		if !errors.Is(err, errEngine) {
			t.Fatalf("it ended with %v", err)
		}
		for _, word := range []string{fmt.Sprintf("event %d ", bad.Seq), bad.Type, "playbook all", "a fault", "take the playbook all away", "--new-log does not help", "maintainers"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in: %v", word, err)
			}
		}
		if again == 0 {
			go func() { end <- run(t.Context(), cfg) }()
		}
	}
	if !log.has("goroutine") {
		t.Error("the log does not say where in the code")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Set = less
	go func() { end <- run(ctx, cfg) }()
	until(t, "the set without it", func() bool {
		n := 0
		for _, e := range r.bus.Events() {
			if e.Type == schemas.PlaybooksChanged {
				n++
			}
		}
		return n == 2
	})
	until(t, "the incident of another playbook", func() bool { return len(r.bus.Records()) == 1 })
	cancel()
	if err := <-end; err != nil {
		t.Errorf("without the playbook: %v", err)
	}
	var o schemas.Opened
	if err := r.bus.Records()[0].Decode(&o); err != nil || o.Playbook.Name != "any" {
		t.Errorf("opened by %s, %v", o.Playbook.Name, err)
	}
}

// What fails outside of any playbook is told too.
func TestAnEngineThatFailsAtNoPlaybook(t *testing.T) {
	c := New(Config{Bus: newRig(t).core, Cluster: "local", Writer: "core", Set: several(t, "d1")})
	c.observe = func(engine.Observation) { panic("a fault") }
	c.begin(c.cfg.Set)
	e := event(1, "c1", "xmrig")
	e.Seq, e.Stored = 7, e.Time
	err := c.event(t.Context(), e)
	if !errors.Is(err, errEngine) || !strings.Contains(err.Error(), "event 7 ") || !strings.Contains(err.Error(), "version of Firebreak that ran before") {
		t.Error(err)
	}
	if !c.torn || !c.hopeless(err) {
		t.Error("it goes on with an engine that failed")
	}
}
