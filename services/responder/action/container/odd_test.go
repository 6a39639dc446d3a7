package container

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// TestCrash breaks off between any two steps, and lets another process of ours
// carry the same plan out, or undo it.
func TestCrash(t *testing.T) {
	steps := map[string]func(t *testing.T, p *Pause, s state){
		"after the plan": func(*testing.T, *Pause, state) {},
		"after the halts": func(_ *testing.T, p *Pause, s state) {
			p.startHalts(attempts(s), s)
		},
		"after one signal round": func(t *testing.T, p *Pause, s state) {
			for _, a := range attempts(s) {
				p.mark(a)
				if ok, err := halt.Stop(t.Context(), p.own(a.m), patience, rest); !ok || err != nil {
					t.Errorf("stop %s: %v, %v", a.m.ID, ok, err)
				}
			}
		},
		"after one pause": func(t *testing.T, p *Pause, s state) {
			p.startHalts(attempts(s), s)
			for _, m := range s.Members {
				if m.Name != s.Name {
					continue
				}
				if err := p.runtime.Pause(t.Context(), m.Namespace, m.ID); err != nil {
					t.Error(err)
				}
			}
		},
	}
	for siteName, at := range sites(t) {
		l := at.lab
		sandbox, web, sidecar := runPod(t, l, at.uid)
		all := []*lab.Running{sandbox, web, sidecar}
		for name, step := range steps {
			t.Run(siteName+"/"+name, func(t *testing.T) {
				for _, finish := range []bool{true, false} {
					first := newPause(t, l, &at.host)
					pl := plan(t, first, web, ``)
					s, err := stateOf(schemas.Effect{Plan: pl})
					if err != nil {
						t.Fatal(err)
					}
					if name == "after one signal round" {
						for i := range s.Members {
							s.Members[i].How = byStop
						}
						if pl.Prior, err = s.raw(); err != nil {
							t.Fatal(err)
						}
					}
					step(t, first, s)
					second := newPause(t, l, &at.host)
					e := schemas.Effect{Version: 1, Plan: pl}
					if finish {
						e = apply(t, second, pl)
						if e.HaltedAt == nil || e.PausedAt == nil || e.Missing != "" {
							t.Errorf("halted %v, paused %v, missing %q", e.HaltedAt, e.PausedAt, e.Missing)
						}
						halted(t, web, sidecar)
						verify(t, second, e, schemas.KindEnforced)
					}
					undo(t, second, e)
					for _, r := range all {
						status(t, r, "running")
					}
					runs(t, web)
					runs(t, sidecar)
					clean(t, all...)
				}
			})
		}
	}
}

func attempts(s state) []*attempt {
	var out []*attempt
	for _, m := range s.Members {
		out = append(out, &attempt{m: m})
	}
	return out
}

// TestRuntimeAway: the halt needs no containerd, and stays when the pause fails.
func TestRuntimeAway(t *testing.T) {
	for name, at := range sites(t) {
		t.Run(name, func(t *testing.T) {
			l := at.lab
			r := run(t, l, lab.Container{ID: "halted-" + at.tag, Args: counting})
			p := newPause(t, l, &at.host)
			pl := plan(t, p, r, ``)
			client, err := containerd.New(l.Address())
			if err != nil {
				t.Fatal(err)
			}
			away, err := New(Config{Client: client, Host: &at.host})
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			e := apply(t, away, pl)
			if e.HaltedAt == nil || e.PausedAt != nil || !strings.Contains(e.Missing, r.ID) {
				t.Errorf("halted %v, paused %v, missing %q", e.HaltedAt, e.PausedAt, e.Missing)
			}
			status(t, r, "running")
			halted(t, r)
			verify(t, p, e, schemas.KindPartial)
			if _, err := away.Undo(t.Context(), e); !errors.Is(err, responder.ErrTransient) {
				t.Errorf("undo without containerd: %v", err)
			}
			halted(t, r)
			e, put, err := p.Keep(t.Context(), e)
			if !put || err != nil || e.PausedAt == nil || e.Missing != "" {
				t.Errorf("keep: %v, %v, %+v", put, err, e)
			}
			status(t, r, "paused")
			verify(t, p, e, schemas.KindEnforced)
			// A pause that was not answered, and carried out nevertheless.
			e.Missing, e.PausedAt = "containerd did not pause it: no answer", nil
			e, put, err = p.Keep(t.Context(), e)
			if !put || err != nil || e.PausedAt == nil || e.Missing != "" {
				t.Errorf("keep of what has come about: %v, %v, %+v", put, err, e)
			}
			if _, put, err = p.Keep(t.Context(), e); put || err != nil {
				t.Errorf("keep of what holds: %v, %v", put, err)
			}
			undo(t, p, e)
			runs(t, r)
			clean(t, r)
		})
	}
}

