package container

import (
	"context"
	"errors"
	"os"
	"testing"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/runtime"
)

// memory is what a collector would know.
type memory map[string]runtime.Facts

func (m memory) Container(id string) (runtime.Facts, bool) { f, ok := m[id]; return f, ok }

func (m memory) Pod(uid string) []runtime.Facts {
	var out []runtime.Facts
	for _, f := range m {
		if f.PodUID == uid {
			out = append(out, f)
		}
	}
	return out
}

// TestHint: what the target says of its pod is a hint, and no more.
func TestHint(t *testing.T) {
	l := lab.Temp(t)
	_, web, _ := runPod(t, l, podUID)
	other, _, _ := runPod(t, l, "99999999-4b5a-6978-8796-a5b4c3d2e1f0")
	p := newPause(t, l, nil)
	for _, uid := range []string{podUID, "99999999-4b5a-6978-8796-a5b4c3d2e1f0", "never-was"} {
		to := target(web)
		to.K8s = &schemas.K8s{Pod: &schemas.Pod{UID: uid}}
		pl, err := p.Plan(t.Context(), to, nil)
		if err != nil || len(pl.Members) != 3 {
			t.Fatalf("%s: %d members, %v", uid, len(pl.Members), err)
		}
		for _, m := range pl.Members {
			if m.ID == other.ID {
				t.Errorf("%s: a member of another pod", uid)
			}
		}
	}
}

// TestSameID: the same id in two of containerd's namespaces is two containers.
func TestSameID(t *testing.T) {
	l := lab.Temp(t)
	one := run(t, l, lab.Container{ID: "web", Namespace: "default", Args: counting})
	two := run(t, l, lab.Container{ID: "web", Namespace: "moby", Args: counting})
	p := newPause(t, l, nil)
	f, err := p.runtime.Container(t.Context(), one.Namespace, one.ID)
	if err != nil {
		t.Fatal(err)
	}
	knows, err := New(Config{Client: l.Client(), Known: memory{one.ID: f}}) // the other one not yet
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Pause{p, knows} {
		for _, r := range []*lab.Running{one, two} {
			got := membersIn(t, schemas.Effect{Plan: plan(t, p, r, ``)})
			if len(got) != 1 || got[0].PID != int(r.PID) || got[0].Namespace != r.Namespace {
				t.Errorf("of %s in %s: %+v", r.ID, r.Namespace, got)
			}
		}
	}
	nameless := schemas.Target{Kind: "container", ID: "web"}
	if _, err := p.Plan(t.Context(), nameless, nil); !errors.Is(err, responder.ErrRefused) {
		t.Errorf("one of two was chosen: %v", err)
	}
	e := apply(t, p, plan(t, p, one, ``))
	halted(t, one)
	runs(t, two)
	verify(t, p, e, schemas.KindEnforced)
	undo(t, p, e)
	if err := two.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pl, err := p.Plan(t.Context(), nameless, nil); err != nil || pl.Target.Container.Namespace != one.Namespace {
		t.Errorf("the only one: %+v, %v", pl.Target, err)
	}
}

// TestKnown: a memory is used as far as the kernel confirms it.
func TestKnown(t *testing.T) {
	l := lab.Temp(t)
	sandbox, web, sidecar := runPod(t, l, podUID)
	asked := newPause(t, l, nil)
	full := memory{}
	for _, r := range []*lab.Running{sandbox, web, sidecar} {
		f, err := asked.runtime.Container(t.Context(), r.Namespace, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		full[r.ID] = f
	}
	wrong := memory{}
	for id, f := range full {
		f.PID = os.Getpid()
		wrong[id] = f
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		known memory
		used  bool
	}{
		"all of it":         {full, true},
		"a member missing":  {memory{web.ID: full[web.ID], sandbox.ID: full[sandbox.ID]}, false},
		"pids used anew":    {wrong, false},
		"nothing":           {memory{}, false},
		"the target itself": {memory{sidecar.ID: full[sidecar.ID]}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(Config{Client: l.Client(), Known: tc.known})
			if err != nil {
				t.Fatal(err)
			}
			if pl := plan(t, p, web, ``); len(pl.Members) != 3 { //nolint:contextcheck // it takes the test's
				t.Errorf("%d members", len(pl.Members))
			}
			if _, err := p.Plan(gone, target(web), nil); (err == nil) != tc.used {
				t.Errorf("used without containerd: %v", err)
			}
		})
	}
}
