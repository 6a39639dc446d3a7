package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// TestLifeOfTheContainer: whatever happens, it ends up as it would have been.
func TestLifeOfTheContainer(t *testing.T) {
	l := lab.Temp(t)
	for name, test := range map[string]func(*testing.T, *lab.Lab, *lab.Running){
		"paused before":         pausedBefore,
		"crash":                 crash,
		"crash, then held":      crashThenHeld,
		"marked but not paused": markedOnly,
		"resumed meanwhile":     resumedMeanwhile,
		"store fails":           storeFails,
		"store panics":          storePanics,
		"time runs out":         timeRunsOut,
		"containerd is away":    runtimeAway,
		"protected":             guarded,
		"gone":                  gone,
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.NewReplacer(" ", "-", ",", "").Replace(name)
			test(t, l, run(t, l, lab.Container{ID: id, Args: counting}))
		})
	}
	t.Run("sandbox", func(t *testing.T) {
		r := run(t, l, lab.Container{ID: "sandbox", Args: counting, Labels: map[string]string{"io.cri-containerd.kind": "sandbox"}})
		takenRunning(t, newCapture(t, l, &shelf{}), r, "sandbox")
	})
}

func pausedBefore(t *testing.T, l *lab.Lab, r *lab.Running) {
	if err := r.Task.Pause(r.In(t.Context())); err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	c := newCapture(t, l, s)
	p := plan(t, c, r, ``)
	if !strings.Contains(p.Will[0], "stays so") {
		t.Errorf("will: %q", p.Will[0])
	}
	e := apply(t, c, p)
	status(t, r, "paused")
	unmarked(t, c, r)
	if got := read(t, s, e); len(got.Cut) != 0 || len(got.processes.Processes) == 0 {
		t.Errorf("cut %q, %d processes", got.Cut, len(got.processes.Processes))
	}
	if drift, err := c.Undo(t.Context(), e); drift != "" || err != nil {
		t.Errorf("undo: %q, %v", drift, err)
	}
	status(t, r, "paused")
}

