package correlator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// saved is a rig in which a correlator has read three events of each of two
// containers, opened two incidents, and stored checkpoints on the way.
func saved(t *testing.T) (*rig, Config, *lines) {
	r, log := newRig(t), &lines{}
	set := several(t, "d1")
	cfg := Config{Set: set, Blobs: &blobs{}, Compile: compiler(set), Log: log.logger()}
	c, stop := r.start(cfg)
	for n := 1; n <= 6; n++ {
		r.publish(near(r.base, n, time.Duration(n)*time.Second, fmt.Sprintf("c%d", n%2), "sh"))
		until(t, "a checkpoint", func() bool { return c.Checkpoint().Seq > uint64(n) }) // the first event is the announcement
	}
	stop()
	if n := len(r.bus.Records()); n != 2 {
		t.Fatalf("%d records, want two opened", n)
	}
	return r, cfg, log
}

// runs a correlator up to the end of the log, and gives where it has read from.
func (r *rig) run(cfg Config) uint64 {
	r.t.Helper()
	m := &mortal{Client: r.core}
	if !once(r.t, m, cfg) {
		r.t.Fatal("not done")
	}
	return m.from.Load()
}

func TestGoesOnFromItsCheckpoint(t *testing.T) {
	r, cfg, _ := saved(t)
	before := told(r.bus)
	last := r.bus.Events()[len(r.bus.Events())-1].Seq
	if from := r.run(cfg); from != last+1 {
		t.Errorf("read from %d, want %d", from, last+1)
	}
	if d := cmp.Diff(before, told(r.bus)); d != "" {
		t.Error(d)
	}
	// The windows live on: two of c1's three starts lie before the restart.
	r.publish(near(r.base, 7, 7*time.Second, "c3", "curl"))
	r.run(cfg)
	r.publish(near(r.base, 8, 8*time.Second, "c3", "sh"))
	r.run(cfg)
	r.publish(near(r.base, 9, 9*time.Second, "c3", "xmrig"))
	r.run(cfg)
	var names []string
	for _, rec := range r.bus.Records()[2:] {
		var o schemas.Opened
		if err := rec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Playbook.Name)
		for signal, s := range o.Signals {
			if len(s.Data) < 10 || s.ID == "" {
				t.Errorf("%s: signal %s has %q of event %q: it was not recalled", o.Playbook.Name, signal, s.Data, s.ID)
			}
		}
	}
	if d := cmp.Diff([]string{"all", "any", "sequence"}, names); d != "" {
		t.Error(d)
	}
}

// Events that the log let go of while nothing read it are a gap, told once.
func TestAGapBehindTheCheckpoint(t *testing.T) {
	r, cfg, _ := saved(t)
	n := len(r.bus.Events())
	for i := 7; i < 12; i++ {
		r.publish(near(r.base, i, time.Duration(i)*time.Second, "c1", "ls"))
	}
	r.bus.LetGo(n + 3)
	r.run(cfg)
	r.publish(near(r.base, 12, 12*time.Second, "c1", "ls"))
	_, stop := r.start(cfg)
	defer stop()
	until(t, "the gap", func() bool { return len(r.gaps()) > 0 })
	if d := cmp.Diff([]schemas.GapEvent{{Reader: "correlator", From: uint64(n + 1), To: uint64(n + 3)}}, r.gaps()); d != "" {
		t.Error(d)
	}
}

func (r *rig) gaps() []schemas.GapEvent {
	var out []schemas.GapEvent
	for _, e := range r.bus.Events() {
		var g schemas.GapEvent
		if e.Type == schemas.LogGap && json.Unmarshal(e.Data, &g) == nil {
			out = append(out, g)
		}
	}
	return out
}

