package correlator

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whatever part of the checkpoint is damaged: the same ledger, and a line in
// the log. The former checkpoint takes the place of one whose chunks are.
func TestDamagedCheckpoint(t *testing.T) {
	head := func(cut func([]byte) []byte) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) { r.change(headKey, cut) }
	}
	current := func(cut func([]byte) []byte) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) { r.change(chunkKey(r.current(), 0), cut) }
	}
	both := func(cut func([]byte) []byte) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			r.change(chunkKey(0, 0), cut)
			r.change(chunkKey(1, 0), cut)
		}
	}
	flip := func(at func(int) int) func([]byte) []byte {
		return func(b []byte) []byte { b[at(len(b))] ^= 0x55; return b }
	}
	first, middle, last := func(int) int { return 0 }, func(n int) int { return n / 2 }, func(n int) int { return n - 1 }
	for name, tc := range map[string]struct {
		damage func(*testing.T, *rig)
		says   string
		start  bool // read from its start
	}{
		"head: first byte":       {head(flip(first)), "from its start", true},
		"head: last byte":        {head(flip(last)), "from its start", true},
		"head: cut":              {head(func(b []byte) []byte { return b[:len(b)/3] }), "from its start", true},
		"head: not an object":    {head(func([]byte) []byte { return []byte(`[]`) }), "from its start", true},
		"head: slot":             {head(replace(`"current":`, `"current":7`)), "from its start", true},
		"head: size":             {head(replace(`"size":`, `"size":-`)), "from its start", true},
		"head: no chunks":        {head(replace(`"chunks":`, `"chunked":`)), "from its start", true},
		"chunk: first byte":      {current(flip(first)), "the former one takes its place", false},
		"chunk: in the middle":   {current(flip(middle)), "the former one takes its place", false},
		"chunk: last byte":       {current(flip(last)), "the former one takes its place", false},
		"chunk: cut":             {current(func(b []byte) []byte { return b[:len(b)-1] }), "the former one takes its place", false},
		"chunk: longer":          {current(func(b []byte) []byte { return append(b, 0) }), "the former one takes its place", false},
		"chunk: empty":           {current(func([]byte) []byte { return nil }), "the former one takes its place", false},
		"both slots":             {both(flip(middle)), "from its start", true},
		"chunk is gone":          {func(t *testing.T, r *rig) { r.remove(chunkKey(r.current(), 0)) }, "the former one takes its place", false},
		"all chunks are gone":    {func(t *testing.T, r *rig) { r.remove(chunkKey(0, 0)); r.remove(chunkKey(1, 0)) }, "from its start", true},
		"the engine's own state": {func(t *testing.T, r *rig) { r.rewrite([]byte("no state of an engine")) }, "the engine cannot go on", true},
		"no head at all":         {func(t *testing.T, r *rig) { r.remove(headKey) }, "no checkpoint", true},
	} {
		t.Run(name, func(t *testing.T) {
			r, cfg, log := saved(t)
			before := told(r.bus)
			tc.damage(t, r)
			from := r.run(cfg)
			if tc.start != (from == 1) {
				t.Errorf("read from %d", from)
			}
			if !log.has(tc.says) {
				t.Errorf("the log does not say %q", tc.says)
			}
			if d := cmp.Diff(before, told(r.bus)); d != "" {
				t.Error(d)
			}
			r.publish(near(r.base, 7, 7*time.Second, "c1", "xmrig"))
			if r.run(cfg); len(r.bus.Records()) != 3 {
				t.Errorf("%d records, want one more", len(r.bus.Records()))
			}
			if from := r.run(cfg); from < 7 {
				t.Errorf("the next checkpoint is not used: read from %d", from)
			}
		})
	}
}

func replace(old, by string) func([]byte) []byte {
	return func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), old, by)) }
}

func (r *rig) change(key string, how func([]byte) []byte) {
	r.t.Helper()
	value, rev, err := r.core.GetState(r.t.Context(), key)
	if err != nil || rev == 0 {
		r.t.Fatal(key, rev, err)
	}
	if _, err := r.core.PutState(r.t.Context(), key, how(append([]byte(nil), value...)), rev); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) remove(key string) {
	r.t.Helper()
	if err := r.core.DeleteState(r.t.Context(), key); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) current() int {
	r.t.Helper()
	value, _, err := r.core.GetState(r.t.Context(), headKey)
	if err != nil {
		r.t.Fatal(err)
	}
	h, err := readHead(value)
	if err != nil {
		r.t.Fatal(err)
	}
	return h.Current
}

// rewrite stores the checkpoint anew, whole, with another state of the engine.
func (r *rig) rewrite(state []byte) {
	r.t.Helper()
	k := newKeeper(r.core)
	if err := k.claim(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	cp, _, err := k.load(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := k.save(r.t.Context(), *cp, state); err != nil {
		r.t.Fatal(err)
	}
}

// A checkpoint of a newer program is left alone.
func TestANewerCheckpointIsNotTouched(t *testing.T) {
	r, cfg, _ := saved(t)
	r.change(headKey, replace(`"version":1`, `"version":2`))
	before, _, err := r.core.GetState(t.Context(), headKey)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Bus = r.core
	if err := New(cfg).Run(t.Context()); !errors.Is(err, errNewer) {
		t.Errorf("run: %v", err)
	}
	after, _, err := r.core.GetState(t.Context(), headKey)
	if err != nil || string(before) != string(after) {
		t.Errorf("it was changed: %v", err)
	}
}
