package conductor

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/incident"
)

var (
	pause = schemas.Step{ID: "pause", Do: "container.pause"}
	fence = schemas.Step{ID: "fence", Do: "container.fence"}
	tell  = schemas.Step{ID: "tell", Do: "notify.log"}
)

func TestContainsAndReleases(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.place("core")
	r.conductor(r.core)
	r.open("i1", opened([]string{"c1", "c2"}, pause, fence, tell))
	r.until("containment", r.stateIs("i1", "pause c1 enforced\npause c2 enforced\nfence c1 enforced\nfence c2 enforced\ntell i1 applied"))
	if s := r.fold("i1").State(); s != incident.Open {
		t.Errorf("state %s while it is held", s)
	}

	r.people("i1", 0, schemas.ReleaseAsked{By: "ann", Why: "a drill", Suppress: schemas.Duration(time.Hour)})
	r.until("the end", r.closed("i1"))
	if got := r.fold("i1").Outcome(); got != incident.OutcomeContained {
		t.Errorf("outcome %s", got)
	}
	var order []string
	for _, rec := range r.bus.Records() {
		if rec.Kind == schemas.KindRelease {
			task, _ := r.fold("i1").Task(rec.Task)
			order = append(order, task.Step)
		}
	}
	if d := cmp.Diff([]string{"fence", "fence", "pause", "pause"}, order); d != "" {
		t.Error(d)
	}
	want := []schemas.GroupEvent{{Playbook: "p", Group: "g", Incident: "i1", Until: epoch.Add(time.Hour).Format(time.RFC3339Nano), Reason: schemas.GroupSuppressed}, {Playbook: "p", Group: "g", Incident: "i1", Reason: schemas.GroupArmed}}
	if d := cmp.Diff(want, r.events()); d != "" {
		t.Error(d)
	}
}

func TestObserveTouchesNothing(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.place("core")
	r.conductor(r.core)
	o := opened([]string{"c1"}, pause, tell)
	o.Guard.Mode = "observe"
	r.open("i1", o)
	r.until("the end", r.closed("i1"))
	if d := cmp.Diff("pause c1 observed\ntell i1 observed", r.states("i1")); d != "" {
		t.Error(d)
	}
}

func TestHold(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.setHold(schemas.Hold{On: true, By: "ann", Why: "a drill"})
	r.conductor(r.core)
	r.open("i1", opened([]string{"c1"}, pause))
	r.until("the end", r.closed("i1"))
	if d := cmp.Diff("pause c1 skipped", r.states("i1")); d != "" {
		t.Error(d)
	}
	r.setHold(schemas.Hold{})
	n := 0
	r.until("acts again", func() bool {
		n++
		id := "after" + time.Duration(n).String()
		r.open(id, opened([]string{"c1"}, pause))
		r.until("its end", func() bool { return r.states(id) == "pause c1 enforced" || r.states(id) == "pause c1 skipped" })
		return r.states(id) == "pause c1 enforced"
	})
}

func TestAHoldThatCannotBeReadStops(t *testing.T) {
	r := newRig(t)
	if _, err := r.core.PutState(t.Context(), holdKey, []byte("{"), 0); err != nil {
		t.Fatal(err)
	}
	r.conductor(r.core)
	r.open("i1", opened([]string{"c1"}, pause))
	r.until("the end", r.closed("i1"))
	if d := cmp.Diff("pause c1 skipped", r.states("i1")); d != "" {
		t.Error(d)
	}
}

func TestBudgetAcrossIncidents(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	limit := func(o schemas.Opened) schemas.Opened {
		o.Guard.Limit = &schemas.Limit{Targets: 1, Per: schemas.Duration(time.Hour)}
		return o
	}
	stop := r.conductor(r.core)
	r.open("i1", limit(opened([]string{"c1"}, pause, fence)))
	r.until("the first", r.stateIs("i1", "pause c1 enforced\nfence c1 enforced"))
	stop() // the budget is in the ledger
	r.conductor(r.core)
	r.open("i2", limit(opened([]string{"c2"}, pause)))
	r.until("the second", r.stateIs("i2", "pause c2 refused"))
}