// A log that comes from a backup, or was deleted, is not read on: the error
// says what to do, and doing it helps. What was decided stays.
func TestAnotherLog(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"deleted and empty":    func(r *rig) { r.bus.Cut(len(r.bus.Events())) },
		"deleted, and written": func(r *rig) { r.bus.Cut(len(r.bus.Events())); r.other(3) },
		"a longer one":         func(r *rig) { r.bus.Cut(len(r.bus.Events())); r.other(40) },
	} {
		t.Run(name, func(t *testing.T) {
			r, cfg, log := saved(t)
			before := told(r.bus)
			change(r)
			cfg.Bus, cfg.Cluster, cfg.Writer = r.core, "local", "core"
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := New(cfg).Run(ctx)
			if !errors.Is(err, errLog) || !strings.Contains(err.Error(), "--new-log") {
				t.Fatalf("run: %v", err)
			}
			cfg.Anew = true
			if from := r.run(cfg); from != 1 || !log.has("as asked") {
				t.Errorf("read from %d", from)
			}
			cfg.Anew = false
			r.publish(near(r.base, 90, 90*time.Second, "c9", "xmrig"))
			r.run(cfg)
			after := told(r.bus)
			if len(after) != len(before)+1 {
				t.Errorf("%d incidents, want one more than %d", len(after), len(before))
			}
			for id := range before {
				if d := cmp.Diff(before[id], after[id]); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// other publishes events that match nothing.
func (r *rig) other(n int) {
	for i := range n {
		r.publish(near(r.base, 1000+i, time.Duration(i)*time.Second, "c5", "ls"))
	}
}

// A log that has lost its end in a power cut is read on, from a place that both
// know; what came since counts, and what is gone is told.
func TestALogThatLostItsEnd(t *testing.T) {
	for name, more := range map[string]int{"and nothing came since": 0, "and something came since": 2, "and more came than was lost": 20} {
		t.Run(name, func(t *testing.T) {
			r, cfg, _ := saved(t)
			n := len(r.bus.Events())
			r.bus.Cut(3)
			r.other(more)
			r.publish(near(r.base, 80, 8*time.Second, "c1", "xmrig"))
			r.run(cfg)
			if d := cmp.Diff([]string{"opened", "opened", "opened"}, r.kinds()); d != "" {
				t.Error(d)
			}
			_, stop := r.start(cfg)
			defer stop()
			until(t, "the gap", func() bool { return len(r.gaps()) > 0 })
			if g := r.gaps()[0]; g.To < uint64(n) || g.From > uint64(n-2) {
				t.Errorf("gap %+v does not hold %d to %d", g, n-2, n)
			}
		})
	}
}

// What was not stored yet when the process was told to stop is decided again.
func TestStoppedWhileADecisionWaits(t *testing.T) {
	r := newRig(t)
	f := &flaky{Client: r.core}
	cfg := Config{Set: several(t, "d1"), Bus: f}
	c, stop := r.start(cfg)
	r.publish(near(r.base, 1, time.Second, "c1", "ls"))
	until(t, "a checkpoint", func() bool { return c.Checkpoint().Seq > 0 })
	f.away.Store(true) // for the ledger alone: the checkpoint could be stored
	r.publish(near(r.base, 2, 2*time.Second, "c1", "xmrig"))
	last := uint64(len(r.bus.Events()))
	until(t, "all before it", func() bool { return c.Sequence() >= last-1 })
	stop()
	f.away.Store(false)
	_, stop = r.start(cfg)
	defer stop()
	until(t, "the incident", func() bool { return len(r.bus.Records()) == 1 })
}

// full is a STATE that takes no chunk any more.
type full struct{ *mortal }

var errFull = errors.New("the store is full")

func (f full) PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if key != headKey {
		return 0, errFull
	}
	return f.mortal.PutState(ctx, key, value, revision)
}

func TestAFullStateStopsNothing(t *testing.T) {
	r, log := newRig(t), &lines{}
	_, stop := r.start(Config{Bus: full{&mortal{Client: r.core}}, Set: several(t, "d1"), Log: log.logger()})
	for n := 1; n < 4; n++ {
		r.publish(near(r.base, n, time.Duration(n)*time.Second, "c1", "xmrig"))
	}
	until(t, "the incidents", func() bool { return len(r.bus.Records()) == 3 })
	until(t, "a word in the log", func() bool { return log.has("the store is full") && log.has("correlating goes on") })
	stop()
	// What it has not stored it reads again.
	r.run(Config{Set: several(t, "d1")})
	if d := cmp.Diff([]string{"opened", "recurred", "recurred"}, r.kinds()); d != "" {
		t.Error(d)
	}
}

// announced runs a correlator until its checkpoint knows its set.
func (r *rig) announced(cfg Config) {
	r.t.Helper()
	c, stop := r.start(cfg)
	until(r.t, "the announcement", func() bool { return c.Checkpoint().Seq > 0 })
	stop()
}

// The set of the checkpoint is in force until the log says otherwise.
func TestTheSetChangedWhileItWasDown(t *testing.T) {
	one, two := several(t, "d1"), several(t, "d2")
	two.Playbooks = two.Playbooks[1:] // without "any"
	for name, tc := range map[string]struct {
		blobs *blobs
		want  int    // incidents of what came before the announcement
		says  string // in the log
	}{
		"its sources are kept": {&blobs{}, 1, "goes on from its checkpoint"},
		"they are gone":        {&blobs{away: true}, 0, "cannot be had"},
	} {
		t.Run(name, func(t *testing.T) {
			r, log := newRig(t), &lines{}
			cfg := Config{Set: one, Blobs: tc.blobs, Compile: compiler(one, two), Log: log.logger()}
			r.announced(cfg)
			r.publish(near(r.base, 1, time.Second, "c1", "xmrig")) // while it is down, before the new set is announced
			cfg.Set = two
			_, stop := r.start(cfg)
			announced := func() (seq uint64) {
				for _, e := range r.bus.Events() {
					var say schemas.PlaybooksEvent
					if e.Type == schemas.PlaybooksChanged && json.Unmarshal(e.Data, &say) == nil && say.Digest == "d2" {
						seq = e.Seq
					}
				}
				return seq
			}
			until(t, "the announcement", func() bool { return announced() > 0 })
			r.publish(near(r.base, 2, 2*time.Second, "c2", "xmrig")) // nothing waits for it any more
			r.publish(near(r.base, 3, 3*time.Second, "c2", "curl"))  // now "all" has both
			until(t, "the incidents", func() bool { return len(r.bus.Records()) == tc.want+1 })
			stop()
			var got []string
			for _, rec := range r.bus.Records() {
				var o schemas.Opened
				if err := rec.Decode(&o); err != nil {
					t.Fatal(err)
				}
				got = append(got, o.Playbook.Name+" "+o.Playbook.Digest+" "+o.Group)
			}
			if d := cmp.Diff([]string{"any d1 c1", "all d2 c2"}[1-tc.want:], got); d != "" {
				t.Error(d)
			}
			if !log.has(tc.says) {
				t.Errorf("the log does not say %q", tc.says)
			}
		})
	}
}

// A set that was in force for a while, and of which only the log knows, is in
// force there; what is configured is announced anew behind it.
func TestASetOfThePast(t *testing.T) {
	r := newRig(t)
	one, two := several(t, "d1"), several(t, "d2")
	one.Playbooks = one.Playbooks[1:] // without "any"
	cfg := Config{Set: one, Blobs: &blobs{}, Compile: compiler(one, two)}
	r.announced(cfg)
	value, _, err := r.core.GetState(t.Context(), headKey)
	if err != nil {
		t.Fatal(err)
	}
	chunk, _, err := r.core.GetState(t.Context(), chunkKey(r.current(), 0))
	if err != nil {
		t.Fatal(err)
	}
	slot := r.current()
	sets := make(chan *playbook.Set, 1)
	changed := cfg
	changed.Sets = sets
	c, stop := r.start(changed)
	sets <- two
	until(t, "the second set", func() bool { return c.Sequence() >= 2 })
	stop()
	r.publish(near(r.base, 1, time.Second, "c1", "xmrig"))
	// The checkpoint is that from before; the former run was killed, so to say.
	_, rev, err := r.core.GetState(t.Context(), headKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.core.PutState(t.Context(), headKey, value, rev); err != nil {
		t.Fatal(err)
	}
	r.change(chunkKey(slot, 0), func([]byte) []byte { return chunk })
	_, stop = r.start(cfg)
	until(t, "the incident of the second set", func() bool { return len(r.bus.Records()) == 1 })
	until(t, "the first set again", func() bool {
		last := r.bus.Events()[len(r.bus.Events())-1]
		return last.Type == schemas.PlaybooksChanged && strings.Contains(string(last.Data), `"d1"`)
	})
	stop()
}
