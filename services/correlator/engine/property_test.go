package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// ledger keeps decisions as the service would store them.
type ledger struct {
	list []schemas.Record
	ids  map[string]bool
}

func (l *ledger) add(t fataler, d Decision) {
	var r schemas.Record
	var err error
	switch d := d.(type) {
	case Opened:
		r, err = schemas.NewRecord(d.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, d.Opened.Trigger.Time, d.Opened)
	case Recurred:
		r, err = schemas.NewRecord(d.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, d.N, d.Recurred.Trigger.Time, d.Recurred)
	default:
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if l.ids == nil {
		l.ids = map[string]bool{}
	}
	if l.ids[r.ID] {
		return
	}
	l.ids[r.ID] = true
	r.Seq, r.Stored = uint64(len(l.list)+1), r.Time.Add(time.Second)
	l.list = append(l.list, r)
}

func (l *ledger) names() []string {
	var out []string
	for _, r := range l.list {
		out = append(out, fmt.Sprintf("%s %s", r.ID, r.Data))
	}
	return out
}

// step of a log: an event, or another set in force.
type step struct {
	event schemas.Event
	set   *playbook.Set
}

// drawLog makes a log of process starts, marks and sets, whose times run
// forward with some disorder.
func drawLog(t *rapid.T, sets []*playbook.Set) []step {
	var log []step
	now := time.Duration(0)
	for n := range rapid.IntRange(1, 60).Draw(t, "events") {
		seq := n + 1
		now += time.Duration(rapid.IntRange(0, 40).Draw(t, "passes")) * time.Second
		at := max(0, now-time.Duration(rapid.IntRange(0, 20).Draw(t, "late"))*time.Second)
		container := fmt.Sprintf("c%d", rapid.IntRange(1, 3).Draw(t, "container"))
		g := schemas.GroupEvent{Playbook: "p1", Group: container}
		switch rapid.IntRange(0, 12).Draw(t, "what") {
		case 0:
			of := rapid.IntRange(1, seq).Draw(t, "armed for")
			g.Incident = IncidentID("p1", container, "/local/n1/exec", fmt.Sprintf("e%d", of))
			log = append(log, step{event: says(t, seq, at, schemas.GroupArmed, g)})
		case 1:
			g.Until = epoch.Add(now + time.Minute).Format(time.RFC3339Nano)
			log = append(log, step{event: says(t, seq, at, schemas.GroupSuppressed, g)})
		case 2:
			log = append(log, step{event: start(seq, at, container, "sh"), set: rapid.SampledFrom(sets).Draw(t, "set")})
		default:
			e := start(seq, at, container, rapid.SampledFrom([]string{"xmrig", "minerd", "sh"}).Draw(t, "program"))
			e.Stored = epoch.Add(now + time.Millisecond)
			log = append(log, step{event: e})
		}
	}
	return log
}

func sets(t fataler) []*playbook.Set {
	p1 := miner(t, "p1", "xmrig", 2*time.Minute, "container.id")
	p2 := miner(t, "p2", "minerd", time.Minute, "container.image.digest")
	p3 := miner(t, "p3", "xmrig", 0)
	return []*playbook.Set{set("a", p1, p2, p3), set("b", p1), set("c", p2, p3)}
}

func play(t fataler, e *Engine, log []step, into *ledger) {
	for _, s := range log {
		if s.set != nil {
			e.Swap(s.set)
		}
		for _, d := range e.Apply(s.event) {
			into.add(t, d)
		}
	}
}

func TestSameLogSameDecisions(t *testing.T) {
	all := sets(t)
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t, all)
		var one, two ledger
		play(t, New(all[0]), log, &one)
		play(t, New(all[0]), log, &two)
		if d := cmp.Diff(one.names(), two.names()); d != "" {
			t.Fatal(d)
		}
	})
}

// A crash at any event, after any of its decisions was stored, with a cursor
// that lies any way behind, leads to the same ledger.
func TestARestartAnywhereDecidesTheSame(t *testing.T) {
	all := sets(t)
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t, all)
		var want ledger
		play(t, New(all[0]), log, &want)

		crash := rapid.IntRange(0, len(log)-1).Draw(t, "crash")
		saved := rapid.IntRange(0, crash).Draw(t, "cursor")
		var got ledger
		e := New(all[0])
		play(t, e, log[:saved], &got)
		marks := e.Marks()
		play(t, e, log[saved:crash], &got)
		if s := log[crash]; true {
			if s.set != nil {
				e.Swap(s.set)
			}
			ds := e.Apply(s.event)
			for _, d := range ds[:rapid.IntRange(0, len(ds)).Draw(t, "stored")] {
				got.add(t, d)
			}
		}

		// The set in force at the cursor is that of the log before it.
		current := all[0]
		for _, s := range log[:saved] {
			if s.set != nil {
				current = s.set
			}
		}
		again := New(current)
		for _, r := range got.list {
			if err := again.Seed(r); err != nil {
				t.Fatal(err)
			}
		}
		again.Restore(marks)
		play(t, again, log[saved:], &got)
		if d := cmp.Diff(want.names(), got.names()); d != "" {
			t.Fatal(d)
		}
	})
}