func TestFailureRunsOnFailureAndArms(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.answer("container.pause", answer{schemas.KindFailed, schemas.Outcome{Reason: "no containerd"}})
	r.conductor(r.core)
	r.open("i1", opened([]string{"c1"}, pause))
	r.until("the end", r.closed("i1"))
	want := []schemas.GroupEvent{{Playbook: "p", Group: "g", Incident: "i1", Reason: schemas.GroupArmed}}
	if d := cmp.Diff(want, r.events()); d != "" {
		t.Error(d)
	}
	if got := r.fold("i1").Outcome(); got != incident.OutcomeFailed {
		t.Errorf("outcome %s", got)
	}

	redressed := pause
	redressed.OnFailure = []schemas.Step{fence}
	r.open("i2", opened([]string{"c1"}, redressed))
	r.until("the redress", r.stateIs("i2", "pause c1 failed\nfence c1 enforced"))
	if d := cmp.Diff(want, r.events()); d != "" {
		t.Error(d)
	}
}

// TestArmedWhenNothingStandsInTheWay: after a release, and when the hold or a
// budget put the response off; not after what was only observed.
func TestArmedWhenNothingStandsInTheWay(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.conductor(r.core)
	r.open("i1", opened([]string{"c1"}, pause))
	r.until("the pause", r.stateIs("i1", "pause c1 enforced"))
	if got := r.events(); len(got) != 0 {
		t.Fatalf("armed while it is held: %v", got)
	}
	r.people("i1", 0, schemas.ReleaseAsked{By: "p"})
	r.until("the end", r.closed("i1"))

	limited := opened([]string{"c2"}, pause)
	limited.Guard.Limit = &schemas.Limit{Targets: 1, Per: schemas.Duration(time.Hour)}
	r.open("i2", limited)
	r.until("the second end", r.closed("i2"))

	dry := opened([]string{"c3"}, pause)
	dry.Guard.Mode = "observe"
	r.answer("container.pause", answer{schemas.KindObserved, schemas.Plan{}})
	r.open("i3", dry)
	r.until("the dry end", r.closed("i3"))
	var armed []string
	for _, e := range r.events() {
		armed = append(armed, e.Incident)
	}
	if d := cmp.Diff([]string{"i1", "i2"}, armed); d != "" {
		t.Error(d)
	}
}

func TestRetries(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	failed := answer{schemas.KindFailed, schemas.Outcome{Transient: true, Reason: "busy"}}
	r.answer("container.pause", failed)
	r.answer("container.pause 2", failed)
	r.answer("container.pause 3", answer{schemas.KindPlanned, schemas.Plan{}}, answer{schemas.KindApplied, schemas.Effect{}}, answer{schemas.KindEnforced, schemas.Verdict{}})
	r.conductor(r.core)
	s := pause
	s.Retry = &schemas.Retry{Attempts: 2, Backoff: schemas.Duration(50 * time.Millisecond)}
	r.open("i1", opened([]string{"c1"}, s))
	r.passes("the third attempt", r.stateIs("i1", "pause c1 enforced"))
}

func TestAPlaceThatIsAway(t *testing.T) {
	r := newRig(t)
	r.place("core")
	r.conductor(r.core)
	s := pause
	s.Timeout = schemas.Duration(100 * time.Millisecond)
	r.open("i1", opened([]string{"c1"}, s, tell))
	r.passes("the next step", r.stateIs("i1", "pause c1 failed\ntell i1 applied"))
	if cause := r.fold("i1").Tasks()[0].Outcome().Cause; cause != "timeout" {
		t.Errorf("cause %s", cause)
	}
	r.place("node-n1") // it comes back
	r.until("its answer", r.stateIs("i1", "pause c1 enforced\ntell i1 applied"))
}

