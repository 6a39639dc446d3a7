package correlator

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

const pulse = 5 * time.Second

// metronome is a clock that goes on at each look, and the bus's clock with it.
type metronome struct {
	base  time.Time
	looks atomic.Int64
}

func (m *metronome) boot() (time.Duration, error) {
	return time.Duration(m.looks.Add(1)) * pulse, nil
}

func (m *metronome) now() time.Time { return m.base.Add(time.Duration(m.looks.Load()) * pulse) }

func (r *rig) ticks() (out []schemas.TickEvent) {
	for _, e := range r.bus.Events() {
		var say schemas.TickEvent
		if e.Type == schemas.Tick && json.Unmarshal(e.Data, &say) == nil {
			out = append(out, say)
		}
	}
	return out
}

func (r *rig) of(typ string) (out []schemas.Event) {
	for _, e := range r.bus.Events() {
		if e.Type == typ {
			out = append(out, e)
		}
	}
	return out
}

// waits is a set that waits for something that does not come.
func waits(t fataler) *playbook.Set {
	return &playbook.Set{Digest: "w", Playbooks: []*playbook.Playbook{
		book(t, "absent", playbook.Match{Op: playbook.OpAbsent, Within: time.Minute}, "curl", "sh"),
	}}
}

// Time goes on in the log while something waits for it, by a clock that nobody
// sets, over a restart too; and only then.
func TestTicks(t *testing.T) {
	r := newRig(t)
	m := &metronome{base: time.Now().UTC().Truncate(time.Second)}
	r.bus.Now = m.now
	cfg := Config{Set: waits(t), Boot: m.boot, Tick: time.Millisecond}
	c, stop := r.start(cfg)
	rest := func() {
		t.Helper()
		before, looks := len(r.ticks()), m.looks.Load()
		until(t, "some looks at the clock", func() bool { return m.looks.Load() > looks+20 })
		if n := len(r.ticks()); n > before+1 { // one may have been on its way
			t.Errorf("%d ticks while nothing waits", n-before)
		}
	}
	rest()
	if n := len(r.ticks()); n != 0 {
		t.Errorf("%d ticks before anything waited", n)
	}
	r.publish(near(m.now(), 1, 0, "c1", "curl"))
	began := r.of(schemas.ProcessStarted)[0].Stored
	until(t, "three ticks", func() bool { return len(r.ticks()) >= 3 })
	stop()
	n := len(r.ticks())
	_, stop = r.start(cfg)
	until(t, "a word of what did not come", func() bool { return len(r.of(schemas.MatchUnknown)) > 0 })
	rest()
	stop()
	all := r.ticks()
	for i, tick := range all {
		if tick.N != uint64(i) {
			t.Errorf("tick %d has number %d", i, tick.N)
		}
		if i == 0 && tick.At.Before(began) {
			t.Errorf("the first tick is of %s, the log's time was %s", tick.At, began)
		}
		if i > 0 && i != n && tick.At.Sub(all[i-1].At) < pulse {
			t.Errorf("tick %d comes %s after the one before it, want %s or more", i, tick.At.Sub(all[i-1].At), pulse)
		}
		if i == n && tick.At.Before(all[i-1].At) {
			t.Errorf("after the restart time runs back from %s to %s", all[i-1].At, tick.At)
		}
	}
	if c.Sequence() == 0 {
		t.Error("nothing was read")
	}
	var say schemas.UnknownEvent
	if err := json.Unmarshal(r.of(schemas.MatchUnknown)[0].Data, &say); err != nil {
		t.Fatal(err)
	}
	if say.Playbook != "absent" || say.Group != "c1" {
		t.Errorf("unknown: %+v", say)
	}
}

// What the engine finds out is told once, also when it finds it out again
// after a restart; and what the bus could not take then is told later.
func TestOwnEventsAreToldOnce(t *testing.T) {
	r := newRig(t)
	m := &metronome{base: time.Now().UTC().Truncate(time.Second)}
	r.bus.Now = m.now
	cfg := Config{Set: waits(t), Boot: m.boot, Tick: time.Millisecond}
	_, stop := r.start(cfg)
	r.publish(near(m.now(), 1, 0, "c1", "curl"))
	until(t, "a word of what did not come", func() bool { return len(r.of(schemas.MatchUnknown)) > 0 })
	stop()
	r.remove(headKey)
	r.run(Config{Set: cfg.Set})
	live := make(chan struct{})
	cfg.Live = func() { close(live) }
	c, stop := r.start(cfg)
	<-live
	until(t, "an empty outbox", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.outbox.Owed) == 0 })
	stop()
	if n := len(r.of(schemas.MatchUnknown)); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// The checkpoint holds what the bus has not taken yet.
func TestTheOutboxOutlivesTheProcess(t *testing.T) {
	r := newRig(t)
	deaf := &deafTo{Client: r.core, typ: schemas.LogGap}
	cfg := Config{Set: several(t, "d1"), Bus: gappedBus{deaf}}
	c, stop := r.start(cfg)
	r.publish(near(r.base, 1, 0, "c1", "ls"))
	until(t, "a checkpoint", func() bool { return c.Checkpoint().Seq >= 2 })
	stop()
	if n := len(r.gaps()); n != 0 {
		t.Fatalf("%d gaps told to a bus that takes none", n)
	}
	cfg.Bus = r.core
	_, stop = r.start(cfg)
	defer stop()
	until(t, "the gap", func() bool { return len(r.gaps()) == 1 })
	if d := cmp.Diff([]schemas.GapEvent{{Reader: "correlator", From: 1, To: 1}}, r.gaps()); d != "" {
		t.Error(d)
	}
}

// What is no event is told with its reason, those of one reason together.
func TestRefusedMessagesAreTold(t *testing.T) {
	r := newRig(t)
	say := func(n int) schemas.Event {
		e, err := schemas.NewEvent(schemas.EventsRefused, "/local/bus", "refused", "", r.base, schemas.RefusedEvent{
			Source: "node-n1", Seq: uint64(n), Reason: "CloudEvent of version 0: invalid", Size: n, Count: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		e.Seq, e.Stored = uint64(n), r.base
		return e
	}
	c := New(Config{Bus: r.core, Cluster: "local", Writer: "core", Set: several(t, "d1")})
	for n := range 5 {
		if err := c.event(t.Context(), say(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	c.tell(now)
	if err := c.event(t.Context(), say(6)); err != nil {
		t.Fatal(err)
	}
	c.tell(now.Add(time.Second))
	is := c.outbox.copy()
	if len(is.Owed) != 1 || len(is.Refused) != 1 || is.Refused[0].Count != 1 {
		t.Fatalf("outbox: %+v", is)
	}
	again := New(Config{Bus: r.core, Cluster: "local", Writer: "core"})
	again.outbox.restore(is)
	again.tell(now.Add(2 * time.Minute))
	var counts []uint64
	for _, e := range again.outbox.Owed {
		var told schemas.RefusedEvent
		if err := json.Unmarshal(e.Data, &told); err != nil {
			t.Fatal(err)
		}
		counts = append(counts, told.Count)
	}
	if d := cmp.Diff([]uint64{5, 1}, counts); d != "" {
		t.Error(d)
	}
}