// broken breaks a capture off after its pause.
func broken(t *testing.T, l *lab.Lab, r *lab.Running) schemas.Plan {
	t.Helper()
	c := newCapture(t, l, &shelf{})
	p := plan(t, c, r, ``)
	s, err := stateOf(p)
	if err != nil {
		t.Fatal(err)
	}
	if note, err := c.hold(t.Context(), s); note != "" || err != nil {
		t.Fatalf("hold: %q, %v", note, err)
	}
	if frozen, err := cgroups(t, c, r)[0].SelfFrozen(); err != nil || !frozen {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	return p
}

func crash(t *testing.T, l *lab.Lab, r *lab.Running) {
	p := broken(t, l, r)
	c := newCapture(t, l, &shelf{})
	for range 2 { // it can be done again
		if drift, err := c.Undo(t.Context(), schemas.Effect{Version: version, Plan: p}); drift != "" || err != nil {
			t.Errorf("undo: %q, %v", drift, err)
		}
		runsOn(t, c, r)
	}
	p = broken(t, l, r)
	again := plan(t, c, r, ``)
	if s, err := stateOf(again); err != nil || s.Before.Status != runtime.Running {
		t.Errorf("before: %+v, %v", s.Before, err)
	}
	apply(t, c, p)
	runsOn(t, c, r)
}

// crashThenHeld: container.pause came between, and its hold is not ours to end.
func crashThenHeld(t *testing.T, l *lab.Lab, r *lab.Running) {
	p := broken(t, l, r)
	c := newCapture(t, l, &shelf{})
	own := cgroups(t, c, r)[0]
	if err := own.SetMark(halt.MarkPause, halt.Before{Status: runtime.Running}); err != nil {
		t.Fatal(err)
	}
	if drift, err := c.Undo(t.Context(), schemas.Effect{Version: version, Plan: p}); drift != "" || err != nil {
		t.Errorf("undo: %q, %v", drift, err)
	}
	status(t, r, "paused")
	unmarked(t, c, r)
}

// markedOnly: a crash between the mark and the pause.
func markedOnly(t *testing.T, l *lab.Lab, r *lab.Running) {
	c := newCapture(t, l, &shelf{})
	p := plan(t, c, r, ``)
	if err := cgroups(t, c, r)[0].SetMark(halt.MarkCapture, halt.Before{Status: runtime.Running}); err != nil {
		t.Fatal(err)
	}
	drift, err := c.Undo(t.Context(), schemas.Effect{Version: version, Plan: p})
	if drift == "" || err != nil {
		t.Errorf("undo: %q, %v", drift, err)
	}
	runsOn(t, c, r)
}

func resumedMeanwhile(t *testing.T, l *lab.Lab, r *lab.Running) {
	s := &shelf{}
	n := 0
	s.during = func() error {
		if n++; n > 1 {
			return nil
		}
		return r.Task.Resume(r.In(t.Context()))
	}
	c := newCapture(t, l, s)
	got := read(t, s, apply(t, c, plan(t, c, r, ``)))
	if !slices.ContainsFunc(got.Cut, func(s string) bool { return strings.Contains(s, "resumed by somebody else") }) {
		t.Errorf("cut: %q", got.Cut)
	}
	runsOn(t, c, r)
}

// storeFails at each piece in turn.
func storeFails(t *testing.T, l *lab.Lab, r *lab.Running) {
	full := errors.New("no room")
	for fails := 1; fails <= 4; fails++ {
		n := 0
		c := newCapture(t, l, &shelf{during: func() error {
			if n++; n == fails {
				return full
			}
			return nil
		}})
		e, err := c.Apply(t.Context(), plan(t, c, r, ``))
		if !errors.Is(err, responder.ErrTransient) || !errors.Is(err, full) || len(e.Data) != 0 {
			t.Errorf("piece %d: %v, %s", fails, err, e.Data)
		}
		runsOn(t, c, r)
	}
	c := newCapture(t, l, &shelf{during: func() error { return schemas.ErrInvalid }})
	if _, err := c.Apply(t.Context(), plan(t, c, r, ``)); !errors.Is(err, responder.ErrPermanent) {
		t.Errorf("what can never be stored: %v", err)
	}
	runsOn(t, c, r)
}

func storePanics(t *testing.T, l *lab.Lab, r *lab.Running) {
	c := newCapture(t, l, &shelf{during: func() error { panic("a fault of ours") }})
	p := plan(t, c, r, ``)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		apply(t, c, p)
	}()
	runsOn(t, c, r)
}

func timeRunsOut(t *testing.T, l *lab.Lab, r *lab.Running) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := newCapture(t, l, &shelf{during: func() error { cancel(); return nil }})
	if _, err := c.Apply(ctx, plan(t, c, r, ``)); !errors.Is(err, responder.ErrTransient) || !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %v", err)
	}
	runsOn(t, c, r)
}

// takenRunning wants a capture of a container that is not paused for it.
func takenRunning(t *testing.T, c *Capture, r *lab.Running, why string) {
	t.Helper()
	s := &shelf{during: func() error { status(t, r, "running"); return nil }}
	c.blobs = s
	got := read(t, s, apply(t, c, plan(t, c, r, ``)))
	if len(got.Cut) == 0 {
		t.Fatal("nothing is told")
	}
	for _, told := range []string{got.Cut[0], got.Artefacts[0].Note, got.Artefacts[3].Note} {
		if !strings.Contains(told, "while the container ran") || !strings.Contains(told, why) {
			t.Errorf("told: %q, want %q", told, why)
		}
	}
	runsOn(t, c, r)
}

func guarded(t *testing.T, l *lab.Lab, r *lab.Running) {
	c, err := New(Config{Client: l.Client(), Blobs: &shelf{}, Protected: []string{"busybox"}})
	if err != nil {
		t.Fatal(err)
	}
	takenRunning(t, c, r, "it holds busybox")
}