func TestExpiry(t *testing.T) {
	hold := func(onExpire string) schemas.Step {
		s := pause
		s.For, s.OnExpire = schemas.Duration(200*time.Millisecond), onExpire
		return s
	}
	t.Run("release", func(t *testing.T) {
		r := newRig(t)
		r.place("node-n1")
		r.conductor(r.core)
		r.open("i1", opened([]string{"c1"}, hold("release")))
		r.passes("the end", r.closed("i1"))
		task := r.fold("i1").Tasks()[0]
		if task.NoticedAt.IsZero() || task.ExpiredAt.IsZero() || task.State() != incident.Released {
			t.Errorf("noticed %v, expired %v, state %s", task.NoticedAt, task.ExpiredAt, task.State())
		}
		if v, _, err := r.core.GetState(t.Context(), timerKey("i1", task.ID)); err != nil || v != nil {
			t.Errorf("its timer is still there: %s %v", v, err)
		}
	})
	t.Run("keep", func(t *testing.T) {
		r := newRig(t)
		r.place("node-n1")
		r.conductor(r.core)
		r.open("i1", opened([]string{"c1"}, hold("")))
		r.passes("the mark", func() bool {
			tasks := r.fold("i1").Tasks()
			return len(tasks) == 1 && !tasks[0].ExpiredAt.IsZero()
		})
		if d := cmp.Diff("pause c1 enforced", r.states("i1")); d != "" {
			t.Error(d)
		}
	})
	t.Run("not on hold, and downtime does not count", func(t *testing.T) {
		r := newRig(t)
		r.place("node-n1")
		stop := r.conductor(r.core)
		r.open("i1", opened([]string{"c1"}, hold("release")))
		r.passes("the notice", func() bool {
			tasks := r.fold("i1").Tasks()
			return len(tasks) == 1 && !tasks[0].NoticedAt.IsZero()
		})
		r.setHold(schemas.Hold{On: true})
		stop()
		r.now.add(24 * time.Hour)
		stop = r.conductor(r.core)
		for range 50 {
			r.now.add(10 * time.Millisecond)
			time.Sleep(2 * time.Millisecond)
		}
		if d := cmp.Diff("pause c1 enforced", r.states("i1")); d != "" {
			t.Error(d)
		}
		stop()
		r.setHold(schemas.Hold{})
		r.conductor(r.core)
		r.passes("the end", r.closed("i1"))
	})
}

func TestARecurrenceBringsANewTarget(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.answer("container.pause", answer{schemas.KindGone, schemas.Outcome{Reason: "it has exited"}})
	r.conductor(r.core)
	r.open("i1", opened([]string{"c1"}, pause))
	r.until("the end", r.closed("i1"))
	if said := r.events(); len(said) != 1 || said[0].Incident != "i1" || said[0].Until != "" {
		t.Errorf("events %+v: a container that comes again under its id opens none", said)
	}
	s := signal("c2")
	r.answer("container.pause", answer{schemas.KindPlanned, schemas.Plan{}}, answer{schemas.KindApplied, schemas.Effect{}}, answer{schemas.KindEnforced, schemas.Verdict{}})
	r.add(r.core, "i1", schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, 1, schemas.Recurred{Trigger: s["sc2"].EventRef, Signals: s})
	r.until("the new target", r.stateIs("i1", "pause c1 gone\npause c2 enforced"))
	if s := r.fold("i1").State(); s != incident.Open {
		t.Errorf("state %s", s)
	}
}

// mute is a bus whose log of events takes nothing, as on a disk that is almost full.
type mute struct {
	*bustest.Client
	open atomic.Bool
}

func (m *mute) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
	if !m.open.Load() {
		return 0, errors.New("no space for events")
	}
	return m.Client.Publish(ctx, e)
}

func TestAReleaseDoesNotWaitForTheEvents(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	bus := &mute{Client: r.core}
	r.conductor(bus)
	r.open("i1", opened([]string{"c1"}, pause))
	r.until("the containment", r.stateIs("i1", "pause c1 enforced"))
	r.people("i1", 1, schemas.ReleaseAsked{By: "ann", Suppress: schemas.Duration(time.Hour)})
	r.until("the release", r.stateIs("i1", "pause c1 released"))
	if s := r.fold("i1").State(); s != incident.Open {
		t.Errorf("state %s before the group is silenced", s)
	}
	bus.open.Store(true)
	r.passes("the end", r.closed("i1"))
	if said := r.events(); len(said) != 2 || said[0].Until == "" || said[1].Reason != schemas.GroupArmed {
		t.Errorf("events %+v, want the silence", said)
	}
}

// crashing is a bus whose process dies at some write: that write and all after
// it fail, and perhaps the dying one was stored.
type crashing struct {
	*bustest.Client
	left   atomic.Int32
	stored bool
	dead   chan struct{}
}

var errDead = errors.New("dead")

func (c *crashing) write(do func() error) error {
	n := c.left.Add(-1)
	if n > 0 {
		return do()
	}
	if n == 0 {
		defer close(c.dead)
		if c.stored {
			if err := do(); err != nil {
				return err
			}
		}
	}
	return errDead
}

