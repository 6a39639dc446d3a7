package responder_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/guardrail"
	"firebreak/services/responder/rehearsal"
)

func TestFromRequestToRelease(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	d.start(rehearsal.Faults{})
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindEnforced)
	if got := d.world.State("c1"); got != rehearsal.Paused {
		t.Errorf("enforced, and the thing is %s", got)
	}
	d.letGo("i1", task)
	d.wait("i1", task, schemas.KindReleased)
	if got := d.world.State("c1"); got != rehearsal.Running {
		t.Errorf("released, and the thing is %s", got)
	}
	if got, want := d.kinds("i1"), "requested planned applied enforced release releasing released"; got != want {
		t.Errorf("records: %s\n   want: %s", got, want)
	}
	for prev, i := (schemas.Record{}), 0; i < len(d.bus.Records()); i++ {
		r := d.bus.Records()[i]
		if r.Prev != "" && r.Prev != prev.Head().Hash {
			t.Errorf("%s does not follow %s", r.Kind, prev.Kind)
		}
		prev = r
	}
}

// outcomes that end a task before, or instead of, its containment.
func TestOutcomes(t *testing.T) {
	fails := func(at string, err error) rehearsal.Faults {
		return rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
			if method == at {
				return err
			}
			return nil
		}}
	}
	for name, tc := range map[string]struct {
		faults  rehearsal.Faults
		ask     func(*schemas.Requested)
		adjust  func(*responder.Config)
		guard   guardrail.File
		kinds   string
		cause   string
		says    string
		again   bool
		remains string // the state of the thing
	}{
		"unknown action": {
			ask:   func(r *schemas.Requested) { r.Action = "pod.dissolve" },
			kinds: "requested refused", cause: "unknown-action", says: "pod.dissolve", remains: rehearsal.Running,
		},
		"wrong kind of target": {
			ask:   func(r *schemas.Requested) { r.Target.Kind = "pod" },
			kinds: "requested refused", cause: "target", says: "acts on a container", remains: rehearsal.Running,
		},
		"protected": {
			guard: guardrail.File{Protect: guardrail.Protect{Containers: []string{"c1"}}},
			kinds: "requested refused", cause: "protected", says: "c1", remains: rehearsal.Running,
		},
		"protected is the sibling that only the plan finds": {
			guard: guardrail.File{Protect: guardrail.Protect{Containers: []string{"sidecar"}}},
			kinds: "requested refused", cause: "protected", says: "sidecar", remains: rehearsal.Running,
		},
		"not allowed here": {
			guard: guardrail.File{Actions: guardrail.Actions{Allow: []string{"notify.*"}}},
			kinds: "requested refused", cause: "guard", says: "not allowed", remains: rehearsal.Running,
		},
		"too many a minute": {
			guard: guardrail.File{Actions: guardrail.Actions{PerMinute: new(int)}},
			kinds: "requested refused", cause: "budget", says: "limit", remains: rehearsal.Running,
		},
		"bad parameters": {
			ask:   func(r *schemas.Requested) { r.With = json.RawMessage(`{"scope":5}`) },
			kinds: "requested refused", cause: "target", says: "parameters", remains: rehearsal.Running,
		},
		"gone before the plan": {
			ask:   func(r *schemas.Requested) { r.Target.ID = "c9" },
			kinds: "requested gone", cause: "target", says: "c9", remains: rehearsal.Running,
		},
		"gone before it was applied": {
			faults: fails("apply", fmt.Errorf("c1: %w", responder.ErrGone)),
			kinds:  "requested planned gone", cause: "target", says: "c1", remains: rehearsal.Running,
		},
		"gone half way": {
			faults: fails("half", fmt.Errorf("c1: %w", responder.ErrGone)),
			kinds:  "requested planned gone", cause: "target", says: "c1", remains: rehearsal.Running,
		},
		"refused half way": {
			faults: fails("half", fmt.Errorf("c1: %w", responder.ErrRefused)),
			kinds:  "requested planned refused", cause: "target", says: "c1", remains: rehearsal.Running,
		},
		"plan fails": {
			faults: fails("plan", errors.New("containerd is away")),
			kinds:  "requested failed", cause: "error", says: "containerd is away", remains: rehearsal.Running,
		},
		"apply fails for now": {
			faults: fails("apply", fmt.Errorf("socket: %w", responder.ErrTransient)),
			kinds:  "requested planned failed", cause: "error", says: "socket", again: true, remains: rehearsal.Running,
		},
		"apply fails half way": {
			faults: fails("half", errors.New("disk")),
			kinds:  "requested planned failed", cause: "error", says: "disk", remains: rehearsal.Paused,
		},
		"apply panics": {faults: rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
			if method == "apply" {
				panic("nil map")
			}
			return nil
		}}, kinds: "requested planned failed", cause: "error", says: "panicked: nil map", remains: rehearsal.Running},
		"apply hangs": {
			faults: rehearsal.Faults{Before: func(ctx context.Context, method, _ string) error {
				if method == "apply" {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}}, adjust: func(c *responder.Config) { c.Timeout = 20 * time.Millisecond },
			kinds: "requested planned failed", cause: "error", says: "not done within", again: true, remains: rehearsal.Running,
		},
		"dry run": {
			ask:   func(r *schemas.Requested) { r.Mode = "observe" },
			kinds: "requested observed", remains: rehearsal.Running,
		},
		"verification fails": {
			faults: fails("verify", errors.New("no cgroup")),
			kinds:  "requested planned applied unverified", remains: rehearsal.Paused,
		},
		"verification fails for now, always": {
			faults: fails("verify", responder.ErrTransient),
			adjust: func(c *responder.Config) { c.Looks = 3 },
			kinds:  "requested planned applied unverified", remains: rehearsal.Paused,
		},
		"verification finds it gone": {
			faults: fails("verify", fmt.Errorf("c1: %w", responder.ErrGone)),
			kinds:  "requested planned applied gone", cause: "target", says: "c1", remains: rehearsal.Running,
		},
		"verification looks again": {
			faults: rehearsal.Faults{VerifyLater: 3},
			kinds:  "requested planned applied enforced", remains: rehearsal.Paused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.world.Add("sidecar", "p1", rehearsal.Running)
			req := requested(d.world.Add("c1", "p1", rehearsal.Running))
			if tc.ask != nil {
				tc.ask(&req)
			}
			d.guard, d.adjust = guardrail.New(tc.guard), tc.adjust
			d.start(tc.faults)
			d.write("conductor", "i1", "t1", schemas.KindRequested, 0, req)
			words := strings.Fields(tc.kinds)
			last := d.wait("i1", "t1", schemas.Kind(words[len(words)-1]))
			d.stop()
			if got := d.kinds("i1"); got != tc.kinds {
				t.Errorf("records: %s\n   want: %s", got, tc.kinds)
			}
			if tc.cause != "" {
				var o schemas.Outcome
				if err := last.Decode(&o); err != nil {
					t.Fatal(err)
				}
				if o.Cause != tc.cause || !strings.Contains(o.Reason, tc.says) || o.Transient != tc.again {
					t.Errorf("outcome %+v; want cause %s, transient %v, and %q in the reason", o, tc.cause, tc.again, tc.says)
				}
			}
			if got := d.world.State("c1"); got != tc.remains {
				t.Errorf("the thing is %s, want %s", got, tc.remains)
			}
		})
	}
}