// TestDrift: somebody resumes what is held.
func TestDrift(t *testing.T) {
	l := lab.Temp(t)
	_, web, sidecar := runPod(t, l, podUID)
	p := newPause(t, l, nil)
	e := apply(t, p, plan(t, p, web, ``))
	resume := func(r *lab.Running) {
		t.Helper()
		if err := r.Task.Resume(r.In(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	resume(web)
	if v := verify(t, p, e, schemas.KindPartial); v.Layers[0].State == schemas.Contained {
		t.Errorf("verdict %+v", v)
	}
	e, put, err := p.Keep(t.Context(), e)
	if err != nil || !put {
		t.Fatalf("keep: %v, %v", put, err)
	}
	status(t, web, "paused")
	verify(t, p, e, schemas.KindEnforced)

	// Resumed and thawed by hand: nothing holds it any more, and we say so.
	resume(web)
	at, err := p.host.Locate(int(web.PID), web.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.host.Side(at).Thaw(); err != nil {
		t.Fatal(err)
	}
	runs(t, web)
	if k := mustVerify(t, p, e).Kind(); k != schemas.KindPartial && k != schemas.KindIneffective {
		t.Errorf("verdict %s of a container that runs", k)
	}
	resume(sidecar)
	if drift := undo(t, p, e); !strings.Contains(drift, web.ID) || !strings.Contains(drift, sidecar.ID) {
		t.Errorf("drift %q", drift)
	}
	runs(t, web)
	runs(t, sidecar)

	// Somebody's own pause after our release is not ours to end.
	if err := web.Task.Pause(web.In(t.Context())); err != nil {
		t.Fatal(err)
	}
	undo(t, p, e)
	status(t, web, "paused")
}

func mustVerify(t *testing.T, p *Pause, e schemas.Effect) schemas.Verdict {
	t.Helper()
	v, err := p.Verify(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKeepNew: a container that comes into the pod later is held too.
func TestKeepNew(t *testing.T) {
	for name, at := range sites(t) {
		t.Run(name, func(t *testing.T) {
			l := at.lab
			sandbox, web, sidecar := runPod(t, l, at.uid)
			p := newPause(t, l, &at.host)
			e := apply(t, p, plan(t, p, web, ``))
			late := run(t, l, lab.Container{
				ID: "late-" + at.tag, Args: counting,
				Pod:    &lab.Pod{UID: at.uid, Name: "web-1", Namespace: "shop"},
				Labels: map[string]string{"io.kubernetes.container.name": web.ID},
			})
			runs(t, late)
			verify(t, p, e, schemas.KindPartial)
			kept, put, err := p.Keep(t.Context(), e)
			if err != nil || !put || len(kept.Plan.Members) != len(e.Plan.Members)+1 {
				t.Fatalf("keep: %v, %v, %d members", put, err, len(kept.Plan.Members))
			}
			status(t, late, "paused")
			halted(t, late)
			verify(t, p, kept, schemas.KindEnforced)
			undo(t, p, e) // the effect that does not know of it
			for _, r := range []*lab.Running{web, sidecar, late} {
				status(t, r, "running")
				runs(t, r)
			}
			clean(t, sandbox, web, sidecar, late)
			if err := late.End(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestStoppedBefore: a process that was stopped before is stopped after.
func TestStoppedBefore(t *testing.T) {
	is := func(pid uint32, state byte) func() bool {
		return func() bool { s, err := halt.ReadStat(int(pid)); return err == nil && s.State == state }
	}
	for name, at := range sites(t) {
		t.Run(name, func(t *testing.T) {
			r := run(t, at.lab, lab.Container{ID: "stopped-" + at.tag, Args: counting})
			sleeps := make([]uint32, 2)
			for i := range sleeps {
				var err error
				if sleeps[i], err = r.Spawn(t.Context(), "sleep", "100000"); err != nil {
					t.Fatal(err)
				}
			}
			if err := syscall.Kill(int(sleeps[0]), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "stopped", is(sleeps[0], 'T'))
			p := newPause(t, at.lab, &at.host)
			undo(t, p, apply(t, p, plan(t, p, r, ``)))
			runs(t, r)
			eventually(t, "stopped still", is(sleeps[0], 'T'))
			eventually(t, "asleep still", is(sleeps[1], 'S'))
		})
	}
}

// TestCapturing: a pause of evidence.capture that a crash has left is no prior
// state, and not ours to end.
func TestCapturing(t *testing.T) {
	for name, at := range sites(t) {
		t.Run(name, func(t *testing.T) {
			r := run(t, at.lab, lab.Container{ID: "captured-" + at.tag, Args: counting})
			p := newPause(t, at.lab, &at.host)
			place, err := p.host.Locate(int(r.PID), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.host.Own(place).SetMark(halt.MarkCapture, halt.Before{Status: runtime.Running}); err != nil {
				t.Fatal(err)
			}
			if err := r.Task.Pause(r.In(t.Context())); err != nil {
				t.Fatal(err)
			}
			pl := plan(t, p, r, ``)
			if got := membersIn(t, schemas.Effect{Plan: pl})[0].Before; got.Status != runtime.Running || got.Frozen {
				t.Errorf("before: %+v", got)
			}
			e := apply(t, p, pl)
			verify(t, p, e, schemas.KindEnforced)
			undo(t, p, e)
			status(t, r, "paused")
			if err := p.host.Own(place).ClearMark(halt.MarkCapture); err != nil {
				t.Fatal(err)
			}
			if err := r.Task.Resume(r.In(t.Context())); err != nil {
				t.Fatal(err)
			}
			runs(t, r)
			clean(t, r)
		})
	}
}

// TestStray: a process that moved out of its cgroups is found.
func TestStray(t *testing.T) {
	l := lab.Temp(t)
	p := newPause(t, l, nil)
	for _, hostPID := range []bool{false, true} {
		r := run(t, l, lab.Container{ID: "with-stray-" + strconv.FormatBool(hostPID), Args: counting, HostPID: hostPID})
		pid, err := r.Spawn(t.Context(), "sleep", "100000")
		if err != nil {
			t.Fatal(err)
		}
		for _, root := range []string{p.host.V1, p.host.V2} {
			if root != "" {
				if err := os.WriteFile(filepath.Join(root, "cgroup.procs"), []byte(strconv.Itoa(int(pid))), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		e := apply(t, p, plan(t, p, r, ``))
		v := verify(t, p, e, schemas.KindPartial)
		if stray := v.Layers[2]; stray.State != schemas.Partial || !strings.Contains(stray.Detail, strconv.Itoa(int(pid))) {
			t.Errorf("strays: %+v", stray)
		}
		undo(t, p, e)
		if err := syscall.Kill(int(pid), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
}
