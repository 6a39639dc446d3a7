package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/conformance"
	"firebreak/services/responder/rehearsal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is one world with the cases that act on it.
func scene(f rehearsal.Faults) conformance.Case {
	w := rehearsal.NewWorld()
	n := 0
	w.Add("bystander", "", rehearsal.Running)
	return conformance.Case{
		New: func(conformance.T) responder.Action { return w.Action(f) },
		Target: func(t conformance.T) schemas.Target {
			n++
			id := fmt.Sprintf("c%d", n)
			w.Add(id+"-sidecar", "pod-"+id, rehearsal.Running)
			target := w.Add(id, "pod-"+id, rehearsal.Running)
			t.Cleanup(func() { w.Set(id, ""); w.Set(id+"-sidecar", "") })
			return target
		},
		Sibling: func(_ conformance.T, t schemas.Target) schemas.Target {
			return w.Add(t.ID+"-sidecar", t.K8s.Pod.UID, w.State(t.ID+"-sidecar"))
		},
		Snapshot: func(_ conformance.T, t schemas.Target) any {
			return []string{w.State(t.ID), w.State(t.ID + "-sidecar"), w.State("bystander")}
		},
		Contained: func(_ conformance.T, t schemas.Target) bool {
			return w.State(t.ID) != rehearsal.Running && w.State(t.ID+"-sidecar") != rehearsal.Running
		},
		Break: map[string]func(conformance.T, schemas.Target){
			"resuming it":          func(_ conformance.T, t schemas.Target) { w.Set(t.ID, rehearsal.Running) },
			"resuming its sidecar": func(_ conformance.T, t schemas.Target) { w.Set(t.ID+"-sidecar", rehearsal.Running) },
		},
		Foreign: func(_ conformance.T, t schemas.Target) {
			w.Set(t.ID, rehearsal.Paused)
			w.Set(t.ID+"-sidecar", rehearsal.Paused)
		},
		Remove: func(_ conformance.T, t schemas.Target) { w.Set(t.ID, ""); w.Set(t.ID+"-sidecar", "") },
	}
}

func TestGoodActionPasses(t *testing.T) {
	conformance.Run(t, scene(rehearsal.Faults{}))
}

func TestSlowVerificationPasses(t *testing.T) {
	conformance.Run(t, scene(rehearsal.Faults{VerifyLater: 2}))
}

// A suite that lets a broken action through is worth nothing.
func TestBrokenActionIsCaught(t *testing.T) {
	panics := func(_ context.Context, method, _ string) error {
		if method == "undo" {
			panic("the action is broken")
		}
		return nil
	}
	for name, tc := range map[string]struct {
		faults rehearsal.Faults
		by     string // the check that has to catch it
	}{
		"plan writes":               {rehearsal.Faults{PlanWrites: true}, "a plan writes nothing"},
		"dry run writes":            {rehearsal.Faults{PlanWrites: true}, "a dry run writes nothing"},
		"a second apply differs":    {rehearsal.Faults{PausesTwice: true}, "applying twice equals once"},
		"verification lies":         {rehearsal.Faults{VerifyLies: true}, "verify never says contained when it is not"},
		"undo does nothing":         {rehearsal.Faults{UndoNothing: true}, "undo restores"},
		"undo loses with a crash":   {rehearsal.Faults{ForgetsPrior: true}, "a crash loses no prior state"},
		"undo forgets with restart": {rehearsal.Faults{ForgetsPrior: true}, "two holders let go in either order"},
		"undo resumes too much":     {rehearsal.Faults{UndoRunsAll: true}, "undo leaves alone what it found so"},
		"it reaches further":        {rehearsal.Faults{WritesOutside: true}, "undo restores"},
		"verify wants no end":       {rehearsal.Faults{VerifyLater: 1000}, "verify never says contained when it is not"},
		"plan errs": {rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
			if method == "plan" {
				return errors.New("no")
			}
			return nil
		}}, "a plan writes nothing"},
		"apply fails half way": {rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
			if method == "half" {
				return errors.New("no")
			}
			return nil
		}}, "a crash loses no prior state"},
		"undo panics": {rehearsal.Faults{Before: panics}, "undo restores"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, check := range conformance.Checks() {
				if check.Name != tc.by {
					continue
				}
				if said := watch(t, func(r conformance.T) { check.Of(r, scene(tc.faults)) }); said == "" {
					t.Errorf("%q let it through", tc.by)
				} else {
					t.Logf("caught: %s", said)
				}
				return
			}
			t.Fatalf("there is no check %q", tc.by)
		})
	}
}

// watch runs a check and gives what it complained of.
func watch(t *testing.T, check func(conformance.T)) string {
	t.Helper()
	r := &recorder{ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		check(r)
	}()
	<-done
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
	return strings.Join(r.said, "\n")
}

type recorder struct {
	ctx      context.Context // it stands in for a testing.T
	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
