package main

import (
	"fmt"
	"syscall"
	"testing"

	"firebreak/schemas"
	"firebreak/services/lab"
)

// effects are the records of which a task has one at most.
var effects = []schemas.Kind{
	schemas.KindOpened, schemas.KindRequested, schemas.KindPlanned, schemas.KindApplied,
	schemas.KindEnforced, schemas.KindReleasing, schemas.KindReleased,
}

// TestKilledWhileContaining ends the process by SIGKILL at each point between
// the event and the verified pause. After the restart the containment is there
// exactly once, and the prior state is known: a release lets the container run.
func TestKilledWhileContaining(t *testing.T) {
	for _, point := range []string{
		"node before plan", "node before planned", "node after planned", "node before apply", "node after apply",
		"node before applied", "node after applied", "node before enforced", "node after enforced",
	} {
		t.Run(point, func(t *testing.T) {
			r := newRig(t, "")
			run := r.container("victim-" + r.namespace)
			p := r.run("TEST_CRASH_AT=" + point)
			r.trigger(run, "xmrig")
			p.ended()
			r.run()
			v := r.until("miner", run.ID, "enforced")
			if s := r.status(run); s != "paused" {
				t.Errorf("containerd says %s, the ledger enforced", s)
			}
			r.once(effects...)
			r.release(v.ID)
			r.until("miner", run.ID, "released")
			if s := r.status(run); s != "running" {
				t.Errorf("after the release containerd says %s", s)
			}
			r.once(effects...)
		})
	}
}

// TestKilledWhileReleasing ends the process at each point of a release.
func TestKilledWhileReleasing(t *testing.T) {
	for _, point := range []string{
		"node before releasing", "node after releasing", "node before undo", "node after undo",
		"node before released", "node after released",
	} {
		t.Run(point, func(t *testing.T) {
			r := newRig(t, "")
			run := r.container("victim-" + r.namespace)
			p := r.run("TEST_CRASH_AT=" + point)
			r.trigger(run, "xmrig")
			v := r.until("miner", run.ID, "enforced")
			ask := r.command(nil, "incident", "release", v.ID, "--why", "test", "--wait", "0s", "--config", r.config)
			p.ended()  // so the wish is stored …
			ask.kill() // … but its answer may have died with the bus, and the command would wait for it
			r.run()
			r.until("miner", run.ID, "released")
			if s := r.status(run); s != "running" {
				t.Errorf("after the release containerd says %s", s)
			}
			r.once(effects...)
		})
	}
}

// release lets go by the command and fails the test unless it says so.
func (r *testRig) release(id string) {
	r.t.Helper()
	if out, code := r.firebreak("incident", "release", id, "--why", "test", "--wait", "60s"); code != exitOK {
		r.t.Fatalf("release: exit %d: %s", code, out)
	}
}

// TestTwoIncidentsOnOneContainer are released in either order: the container
// runs again when the last one lets go, and not before.
func TestTwoIncidentsOnOneContainer(t *testing.T) {
	for _, order := range [][]string{{"miner", "second"}, {"second", "miner"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			r := newRig(t, "")
			r.playbook("second", "xmrig")
			run := r.container("victim-" + r.namespace)
			r.run()
			r.trigger(run, "xmrig")
			first := r.until(order[0], run.ID, "enforced")
			second := r.until(order[1], run.ID, "enforced")
			r.release(first.ID)
			r.until(order[0], run.ID, "released")
			if s := r.status(run); s != "paused" {
				t.Errorf("one incident still holds it, but containerd says %s", s)
			}
			r.release(second.ID)
			r.until(order[1], run.ID, "released")
			if s := r.status(run); s != "running" {
				t.Errorf("nobody holds it any more, but containerd says %s", s)
			}
		})
	}
}

// TestContainerdKilledAndRestarted: what is paused stays so, what starts
// meanwhile is noticed, and containment works on.
func TestContainerdKilledAndRestarted(t *testing.T) {
	r := newRig(t, "")
	held := r.container("held-" + r.namespace)
	other := r.container("other-" + r.namespace)
	r.run()
	r.trigger(held, "xmrig")
	v := r.until("miner", held.ID, "enforced")
	if err := r.lab.Restart(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	late := r.container("late-" + r.namespace)
	for _, run := range []string{other.ID, late.ID} {
		c := other
		if run == late.ID {
			c = late
		}
		r.trigger(c, "xmrig")
		r.until("miner", run, "enforced")
		if s := r.status(c); s != "paused" {
			t.Errorf("%s: the ledger says enforced, containerd %s", run, s)
		}
	}
	r.release(v.ID)
	if s := r.status(held); s != "running" {
		t.Errorf("after the release containerd says %s", s)
	}
}

// TestContainerGoneBeforeItIsPaused ends as gone, not as failed.
func TestContainerGoneBeforeItIsPaused(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	p := r.run("TEST_CRASH_AT=node before plan")
	r.trigger(run, "xmrig")
	p.ended()
	if err := run.Task.Kill(run.In(t.Context()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait(t, "the container to end", func() bool { return r.status(run) == "stopped" })
	r.run()
	v := r.until("miner", run.ID, "gone")
	wait(t, "the incident to be closed", func() bool {
		v, _ = r.of("miner", run.ID)
		return v.State == "closed"
	})
}

// TestPausedAlready is paused by somebody else before: that state is kept.
func TestPausedAlready(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	p := r.run("TEST_CRASH_AT=node before plan")
	r.trigger(run, "xmrig")
	p.ended()
	if err := run.Task.Pause(run.In(t.Context())); err != nil {
		t.Fatal(err)
	}
	r.run()
	v := r.until("miner", run.ID, "enforced")
	r.release(v.ID)
	if s := r.status(run); s != "paused" {
		t.Errorf("it was paused before, and is %s after the release", s)
	}
	if err := run.Task.Resume(run.In(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestNewContainerOfAContainedPod, such as one that the kubelet restarts with
// a new id, is paused too; and so is one that somebody resumes.
func TestNewContainerOfAContainedPod(t *testing.T) {
	r := newRig(t, "")
	pod := &lab.Pod{UID: fmt.Sprintf("6c1ba1f8-0000-4000-8000-%012d", rigs.Load()), Name: "shop", Namespace: "prod"}
	app := r.start(lab.Container{ID: "app-" + r.namespace, Pod: pod})
	r.run()
	r.trigger(app, "xmrig")
	v := r.until("miner", app.ID, "enforced")
	late := r.start(lab.Container{ID: "late-" + r.namespace, Pod: pod})
	wait(t, "the pod's new container to be paused", func() bool { return r.status(late) == "paused" })
	if err := app.Task.Resume(app.In(t.Context())); err != nil {
		t.Fatal(err)
	}
	wait(t, "the resumed container to be paused again", func() bool { return r.status(app) == "paused" })
	r.release(v.ID)
	for _, c := range []*lab.Running{app, late} {
		if s := r.status(c); s != "running" {
			t.Errorf("after the release %s is %s", c.ID, s)
		}
	}
}

// TestStrikesAgainAfterTheRelease: a release does not disarm the container.
func TestStrikesAgainAfterTheRelease(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	r.run()
	r.trigger(run, "xmrig")
	v := r.until("miner", run.ID, "enforced")
	r.release(v.ID)
	wait(t, "the second strike to be contained", func() bool {
		if r.status(run) == "paused" {
			return true
		}
		if _, err := run.Spawn(t.Context(), "/xmrig", "x"); err != nil {
			t.Log(err) // paused meanwhile, most likely
		}
		return false
	})
}
