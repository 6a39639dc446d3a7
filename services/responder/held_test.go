package responder_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/rehearsal"
)

func TestHold(t *testing.T) {
	d := newDesk(t)
	first, second := d.world.Add("c1", "", rehearsal.Running), d.world.Add("c2", "", rehearsal.Running)
	d.start(rehearsal.Faults{})
	one := d.request("i1", first)
	d.wait("i1", one, schemas.KindEnforced)
	d.hold(schemas.Hold{On: true, By: "ann", Why: "too many false alarms"})
	// The hold reaches the executor by another way than requests do.
	n := 1
	var refused schemas.Outcome
	d.until("a refusal", func() bool {
		n++
		incident := fmt.Sprintf("i%d", n)
		task := d.request(incident, second)
		d.until("an end", func() bool {
			return strings.HasSuffix(d.kinds(incident), "enforced") || strings.HasSuffix(d.kinds(incident), "refused")
		})
		if strings.HasSuffix(d.kinds(incident), "refused") {
			refused = d.outcome(incident, task, schemas.KindRefused)
			return true
		}
		d.letGo(incident, task)
		d.wait(incident, task, schemas.KindReleased)
		return false
	})
	if refused.Cause != "hold" || !strings.Contains(refused.Reason, "ann") || !strings.Contains(refused.Reason, "too many false alarms") {
		t.Errorf("outcome %+v", refused)
	}
	dry := requested(second)
	dry.Mode = "observe"
	d.write("conductor", "dry", "t", schemas.KindRequested, 0, dry)
	d.wait("dry", "t", schemas.KindObserved)
	d.letGo("i1", one)
	d.wait("i1", one, schemas.KindReleased) // releases still work

	d.stop()
	d.start(rehearsal.Faults{}) // and it is known before the first act after a restart
	task := d.request("j", first)
	d.wait("j", task, schemas.KindRefused)
	d.hold(schemas.Hold{})
	d.until("the hold's end is heard of", func() bool {
		n++
		incident := fmt.Sprintf("k%d", n)
		d.request(incident, first)
		d.until("an end", func() bool {
			return strings.HasSuffix(d.kinds(incident), "enforced") || strings.HasSuffix(d.kinds(incident), "refused")
		})
		return strings.HasSuffix(d.kinds(incident), "enforced")
	})
}

// A crash inside Apply and a hold when the executor comes back: what was begun
// must not stay half done behind a `refused`.
func TestHoldAfterACrashInsideApplyPutsBack(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	d.adjust = func(c *responder.Config) {
		c.At = func(point string) {
			if point == "after apply" {
				d.crash()
			}
		}
	}
	d.start(rehearsal.Faults{})
	task := d.request("i1", target)
	<-d.ended
	if got := d.world.State("c1"); got != rehearsal.Paused {
		t.Fatalf("the test's crash came too early: %s", got)
	}
	d.hold(schemas.Hold{On: true, By: "ann", Why: "stop"})
	d.adjust = nil
	d.start(rehearsal.Faults{})
	d.wait("i1", task, schemas.KindRefused)
	if got := d.world.State("c1"); got != rehearsal.Running {
		t.Errorf("refused, and the thing is %s", got)
	}
}

func TestKeep(t *testing.T) {
	d := newDesk(t)
	d.world.Add("c1-b", "p1", rehearsal.Running)
	target := d.world.Add("c1", "p1", rehearsal.Running)
	d.adjust = func(c *responder.Config) { c.KeepEvery = 5 * time.Millisecond }
	d.start(rehearsal.Faults{})
	one, two := d.request("i1", target), d.request("i2", target)
	d.wait("i1", one, schemas.KindEnforced)
	d.wait("i2", two, schemas.KindEnforced)
	d.world.Set("c1", rehearsal.Running)
	d.wait("i1", one, schemas.KindKept)
	if got := d.world.State("c1"); got != rehearsal.Paused {
		t.Errorf("kept, and the thing is %s", got)
	}
	d.letGo("i1", one)
	d.wait("i1", one, schemas.KindReleased)
	d.world.Set("c1-b", rehearsal.Running)
	d.wait("i2", two, schemas.KindKept) // the other holder's chain goes on telling
	d.letGo("i2", two)
	d.wait("i2", two, schemas.KindReleased)
	for id, state := range d.world.Snapshot() {
		if state != rehearsal.Running {
			t.Errorf("%s is left %s", id, state)
		}
	}
}

