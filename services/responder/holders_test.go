package responder_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/rehearsal"
)

// drama plays random interleavings of requests, releases, half failures,
// retries and crashes over a pod of two, a thing alone, and one that was
// paused before anybody came.
type drama struct {
	*desk
	before map[string]string
	open   []string          // incidents that hold, or may
	tasks  map[string]string // incident → task
	asked  map[string]schemas.Requested
	tries  map[string]int
	closed []string
	fuse   atomic.Int64 // points until the next crash; 0 none
	halves atomic.Int64 // Apply fails half way when this counts down to 0
	n      int
}

func newDrama(t tester) *drama {
	d := &drama{desk: newDesk(t), tasks: map[string]string{}, asked: map[string]schemas.Requested{}, tries: map[string]int{}}
	d.world.Add("a", "pod", rehearsal.Running)
	d.world.Add("b", "pod", rehearsal.Running)
	d.world.Add("c", "", rehearsal.Running)
	d.world.Add("d", "", rehearsal.Paused)
	d.before = d.world.Snapshot()
	d.adjust = func(c *responder.Config) {
		c.At = func(string) {
			if d.fuse.Load() > 0 && d.fuse.Add(-1) == 0 {
				d.crash()
			}
		}
	}
	d.up()
	return d
}

func (d *drama) up() {
	d.start(rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
		if method == "half" && d.halves.Load() > 0 && d.halves.Add(-1) == 0 {
			return fmt.Errorf("half way: %w", responder.ErrTransient)
		}
		return nil
	}})
}

func (d *drama) ask(id, scope string) {
	d.n++
	incident := fmt.Sprintf("i%d", d.n)
	target := d.world.Add(id, d.podOf(id), d.world.State(id))
	req := requested(target)
	req.With = json.RawMessage(`{"scope":"` + scope + `"}`)
	d.tasks[incident], d.asked[incident] = schemas.TaskID("stop", id), req
	d.open = append(d.open, incident)
	d.write("conductor", incident, d.tasks[incident], schemas.KindRequested, 0, req)
}

func (d *drama) podOf(id string) string {
	if id == "a" || id == "b" {
		return "pod"
	}
	return ""
}

func (d *drama) drop(n int) {
	incident := d.open[n%len(d.open)]
	d.open = slices.DeleteFunc(d.open, func(i string) bool { return i == incident })
	d.closed = append(d.closed, incident)
	d.letGo(incident, d.tasks[incident])
}

// retry asks again for what has failed.
func (d *drama) retry() {
	for _, incident := range d.open {
		if d.last(incident).Kind != schemas.KindFailed {
			continue
		}
		d.tries[incident]++
		req := d.asked[incident]
		req.Attempt = d.tries[incident] + 1
		d.write("conductor", incident, d.tasks[incident], schemas.KindRequested, d.tries[incident], req)
	}
}

func (d *drama) last(incident string) schemas.Record {
	r, err := d.bus.Client("", "").Last(context.Background(), incident, d.tasks[incident], place)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// quiet waits until all is done that was asked, bringing up what crashed.
func (d *drama) quiet() {
	d.t.Helper()
	rest := []schemas.Kind{schemas.KindEnforced, schemas.KindFailed, schemas.KindKept}
	d.until("quiet", func() bool {
		select {
		case <-d.ended:
			d.stop()
			d.up()
		default:
		}
		for _, i := range d.open {
			if !slices.Contains(rest, d.last(i).Kind) {
				return false
			}
		}
		for _, i := range d.closed {
			if d.last(i).Kind != schemas.KindReleased {
				return false
			}
		}
		return true
	})
	d.check()
}

// check: what is enforced and not let go is contained, and where nobody is
// left the world is as it was.
func (d *drama) check() {
	d.t.Helper()
	now := d.world.Snapshot()
	held := map[string]bool{}
	for _, incident := range d.open {
		target := d.asked[incident].Target.ID
		held[target], held[d.podOf(target)] = true, true
		if d.last(incident).Kind == schemas.KindEnforced && now[target] != rehearsal.Paused {
			d.t.Fatalf("%s is enforced, and %s is %s:\n%s", incident, target, now[target], d.story())
		}
	}
	for id, was := range d.before {
		if !held[id] && (d.podOf(id) == "" || !held["pod"]) && now[id] != was {
			d.t.Fatalf("nobody holds %s, and it is %s instead of %s:\n%s", id, now[id], was, d.story())
		}
	}
}

// TestHoldersProperty: whatever the interleaving, undo runs once, after the
// last holder, and ends in the first prior state.
func TestHoldersProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDrama(t)
		for range rapid.IntRange(4, 16).Draw(t, "length") {
			switch op := rapid.SampledFrom([]string{"ask", "ask", "drop", "retry", "quiet", "crash", "half"}).Draw(t, "op"); op {
			case "ask":
				d.ask(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "target"), rapid.SampledFrom([]string{"pod", "pod", "container"}).Draw(t, "scope"))
			case "drop":
				if len(d.open) > 0 {
					d.drop(rapid.IntRange(0, 9).Draw(t, "which"))
				}
			case "retry":
				d.quiet()
				d.retry()
			case "quiet":
				d.quiet()
			case "crash":
				d.fuse.Store(int64(rapid.IntRange(1, 25).Draw(t, "points")))
			case "half":
				d.halves.Store(int64(rapid.IntRange(1, 2).Draw(t, "applies")))
			}
		}
		d.quiet()
		for len(d.open) > 0 {
			d.drop(0)
		}
		d.quiet()
		d.stop()
		if diff := cmp.Diff(d.before, d.world.Snapshot()); diff != "" {
			t.Fatalf("all let go, and the world is not as it was:\n%s\n%s", diff, d.story())
		}
		for id := range d.before {
			if d.world.Halted(id) != d.world.Undone(id) {
				t.Fatalf("%s was paused %d times and undone %d times:\n%s", id, d.world.Halted(id), d.world.Undone(id), d.story())
			}
		}
	})
}