func runtimeAway(t *testing.T, l *lab.Lab, r *lab.Running) {
	client, err := containerd.New(l.Address())
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	c, err := New(Config{Client: client, Blobs: s})
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, c, r, ``)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	got := read(t, s, apply(t, c, p))
	if len(got.Cut) == 0 || !strings.Contains(got.Cut[0], "while the container ran") {
		t.Errorf("cut: %q", got.Cut)
	}
	runsOn(t, c, r)
	if _, err := c.Plan(t.Context(), target(r), nil); !errors.Is(err, responder.ErrTransient) {
		t.Errorf("plan: %v", err)
	}
	// What was left paused stays marked until containerd answers.
	p = broken(t, l, r)
	e := schemas.Effect{Version: version, Plan: p}
	if _, err := c.Undo(t.Context(), e); !errors.Is(err, responder.ErrTransient) {
		t.Errorf("undo: %v", err)
	}
	back := newCapture(t, l, s)
	if drift, err := back.Undo(t.Context(), e); drift != "" || err != nil {
		t.Errorf("undo: %q, %v", drift, err)
	}
	runsOn(t, back, r)
}

func gone(t *testing.T, l *lab.Lab, r *lab.Running) {
	c := newCapture(t, l, &shelf{})
	p := plan(t, c, r, ``)
	to := target(r)
	if err := r.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := c.Apply(t.Context(), p); !errors.Is(err, responder.ErrGone) || len(e.Data) != 0 {
		t.Errorf("apply: %v", err)
	}
	if _, err := c.Plan(t.Context(), to, nil); !errors.Is(err, responder.ErrGone) {
		t.Errorf("plan: %v", err)
	}
	if drift, err := c.Undo(t.Context(), schemas.Effect{Version: version, Plan: p}); drift != "" || err != nil {
		t.Errorf("undo: %q, %v", drift, err)
	}
}

func TestRefused(t *testing.T) {
	c := &Capture{}
	container := schemas.Target{Kind: "container", ID: "x"}
	for name, tc := range map[string]struct {
		target schemas.Target
		with   string
	}{
		"a pod":           {schemas.Target{Kind: "pod", ID: "x"}, ``},
		"no id":           {schemas.Target{Kind: "container"}, ``},
		"less than none":  {container, `{"maxBytes": -1}`},
		"too much":        {container, `{"maxBytes": 2147483649}`},
		"not whole":       {container, `{"maxBytes": 1.5}`},
		"what is unknown": {container, `{"max": 1}`},
		"no JSON":         {container, `{`},
	} {
		if _, err := c.Plan(t.Context(), tc.target, json.RawMessage(tc.with)); !errors.Is(err, responder.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Apply(t.Context(), schemas.Plan{Prior: json.RawMessage(`[]`)}); !errors.Is(err, responder.ErrPermanent) {
		t.Errorf("a plan that cannot be read: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("made without containerd")
	}
	for with, want := range map[string]int64{``: maxBytes, `{}`: maxBytes, `{"maxBytes": 0}`: 0, `{"maxBytes": 2147483648}`: mostEver} {
		if got, err := limitOf(json.RawMessage(with)); got != want || err != nil {
			t.Errorf("%s: %d, %v", with, got, err)
		}
	}
}

// TestStoreEnds: neither side waits for the other when one has ended.
func TestStoreEnds(t *testing.T) {
	broke := errors.New("broke")
	c := &take{Capture: &Capture{blobs: &shelf{}}}
	if _, err := c.store(t.Context(), "x", func(io.Writer) error { return broke }); !errors.Is(err, broke) {
		t.Errorf("writer: %v", err)
	}
	c.blobs = &shelf{during: func() error { return broke }}
	_, err := c.store(t.Context(), "x", func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<20))
		return err
	})
	if !errors.Is(err, broke) {
		t.Errorf("store: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		_, err = c.store(t.Context(), "x", func(io.Writer) error { panic("a fault of ours") })
		t.Error(err)
	}()
}
