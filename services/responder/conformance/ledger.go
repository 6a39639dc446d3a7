package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

func pause(ctx context.Context, d schemas.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	case <-time.After(time.Duration(d)):
		return nil
	}
}

func dryRun(t T, c Case) {
	target := c.Target(t)
	before := c.Snapshot(t, target)
	d := newDesk(t, c, target.Place)
	d.start(0)
	task := d.request("dry", target, "observe")
	d.wait("dry", task, schemas.KindObserved)
	d.stop()
	same(t, "a dry run changed the world", before, c.Snapshot(t, target))
	if got, want := d.kinds("dry", task), []string{"requested", "observed"}; !cmp.Equal(got, want) {
		t.Errorf("records of a dry run: %v, want %v", got, want)
	}
}

// crash stops the executor at each point of its way, starts a new one on the
// same ledger, and wants the same end as without.
func crash(t T, c Case) {
	points := life(t, c, 0, "")
	for n, point := range points {
		life(t, c, n+1, fmt.Sprintf("crash at point %d, %s: ", n+1, point))
	}
}

// life takes a task from its request to its release, with a crash at a point.
func life(outer T, c Case, stopAt int, when string) []string {
	outer.Helper()
	t := &scope{T: outer}
	defer t.end()
	s := c.New(t).Spec()
	target := c.Target(t)
	before := c.rest(t, target)
	prior := c.plan(t, c.New(t), target).Prior
	d := newDesk(t, c, target.Place)
	d.start(stopAt)
	task := d.request("one", target, "enforce")
	d.revive(when, task, settled(s)...)
	end := d.wait("one", task, settled(s)...)
	if end.Kind != wanted(s) {
		t.Errorf("%sthe task ended %v, want %s", when, d.kinds("one", task), wanted(s))
	}
	if c.Contained != nil && !c.Contained(t, target) {
		t.Errorf("%sthe ledger says %s, and the target is not contained", when, end.Kind)
	}
	var p schemas.Plan
	if err := d.wait("one", task, schemas.KindPlanned).Decode(&p); err != nil {
		t.Errorf("%s%v", when, err)
	}
	same(t, when+"the recorded plan holds another prior state", string(prior), string(p.Prior))
	if s.Undo != "" {
		d.letGo("one", task)
		d.revive(when, task, schemas.KindReleased)
		d.wait("one", task, schemas.KindReleased)
	}
	points := d.stop()
	same(t, when+"when all was over, the world was not as before", before, c.rest(t, target))
	d.once(when, s)
	return points
}

// revive waits until the task has come to one of the kinds, and starts a new
// executor if this one crashes on the way there. A crash right at the end may
// be seen only by the next revive, which is as good.
func (d *desk) revive(when, task string, kinds ...schemas.Kind) {
	d.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		select {
		case err := <-d.done:
			if err != nil {
				d.t.Errorf("%sthe executor ended with %v", when, err)
			}
			d.start(0)
		default:
			if d.has("one", task, kinds) {
				return
			}
		}
	}
	d.t.Fatalf("%sthe task did not come to %v; the ledger holds %v", when, kinds, d.kinds("", ""))
}

func (d *desk) has(incident, task string, kinds []schemas.Kind) bool {
	for _, r := range d.bus.Records() {
		for _, k := range kinds {
			if r.Incident == incident && r.Task == task && r.Kind == k {
				return true
			}
		}
	}
	return false
}

// once: each fact is in the ledger one time, whatever crashed.
func (d *desk) once(when string, s schemas.Spec) {
	d.t.Helper()
	count := map[schemas.Kind]int{}
	for _, r := range d.bus.Records() {
		count[r.Kind]++
		var out schemas.Released
		if r.Kind == schemas.KindReleased {
			if err := r.Decode(&out); err != nil || !out.Undone {
				d.t.Errorf("%sreleased says undone: %v (error %v)", when, out.Undone, err)
			}
		}
	}
	kinds := []schemas.Kind{schemas.KindPlanned, schemas.KindApplied}
	if s.Verify != "" {
		kinds = append(kinds, wanted(s))
	}
	if s.Undo != "" {
		kinds = append(kinds, schemas.KindReleasing, schemas.KindReleased)
	}
	for _, k := range kinds {
		if count[k] != 1 {
			d.t.Errorf("%s%d records %s, want one: %v", when, count[k], k, d.kinds("", ""))
		}
	}
}

// holders: two incidents on what is one containment; the first to let go
// changes nothing, the last restores.
func holders(t T, c Case) {
	s := c.New(t).Spec()
	if s.Undo == "" {
		return
	}
	for _, firstOut := range []string{"one", "two"} {
		for _, sibling := range []bool{false, true} {
			if sibling && c.Sibling == nil {
				continue
			}
			twoHolders(t, c, s, firstOut, sibling)
		}
	}
}

func twoHolders(outer T, c Case, s schemas.Spec, firstOut string, sibling bool) {
	outer.Helper()
	t := &scope{T: outer}
	defer t.end()
	target := c.Target(t)
	other := target
	if sibling {
		other = c.Sibling(t, target)
	}
	before := c.Snapshot(t, target)
	d := newDesk(t, c, target.Place)
	d.start(0)
	tasks := map[string]string{"one": d.request("one", target, "enforce")}
	d.wait("one", tasks["one"], settled(s)...)
	tasks["two"] = d.request("two", other, "enforce")
	d.wait("two", tasks["two"], settled(s)...)
	held := c.Snapshot(t, target)
	lastOut := map[string]string{"one": "two", "two": "one"}[firstOut]

	d.letGo(firstOut, tasks[firstOut])
	d.wait(firstOut, tasks[firstOut], schemas.KindReleased)
	same(t, firstOut+" let go first, and that changed something", held, c.Snapshot(t, target))
	if c.Contained != nil && !c.Contained(t, target) {
		t.Errorf("%s let go first, and the target is no longer contained", firstOut)
	}
	d.stop()
	d.start(0) // the holders must be known again from the ledger alone
	d.letGo(lastOut, tasks[lastOut])
	d.wait(lastOut, tasks[lastOut], schemas.KindReleased)
	d.stop()
	if !c.Stays {
		same(t, "the last let go, and the world is not as it was", before, c.Snapshot(t, target))
	}
}
