package container

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
)

// TestPauseAndRelease goes the whole way on every kind of host, twice each.
func TestPauseAndRelease(t *testing.T) {
	opt := mounts(churn(t))
	type shapes struct{ web, sidecar, hard, host *lab.Running }
	made := map[*lab.Lab]shapes{}
	for name, at := range sites(t) {
		l := at.lab
		if made[l].web == nil {
			_, web, sidecar := runPod(t, l, podUID)
			made[l] = shapes{
				web, sidecar,
				run(t, l, lab.Container{ID: "hard-to-halt-1", Args: []string{"/opt/churn"}, Mounts: opt}),
				run(t, l, lab.Container{ID: "host-pid-1234", Args: counting, HostPID: true}),
			}
		}
		web, sidecar, hard, host := made[l].web, made[l].sidecar, made[l].hard, made[l].host
		p := newPause(t, l, &at.host)
		for _, tc := range []struct {
			name   string
			of     *lab.Running
			with   string
			paused []*lab.Running
			goesOn []*lab.Running
			total  int
		}{
			{"pod", web, `{}`, []*lab.Running{web, sidecar}, nil, 3},
			{"container of a pod", web, `{"scope":"container"}`, []*lab.Running{web}, []*lab.Running{sidecar}, 1},
			{"alone, threads that exec and fork", hard, ``, []*lab.Running{hard}, nil, 1},
			{"alone, in the host's pid namespace", host, `{"scope":"pod"}`, []*lab.Running{host}, nil, 1},
		} {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				for _, r := range tc.paused {
					runs(t, r)
				}
				pl := plan(t, p, tc.of, tc.with)
				if len(pl.Members) != tc.total || pl.Target.Container.PID == 0 || len(pl.Will) < tc.total {
					t.Errorf("plan: %d members, target %+v, will %q", len(pl.Members), pl.Target.Container, pl.Will)
				}
				e := apply(t, p, pl)
				if e.HaltedAt == nil || e.PausedAt == nil || e.Missing != "" {
					t.Errorf("halted %v, paused %v, missing %q", e.HaltedAt, e.PausedAt, e.Missing)
				}
				for _, r := range tc.paused {
					status(t, r, "paused")
				}
				halted(t, tc.paused...)
				for _, r := range tc.goesOn {
					runs(t, r)
				}
				verify(t, p, e, schemas.KindEnforced)
				again := apply(t, p, pl)
				// How it was halted may differ: a freezer is given little time.
				if diff := cmp.Diff(membersIn(t, e), membersIn(t, again), cmpopts.IgnoreFields(Member{}, "How")); diff != "" || again.Missing != "" {
					t.Errorf("applied again: %s, missing %q", diff, again.Missing)
				}
				if _, put, err := p.Keep(t.Context(), e); put || err != nil {
					t.Errorf("kept something that was held: %v, %v", put, err)
				}
				for range 2 {
					if drift := undo(t, p, e); drift != "" {
						t.Errorf("drift %q", drift)
					}
				}
				for _, r := range tc.paused {
					status(t, r, "running")
					runs(t, r)
				}
				clean(t, append(tc.paused, tc.goesOn...)...)
			})
		}
	}
}

// TestPausedBefore: what was paused before stays paused after.
func TestPausedBefore(t *testing.T) {
	for name, at := range sites(t) {
		t.Run(name, func(t *testing.T) {
			r := run(t, at.lab, lab.Container{ID: "paused-" + at.tag, Args: counting})
			p := newPause(t, at.lab, &at.host)
			runs(t, r)
			if err := r.Task.Pause(r.In(t.Context())); err != nil {
				t.Fatal(err)
			}
			e := apply(t, p, plan(t, p, r, ``))
			if e.HaltedAt == nil || e.PausedAt == nil || e.Missing != "" {
				t.Errorf("halted %v, paused %v, missing %q", e.HaltedAt, e.PausedAt, e.Missing)
			}
			verify(t, p, e, schemas.KindEnforced)
			if drift := undo(t, p, e); drift != "" {
				t.Errorf("drift %q", drift)
			}
			status(t, r, "paused")
			halted(t, r)
			if err := r.Task.Resume(r.In(t.Context())); err != nil {
				t.Fatal(err)
			}
			runs(t, r)
			clean(t, r)
		})
	}
}

func TestGone(t *testing.T) {
	l := lab.Temp(t)
	p := newPause(t, l, nil)
	r := run(t, l, lab.Container{ID: "soon-gone-12"})
	pl := plan(t, p, r, ``)
	e := apply(t, p, pl)
	if err := r.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Plan(t.Context(), target(r), nil); !errors.Is(err, responder.ErrGone) {
		t.Errorf("plan: %v", err)
	}
	if _, err := p.Apply(t.Context(), pl); !errors.Is(err, responder.ErrGone) {
		t.Errorf("apply: %v", err)
	}
	if _, err := p.Verify(t.Context(), e); !errors.Is(err, responder.ErrGone) {
		t.Errorf("verify: %v", err)
	}
	if _, _, err := p.Keep(t.Context(), e); !errors.Is(err, responder.ErrGone) {
		t.Errorf("keep: %v", err)
	}
	if drift := undo(t, p, e); drift != "" {
		t.Errorf("drift %q", drift)
	}
	if _, err := p.Plan(t.Context(), schemas.Target{Kind: "container", ID: "never-was"}, nil); !errors.Is(err, responder.ErrGone) {
		t.Errorf("plan of what never was: %v", err)
	}
}

func TestRefusedParameters(t *testing.T) {
	l := lab.Temp(t)
	p := newPause(t, l, nil)
	for _, with := range []string{`{"scope":"node"}`, `{"scop":"pod"}`, `[]`, `{`} {
		if _, err := p.Plan(t.Context(), schemas.Target{Kind: "container", ID: "x"}, []byte(with)); !errors.Is(err, responder.ErrRefused) {
			t.Errorf("%s: %v", with, err)
		}
	}
	if _, err := p.Plan(t.Context(), schemas.Target{Kind: "pod", ID: "x"}, nil); !errors.Is(err, responder.ErrRefused) {
		t.Errorf("a pod as target: %v", err)
	}
}

// TestHeadless: a process whose first thread has ended looks like a zombie, to
// runc too, which then does not pause it. It runs, so it must be halted.
func TestHeadless(t *testing.T) {
	opt := mounts(churn(t))
	for name, at := range sites(t) {
		t.Run(name, func(t *testing.T) {
			p := newPause(t, at.lab, &at.host)
			r := run(t, at.lab, lab.Container{ID: "headless-" + at.tag, Args: []string{"/opt/churn", "headless"}, Mounts: opt})
			eventually(t, "its first thread has ended", func() bool {
				s, err := halt.ReadStat(int(r.PID))
				return err == nil && s.State == 'Z' && s.Threads > 1
			})
			e := apply(t, p, plan(t, p, r, ``))
			if e.HaltedAt == nil || e.PausedAt == nil && e.Missing == "" {
				t.Errorf("halted %v, paused %v, missing %q", e.HaltedAt, e.PausedAt, e.Missing)
			}
			halted(t, r)
			v := mustVerify(t, p, e)
			if k := v.Kind(); k != schemas.KindPartial && k != schemas.KindEnforced {
				t.Errorf("verdict %+v", v)
			}
			undo(t, p, e)
			runs(t, r)
		})
	}
}
