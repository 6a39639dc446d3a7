package container

import (
	"context"
	"os"
	"testing"

	"firebreak/schemas"
	"firebreak/services/lab"
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