func (c *crashing) Append(ctx context.Context, r schemas.Record, after schemas.Head) (out schemas.Record, err error) {
	err = c.write(func() error { out, err = c.Client.Append(ctx, r, after); return err })
	return out, err
}

func (c *crashing) Publish(ctx context.Context, e schemas.Event) (seq uint64, err error) {
	err = c.write(func() error { seq, err = c.Client.Publish(ctx, e); return err })
	return seq, err
}

// A crash at any write, stored or not, leads to the same end: each task once,
// nothing held, closed once.
func TestACrashAtAnyWrite(t *testing.T) {
	bad := fence
	bad.ID, bad.Do = "bad", "container.shout"
	s := pause
	s.OnFailure = []schemas.Step{fence}
	steps := []schemas.Step{s, bad, {ID: "both", Parallel: []schemas.Step{{ID: "fence2", Do: "container.fence"}, tell}}}
	const want = "pause c1 failed\npause c2 failed\nfence c1 released\nfence c2 released\nbad  skipped\nfence2 c1 released\nfence2 c2 released\ntell i1 applied"
	for crash := range 30 {
		for _, stored := range []bool{false, true} {
			r := newRig(t)
			r.answer("container.pause", answer{schemas.KindFailed, schemas.Outcome{Reason: "no containerd"}})
			r.place("node-n1")
			r.place("core")
			c := &crashing{Client: r.core, stored: stored, dead: make(chan struct{})}
			c.left.Store(int32(crash + 1))
			stop := r.conductor(c)
			ends := func() bool {
				select {
				case <-c.dead:
					return true
				default:
					return r.closed("i1")()
				}
			}
			r.open("i1", opened([]string{"c1", "c2"}, steps...))
			contained := func() bool {
				i := r.fold("i1")
				return len(i.Holding()) == 4 && i.Failed() == false && len(i.Tasks()) == 8 && i.Tasks()[7].Final()
			}
			r.until("containment or crash", func() bool { return contained() || ends() })
			select {
			case <-c.dead:
				stop()
				stop = r.conductor(r.core)
				r.until("containment", contained)
			default:
			}
			r.people("i1", 0, schemas.ReleaseAsked{By: "ann"})
			r.until("release or crash", ends)
			if !r.closed("i1")() {
				stop()
				r.conductor(r.core)
			}
			r.until("the end", r.closed("i1"))
			if d := cmp.Diff(want, r.states("i1")); d != "" {
				t.Fatalf("crash at write %d (stored %v): %s\n%s", crash, stored, d, r.log())
			}
			seen := map[string]bool{}
			for _, rec := range r.bus.Records() {
				if seen[rec.ID] {
					t.Fatalf("crash at write %d (stored %v): %s twice\n%s", crash, stored, rec.ID, r.log())
				}
				seen[rec.ID] = true
			}
			for _, stop := range r.stops {
				stop()
			}
			r.stops = nil
		}
	}
}

func TestAsksTheInventory(t *testing.T) {
	r := newRig(t)
	r.place("node-n1")
	r.place("node-n2")
	for _, it := range []schemas.Item{
		{Kind: "container", ID: "c1", Owner: "node-n1", AsOf: epoch, Entities: schemas.Entities{Host: &schemas.Host{Name: "n1"}, Container: &schemas.Container{ID: "c1"}}},
		{Kind: "container", ID: "c9", Owner: "node-n2", AsOf: epoch, Entities: schemas.Entities{Host: &schemas.Host{Name: "n2"}, Container: &schemas.Container{ID: "c9"}}},
	} {
		if err := r.core.PutItem(t.Context(), it); err != nil {
			t.Fatal(err)
		}
	}
	r.conductor(r.core)
	all := pause
	all.Target = `inventory.containers("n1") + inventory.containers("n2")`
	r.open("i1", opened([]string{"c1"}, all))
	r.until("containment of both", r.stateIs("i1", "pause c1 enforced\npause c9 enforced"))
	for _, rec := range r.bus.Records() {
		if rec.Kind != schemas.KindRequested {
			continue
		}
		var asked schemas.Requested
		if err := rec.Decode(&asked); err != nil {
			t.Fatal(err)
		}
		want := &schemas.Answer{AsOf: epoch, Asked: []string{"containers(n1)", "containers(n2)"}, Found: []string{"c1", "c9"}}
		if d := cmp.Diff(want, asked.Asked); d != "" {
			t.Error(d)
		}
	}
}