func TestOnlyTheConductorMayAsk(t *testing.T) {
	d := newDesk(t)
	target, other := d.world.Add("c1", "", rehearsal.Running), d.world.Add("c2", "", rehearsal.Running)
	d.start(rehearsal.Faults{})
	task := schemas.TaskID("stop", "c1")
	d.write("thief", "i1", task, schemas.KindRequested, 0, requested(target))
	good := d.request("i2", other)
	d.wait("i2", good, schemas.KindEnforced)
	d.write("thief", "i2", good, schemas.KindRelease, 0, schemas.Release{Reason: "asked"})
	more := d.request("i3", target)
	d.wait("i3", more, schemas.KindEnforced)
	d.stop()
	if got := d.kinds("i1"); got != "requested" {
		t.Errorf("a thief's request was carried out: %s", got)
	}
	if got := d.world.State("c2"); got != rehearsal.Paused {
		t.Errorf("a thief's release was carried out: %s", got)
	}
}

func TestFailedHalfWayIsUndoneAtItsRelease(t *testing.T) {
	d := newDesk(t)
	d.world.Add("c1-b", "p1", rehearsal.Running)
	target := d.world.Add("c1", "p1", rehearsal.Running)
	d.start(rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
		if method == "half" {
			return errors.New("the socket broke")
		}
		return nil
	}})
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindFailed)
	d.letGo("i1", task)
	d.wait("i1", task, schemas.KindReleased)
	for id, state := range d.world.Snapshot() {
		if state != rehearsal.Running {
			t.Errorf("%s is left %s", id, state)
		}
	}
}