// What was not all there at first, and is by now, must not be called partial for good.
func TestVerdictFollowsWhatIsHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		first func(d *desk) error // at the first verification
		want  string
	}{
		"put back by Keep": {
			func(d *desk) error { d.world.Set("c1", rehearsal.Running); return nil },
			"requested planned applied ineffective kept enforced",
		},
		"come right by itself": {
			func(*desk) error { return fmt.Errorf("no answer: %w", responder.ErrPermanent) },
			"requested planned applied unverified enforced",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			target := d.world.Add("c1", "", rehearsal.Running)
			var looks atomic.Int64
			d.start(rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
				if method == "verify" && looks.Add(1) == 1 {
					return tc.first(d)
				}
				return nil
			}})
			one := d.request("i1", target)
			d.until("a verdict", func() bool { return looks.Load() > 0 && !strings.HasSuffix(d.kinds("i1"), "applied") })
			d.hints <- target
			d.wait("i1", one, schemas.KindEnforced)
			before := d.world.Calls("keep")
			d.hints <- target // nothing to tell any more
			d.until("another look", func() bool { return d.world.Calls("keep") > before })
			d.letGo("i1", one)
			d.wait("i1", one, schemas.KindReleased)
			if got, want := d.kinds("i1"), tc.want+" release releasing released"; got != want {
				t.Errorf("records: %s\n   want: %s", got, want)
			}
		})
	}
}

// All who hold a thing are told that it is held again.
func TestVerdictFollowsForAllHolders(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	var down atomic.Bool
	down.Store(true)
	d.start(rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
		if method == "verify" && down.Load() {
			return fmt.Errorf("no answer: %w", responder.ErrPermanent)
		}
		return nil
	}})
	one, two := d.request("i1", target), d.request("i2", target)
	d.wait("i1", one, schemas.KindUnverified)
	d.wait("i2", two, schemas.KindUnverified)
	down.Store(false)
	d.hints <- target
	d.wait("i1", one, schemas.KindEnforced)
	d.wait("i2", two, schemas.KindEnforced)
}

func TestHintAndStartLookAfterWhatIsHeld(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "p1", rehearsal.Running)
	d.start(rehearsal.Faults{})
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindEnforced)
	d.world.Set("c1", rehearsal.Running)
	d.hints <- schemas.Target{Kind: "container", ID: "new one", Entities: target.Entities} // of the same pod
	d.wait("i1", task, schemas.KindKept)
	d.stop()
	d.world.Set("c1", rehearsal.Running)
	d.start(rehearsal.Faults{})
	d.until("kept again", func() bool { return strings.HasSuffix(d.kinds("i1"), "kept kept") })
}

func TestWhatIsHeldAndVanishesIsGone(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	d.start(rehearsal.Faults{})
	one, two := d.request("i1", target), d.request("i2", target)
	d.wait("i1", one, schemas.KindEnforced)
	d.wait("i2", two, schemas.KindEnforced)
	d.world.Set("c1", "")
	d.hints <- target
	d.wait("i1", one, schemas.KindGone)
	d.wait("i2", two, schemas.KindGone)
	d.letGo("i1", one) // it has crossed the task's end, and asks for nothing
	again := d.request("i3", d.world.Add("c1", "", rehearsal.Running))
	d.wait("i3", again, schemas.KindEnforced)
	if got, want := d.kinds("i1"), "requested planned applied enforced gone release"; got != want {
		t.Errorf("records: %s\n   want: %s", got, want)
	}
}
