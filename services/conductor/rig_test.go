package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/conductor/decide"
	"firebreak/services/incident"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func specs() []schemas.Spec {
	return []schemas.Spec{
		{Name: "container.pause", TargetKind: "container", Place: "node", Undo: "resumes", Verify: "the freezer"},
		{Name: "container.fence", TargetKind: "container", Place: "node", Undo: "lifts", Verify: "probes"},
		{Name: "notify.log", TargetKind: "incident", Place: "core"},
	}
}

// rig is a bus in memory with a conductor and places that answer it.
type rig struct {
	t    *testing.T
	bus  *bustest.Bus
	core *bustest.Client
	now  *clock

	mu      sync.Mutex
	answers map[string][]answer // by action: what a place records after a request, a release
	stops   []func()
}

// answer is a record of a place.
type answer struct {
	kind schemas.Kind
	data any
}

// clock is moved by the test: what waits for time is counted in its steps.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newRig(t *testing.T) *rig {
	b := bustest.New()
	r := &rig{t: t, bus: b, core: b.Client("core", ""), now: &clock{at: epoch}, answers: map[string][]answer{}}
	held := []answer{{schemas.KindPlanned, schemas.Plan{}}, {schemas.KindApplied, schemas.Effect{}}, {schemas.KindEnforced, schemas.Verdict{}}}
	r.answer("container.pause", held...)
	r.answer("container.fence", held...)
	r.answer("notify.log", answer{schemas.KindPlanned, schemas.Plan{}}, answer{schemas.KindApplied, schemas.Effect{}})
	t.Cleanup(func() {
		for _, stop := range r.stops {
			stop()
		}
	})
	return r
}

func (r *rig) answer(action string, a ...answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[action] = a
}

// place starts what answers at a place, from the ledger's start.
func (r *rig) place(name string) {
	c := r.bus.Client(name, name)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- c.FollowLedger(ctx, 0, func(rec schemas.Record) error { return r.respond(ctx, c, rec) }, nil)
	}()
	r.stops = append(r.stops, func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Errorf("place %s: %v", name, err)
		}
	})
}

func (r *rig) respond(ctx context.Context, c *bustest.Client, rec schemas.Record) error {
	var list []answer
	switch rec.Kind {
	case schemas.KindRequested:
		var q schemas.Requested
		if err := rec.Decode(&q); err != nil {
			return err
		}
		if q.Mode == incident.ModeObserve {
			list = []answer{{schemas.KindObserved, schemas.Plan{}}}
			break
		}
		r.mu.Lock()
		list = r.answers[q.Action]
		if q.Attempt > 1 {
			list = r.answers[fmt.Sprintf("%s %d", q.Action, q.Attempt)]
		}
		r.mu.Unlock()
	case schemas.KindRelease:
		list = []answer{{schemas.KindReleasing, schemas.Releasing{Undo: true}}, {schemas.KindReleased, schemas.Released{Undone: true}}}
	default:
		return nil
	}
	for _, a := range list {
		next, err := schemas.NewRecord(rec.Incident, rec.Task, rec.Place, a.kind, int(rec.Seq), epoch, a.data)
		if err != nil {
			return err
		}
		if rec, err = c.Append(ctx, next, rec.Head()); errors.Is(err, schemas.ErrConflict) {
			return nil // the conductor was quicker: its record comes next
		} else if err != nil {
			return err
		}
	}
	return nil
}

// conductor starts one; the returned function stops it.
func (r *rig) conductor(bus Bus) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	c := New(Config{Bus: bus, Items: r.core, Specs: specs(), Protected: decide.Protected{Containers: []string{"ours"}}, Cluster: "local", Tick: 5 * time.Millisecond, Now: r.now.Now})
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Errorf("run: %v", err)
			}
		})
	}
	r.stops = append(r.stops, stop)
	return stop
}