// A retry must not take what the first attempt did for the prior state.
func TestRetryCarriesTheFirstPlanOut(t *testing.T) {
	d := newDesk(t)
	d.world.Add("c1-b", "p1", rehearsal.Running)
	target := d.world.Add("c1", "p1", rehearsal.Running)
	var tries atomic.Int32
	d.start(rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
		if method == "half" && tries.Add(1) == 1 {
			return fmt.Errorf("the socket broke: %w", responder.ErrTransient)
		}
		return nil
	}})
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindFailed)
	again := requested(target)
	again.Attempt = 2
	d.write("conductor", "i1", task, schemas.KindRequested, 1, again)
	d.wait("i1", task, schemas.KindEnforced)
	d.letGo("i1", task)
	d.wait("i1", task, schemas.KindReleased)
	for id, state := range d.world.Snapshot() {
		if state != rehearsal.Running {
			t.Errorf("%s is left %s", id, state)
		}
	}
	if got := d.world.Calls("plan"); got != 1 {
		t.Errorf("planned %d times, want once", got)
	}
}

func TestUndoThatFailsIsToldAndTriedAgain(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	var broken atomic.Bool
	broken.Store(true)
	f := rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
		if method == "undo" && broken.Load() {
			return responder.WithRemedy(errors.New("the socket is away"), "start containerd")
		}
		return nil
	}}
	d.start(f)
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindEnforced)
	d.letGo("i1", task)
	o := d.outcome("i1", task, schemas.KindFailed)
	if o.Remedy != "start containerd" || !strings.Contains(o.Reason, "the socket is away") {
		t.Errorf("outcome %+v", o)
	}
	d.stop()
	d.start(f) // a restart does not tell it twice, nor forget it
	calls := d.world.Calls("undo")
	d.until("tried again", func() bool { return d.world.Calls("undo") > calls+3 })
	broken.Store(false)
	d.wait("i1", task, schemas.KindReleased)
	if got, want := d.kinds("i1"), "requested planned applied enforced release releasing failed released"; got != want {
		t.Errorf("records: %s\n   want: %s", got, want)
	}
	if got := d.world.State("c1"); got != rehearsal.Running {
		t.Errorf("the thing is %s", got)
	}
}

func TestOneTargetAtATimeManyTargetsAtOnce(t *testing.T) {
	d := newDesk(t)
	var mu sync.Mutex
	inside, most := map[string]int{}, 0
	meet := make(chan struct{})
	d.start(rehearsal.Faults{Before: func(ctx context.Context, method, id string) error {
		if method != "apply" {
			return nil
		}
		pod := id[:2]
		mu.Lock()
		inside[pod]++
		if inside[pod] > 1 {
			t.Errorf("two at once in pod %s", pod)
		}
		most = max(most, len(inside))
		if len(inside) == 2 {
			select {
			case <-meet:
			default:
				close(meet)
			}
		}
		mu.Unlock()
		select { // both pods must be inside together once
		case <-meet:
		case <-ctx.Done():
		}
		mu.Lock()
		if inside[pod]--; inside[pod] == 0 {
			delete(inside, pod)
		}
		mu.Unlock()
		return nil
	}})
	tasks := map[string]string{}
	for _, id := range []string{"p1a", "p1b", "p2a", "p2b"} {
		target := d.world.Add(id, id[:2], rehearsal.Running)
		tasks["i-"+id] = d.request("i-"+id, target)
	}
	for incident, task := range tasks {
		d.wait(incident, task, schemas.KindEnforced)
	}
	if most < 2 {
		t.Errorf("never two targets at once")
	}
}

func TestFullQueueLosesNothing(t *testing.T) {
	d := newDesk(t)
	d.adjust = func(c *responder.Config) { c.Queue, c.Workers = 1, 2 }
	d.start(rehearsal.Faults{Before: func(context.Context, string, string) error { time.Sleep(time.Millisecond); return nil }})
	tasks := map[string]string{}
	for n := range 100 {
		incident := fmt.Sprintf("i%d", n)
		tasks[incident] = d.request(incident, d.world.Add(fmt.Sprintf("c%d", n), "", rehearsal.Running))
	}
	for incident, task := range tasks {
		d.wait(incident, task, schemas.KindEnforced)
	}
}
