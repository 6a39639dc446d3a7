package engine

import (
	"fmt"
	"slices"
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
			g.Incident = incidentOf("p1", container, start(of, 0, container, "xmrig"))
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

// everything are the operators whose completions depend on events and their
// times alone.
var everything = []playbook.Op{
	playbook.OpAny, playbook.OpAll, playbook.OpSequence, playbook.OpCount, playbook.OpDistinct, playbook.OpAbsent,
}

// resets says that the playbook's own match counts anew after it has fired.
func resets(p *playbook.Playbook) bool {
	return p.Match.Op == playbook.OpCount || p.Match.Op == playbook.OpDistinct
}

func TestAgainstTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlaybook(t, "p", everything...)
		againstTheOracle(t, p)
	})
}

func againstTheOracle(t *rapid.T, p *playbook.Playbook) {
	events := drawEvents(t, 40)
	var log []schemas.Event
	if rapid.Bool().Draw(t, "lagging") {
		log = ended(lagging(t, events))
	} else {
		log = ended(interleaved(t, events))
	}
	got := run(t, assuming(set("d", p)), log, log)
	groups, stands := newOracle(t, p, events).groups()
	if d := cmp.Diff(groups, groupsIn(got)); d != "" {
		t.Fatal(d)
	}
	if p.Once == 0 && !resets(p) {
		if d := cmp.Diff(stands, standsIn(got, "p")); d != "" {
			t.Fatal(d)
		}
	}
}

// One operator at a time is looked at more closely.
func TestEachOperatorAgainstTheOracle(t *testing.T) {
	for _, op := range everything[1:] {
		t.Run(string(op), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				ops := []playbook.Op{op}
				if op == playbook.OpSequence {
					ops = append(ops, playbook.OpAbsent) // with until, too
				}
				againstTheOracle(t, drawNested(t, "p", ops...))
			})
		})
	}
}

// What is usual is known only from what has come: the oracle agrees where
// events come in order and nothing waits for the watermark.
func TestBaselineAgainstTheOracle(t *testing.T) {
	ops := []playbook.Op{playbook.OpBaseline, playbook.OpAny, playbook.OpAll, playbook.OpCount}
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlaybook(t, "p", ops...)
		events := drawEvents(t, 60)
		log := ended(inOrder(events))
		groups, _ := newOracle(t, p, events).groups()
		if d := cmp.Diff(groups, groupsIn(run(t, assuming(set("d", p)), log, log))); d != "" {
			t.Fatal(d)
		}
	})
}

func TestAnotherOrderOpensForTheSameGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := drawPlaybook(t, "p", everything...), drawPlaybook(t, "q", everything...)
		events := drawEvents(t, 40)
		one, two := ended(interleaved(t, events)), ended(interleaved(t, events))
		first := run(t, assuming(set("d", p, q)), one, one)
		second := run(t, assuming(set("d", p, q)), two, two)
		if d := cmp.Diff(groupsIn(first), groupsIn(second)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestADuplicateChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := set("d", drawPlaybook(t, "p", everything...))
		log := interleaved(t, drawEvents(t, 40))
		i := rapid.IntRange(0, len(log)-1).Draw(t, "event")
		j := rapid.IntRange(i+1, len(log)).Draw(t, "again")
		twice := log[i]
		if j > 0 {
			twice.Stored = log[j-1].Stored
		}
		doubled := slices.Insert(slices.Clone(log), j, twice)
		plain, more := ended(log), ended(doubled)
		want, got := run(t, assuming(s), plain, plain), run(t, assuming(s), more, plain)
		if d := cmp.Diff(groupsIn(want), groupsIn(got)); d != "" {
			t.Fatal(d)
		}
		if log[len(log)-1].Time.Sub(log[0].Time) > 40*time.Second {
			return // to deliver it again shows that its source lives, and the watermark waits for that
		}
		if d := cmp.Diff(incidentsIn(want), incidentsIn(got)); d != "" {
			t.Fatal(d)
		}
	})
}

// incidentsIn names what was decided.
func incidentsIn(ds []Decision) []string {
	var out []string
	for _, d := range ds {
		switch d := d.(type) {
		case Opened:
			out = append(out, "opened "+d.Incident)
		case Recurred:
			out = append(out, fmt.Sprint("recurred ", d.Incident, d.N))
		}
	}
	return out
}

// A set that comes into force decides from there on like one that always was,
// for the playbooks that it keeps; one that is new has seen nothing.
func TestAChangeOfTheSetTakesEffectAtItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q, r := drawPlaybook(t, "p", everything...), drawPlaybook(t, "q", everything...), drawPlaybook(t, "r", everything...)
		log := ended(interleaved(t, drawEvents(t, 40)))
		at := rapid.IntRange(0, len(log)).Draw(t, "place")
		of := func(ds []Decision, name string) (out []string) {
			for _, d := range ds {
				if o, ok := d.(Opened); ok && o.Opened.Playbook.Name == name {
					out = append(out, o.Incident)
				}
			}
			return out
		}
		e := assuming(set("one", p, q))
		before := run(t, e, log[:at], log)
		e.Swap(set("two", q, r))
		after := run(t, e, log[at:], log)

		old := assuming(set("one", p, q))
		if d := cmp.Diff(of(run(t, old, log[:at], log), "p"), of(append(before, after...), "p")); d != "" {
			t.Fatal("gone: ", d)
		}
		always := run(t, assuming(set("two", q)), log, log)
		if d := cmp.Diff(of(always, "q"), of(append(before, after...), "q")); d != "" {
			t.Fatal("kept: ", d)
		}
		// One that is new knows the time, but no event from before.
		blank := assuming(set("none"))
		run(t, blank, log[:at], log)
		blank.Swap(set("two", r))
		if d := cmp.Diff(of(run(t, blank, log[at:], log), "r"), of(after, "r")); d != "" {
			t.Fatal("new: ", d)
		}
	})
}

// Whatever is forgotten for lack of room is told, and what is kept stays below
// the bound.
func TestTooManyWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlaybook(t, "p", everything...)
		log := ended(interleaved(t, drawEvents(t, 60)))
		e := assuming(set("d", p))
		e.limits.windows = 1
		var told uint64
		for _, ev := range log {
			for _, d := range e.Apply(ev) {
				if o, ok := d.(Overflowed); ok {
					told += o.Count
				}
			}
			for _, n := range e.nodes {
				if e.store.Count(n.index) > 1 {
					t.Fatal("more windows than there may be")
				}
			}
		}
		if got := e.Stats()["p"].Overflowed; got != told {
			t.Fatalf("%d groups were forgotten, %d were told", got, told)
		}
	})
}

// A crash at any event, after any of its decisions was stored, without a
// snapshot, leads to the same ledger.
func TestARestartWithoutASnapshotDecidesTheSame(t *testing.T) {
	all := sets(t)
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t, all)
		var want ledger
		play(t, New(all[0]), log, &want)

		crash := rapid.IntRange(0, len(log)-1).Draw(t, "crash")
		var got ledger
		e := New(all[0])
		play(t, e, log[:crash], &got)
		if s := log[crash]; s.set != nil {
			e.Swap(s.set)
		}
		ds := e.Apply(log[crash].event)
		for _, d := range ds[:rapid.IntRange(0, len(ds)).Draw(t, "stored")] {
			got.add(t, d)
		}

		again := New(all[0])
		for _, r := range got.list {
			if err := again.Seed(r); err != nil {
				t.Fatal(err)
			}
		}
		play(t, again, log, &got)
		if d := cmp.Diff(want.names(), got.names()); d != "" {
			t.Fatal(d)
		}
	})
}