// signal of an event that speaks of these containers.
func signal(containers ...string) map[string]schemas.Signal {
	out := map[string]schemas.Signal{}
	for _, c := range containers {
		out["s"+c] = schemas.Signal{
			EventRef: schemas.EventRef{Source: "/l/n1/exec", ID: "e" + c, Type: schemas.ProcessStarted, Time: epoch},
			Data:     json.RawMessage(fmt.Sprintf(`{"host":{"name":"n1"},"container":{"id":%q},"process":{"pid":1}}`, c)),
		}
	}
	return out
}

func opened(containers []string, steps ...schemas.Step) schemas.Opened {
	s := signal(containers...)
	return schemas.Opened{
		Playbook: schemas.Playbook{Name: "p", Severity: "high"}, Group: "g", Once: schemas.Duration(time.Hour),
		Trigger: s["s"+containers[0]].EventRef, Signals: s, Guard: schemas.Guard{Mode: "enforce"}, Steps: steps,
	}
}

// add appends behind whatever is last.
func (r *rig) add(c *bustest.Client, id, task, place string, kind schemas.Kind, n int, data any) {
	r.t.Helper()
	rec, err := schemas.NewRecord(id, task, place, kind, n, epoch, data)
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		last, err := c.Last(r.t.Context(), id, task, place)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err = c.Append(r.t.Context(), rec, last.Head()); err == nil {
			return
		} else if !errors.Is(err, schemas.ErrConflict) {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) open(id string, o schemas.Opened) {
	r.t.Helper()
	r.add(r.core, id, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, o)
}

func (r *rig) people(id string, n int, a schemas.ReleaseAsked) {
	r.t.Helper()
	r.add(r.bus.Client("people", ""), id, schemas.TaskIncident, schemas.PlacePeople, schemas.KindReleaseAsked, n, a)
}

// fold gives an incident as the ledger has it; every record must fit.
func (r *rig) fold(id string) *incident.Incident {
	r.t.Helper()
	i := incident.New(id)
	for _, rec := range r.bus.Records() {
		if rec.Incident != id {
			continue
		}
		if err := i.Apply(rec); err != nil {
			r.t.Fatal(err)
		}
	}
	return i
}

// states gives "step target state" of an incident, one a line.
func (r *rig) states(id string) string {
	r.t.Helper()
	var out []string
	for _, t := range r.fold(id).Tasks() {
		out = append(out, fmt.Sprintf("%s %s %s", t.Step, t.Target.ID, t.State()))
	}
	return strings.Join(out, "\n")
}

// until waits for something to become true.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for: %s\n%s", what, r.log())
		}
	}
}

// passes lets time pass, tick by tick, until something is true.
func (r *rig) passes(what string, ok func() bool) {
	r.t.Helper()
	r.until(what, func() bool {
		r.now.add(10 * time.Millisecond) // all that a tick counts at most
		return ok()
	})
}

func (r *rig) log() string {
	var out []string
	for _, rec := range r.bus.Records() {
		out = append(out, fmt.Sprintf("%d %s %s", rec.Seq, rec.ID, rec.Data))
	}
	return strings.Join(out, "\n")
}

func (r *rig) closed(id string) func() bool {
	return func() bool { return r.fold(id).State() == incident.Closed }
}

func (r *rig) stateIs(id, want string) func() bool {
	return func() bool { return r.states(id) == want }
}

func (r *rig) setHold(h schemas.Hold) {
	r.t.Helper()
	_, rev, err := r.core.GetState(r.t.Context(), holdKey)
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := json.Marshal(h)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.core.PutState(r.t.Context(), holdKey, raw, rev); err != nil {
		r.t.Fatal(err)
	}
}

// events gives the types of what was published, with their group.
func (r *rig) events() []schemas.GroupEvent {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var out []schemas.GroupEvent
	err := r.core.FollowEvents(ctx, 0, func(e schemas.Event) error {
		var g schemas.GroupEvent
		if err := json.Unmarshal(e.Data, &g); err != nil {
			return err
		}
		g.Reason = e.Type
		out = append(out, g)
		return nil
	}, func() error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
	return out
}