// Every release by the last holder says that it undid, and no other does.
func TestTwoHoldersInEitherOrder(t *testing.T) {
	for _, order := range [][]string{{"i1", "i2"}, {"i2", "i1"}} {
		for _, other := range []string{"a", "b"} {
			t.Run(order[0]+" first, the second on "+other, func(t *testing.T) {
				d := newDesk(t)
				a := d.world.Add("a", "pod", rehearsal.Running)
				d.world.Add("b", "pod", rehearsal.Running)
				d.start(rehearsal.Faults{})
				tasks := map[string]string{"i1": d.request("i1", a)}
				d.wait("i1", tasks["i1"], schemas.KindEnforced)
				tasks["i2"] = d.request("i2", d.world.Add(other, "pod", rehearsal.Paused))
				d.wait("i2", tasks["i2"], schemas.KindEnforced)
				var p schemas.Plan
				for _, r := range d.bus.Records() {
					if r.Incident == "i2" && r.Kind == schemas.KindPlanned {
						if err := r.Decode(&p); err != nil {
							t.Fatal(err)
						}
					}
				}
				if want := "i1/" + tasks["i1"]; p.PriorOf != want || string(p.Prior) != `{"a":"running","b":"running"}` {
					t.Errorf("the second plan goes by %q with %s, want the first holder's", p.PriorOf, p.Prior)
				}
				for n, incident := range order {
					d.letGo(incident, tasks[incident])
					var out schemas.Released
					if err := d.wait(incident, tasks[incident], schemas.KindReleased).Decode(&out); err != nil {
						t.Fatal(err)
					}
					want := map[int]string{0: rehearsal.Paused, 1: rehearsal.Running}[n]
					if out.Undone != (n == 1) || d.world.State("a") != want || d.world.State("b") != want {
						t.Errorf("release %d: undone %v, world %v", n+1, out.Undone, d.world.Snapshot())
					}
				}
			})
		}
	}
}

// A release while Apply runs must not lose what Apply did, and a conflict at
// any record is decided anew.
func TestReleaseAtEveryPoint(t *testing.T) {
	for _, point := range []string{
		"before plan", "after plan", "before planned", "after planned", "before apply", "after apply",
		"before applied", "after applied", "before verify", "after verify", "before enforced", "after enforced",
	} {
		t.Run(point, func(t *testing.T) {
			d := newDesk(t)
			target := d.world.Add("c1", "", rehearsal.Running)
			task := schemas.TaskID("stop", "c1")
			var once atomic.Bool
			d.adjust = func(c *responder.Config) {
				c.At = func(p string) {
					if p == point && once.CompareAndSwap(false, true) {
						d.letGo("i1", task)
					}
				}
			}
			d.start(rehearsal.Faults{})
			d.request("i1", target)
			d.wait("i1", task, schemas.KindReleased)
			d.stop()
			if got := d.world.State("c1"); got != rehearsal.Running || d.world.Halted("c1") != d.world.Undone("c1") {
				t.Errorf("the thing is %s, paused %d times and undone %d times: %s",
					got, d.world.Halted("c1"), d.world.Undone("c1"), d.kinds("i1"))
			}
		})
	}
}

// flaky is a ledger whose answers get lost.
type flaky struct {
	responder.Ledger
	n atomic.Int64
}

func (f *flaky) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	switch f.n.Add(1) % 3 {
	case 1:
		return schemas.Record{}, errors.New("the bus is away")
	case 2:
		if _, err := f.Ledger.Append(ctx, r, after); err != nil {
			return schemas.Record{}, err
		}
		return schemas.Record{}, errors.New("the answer was lost")
	default:
		return f.Ledger.Append(ctx, r, after)
	}
}

func TestFlakyLedgerRecordsEachFactOnce(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	d.ledger = &flaky{Ledger: d.bus.Client("responder", place)}
	d.start(rehearsal.Faults{})
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindEnforced)
	d.letGo("i1", task)
	d.wait("i1", task, schemas.KindReleased)
	if got, want := d.kinds("i1"), "requested planned applied enforced release releasing released"; got != want {
		t.Errorf("records: %s\n   want: %s", got, want)
	}
}

// picky is a ledger that takes no record of one kind, ever.
type picky struct {
	responder.Ledger
	kind schemas.Kind
}

func (p *picky) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	if r.Kind == p.kind {
		return schemas.Record{}, fmt.Errorf("append: %w: too large", schemas.ErrInvalid)
	}
	return p.Ledger.Append(ctx, r, after)
}

func TestRecordThatIsNeverTakenEndsTheTask(t *testing.T) {
	d := newDesk(t)
	target := d.world.Add("c1", "", rehearsal.Running)
	d.ledger = &picky{Ledger: d.bus.Client("responder", place), kind: schemas.KindApplied}
	d.start(rehearsal.Faults{})
	task := d.request("i1", target)
	d.wait("i1", task, schemas.KindFailed)
	d.letGo("i1", task) // what was done is undone all the same
	d.wait("i1", task, schemas.KindReleased)
	if got, want := d.kinds("i1"), "requested planned failed release releasing released"; got != want {
		t.Errorf("records: %s\n   want: %s", got, want)
	}
}
