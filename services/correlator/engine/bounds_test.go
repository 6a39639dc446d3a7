package engine

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// A million open windows take not more than 250 MB, those that wait for an
// absence too.
func TestAnOpenWindowIsSmall(t *testing.T) {
	const windows = 1 << 18
	before := inUse()
	e := New(set("d", counting(t, playbook.OpAbsent)))
	for i := range windows {
		e.feed(dataOf(fmt.Sprint("container-", i), 1), epoch.UnixNano()+int64(i), uint64(i+1))
	}
	after := inUse()
	if per := float64(after-before) / windows; per > 250 {
		t.Errorf("%.0f bytes for each of %d windows", per, e.Windows())
	}
	runtime.KeepAlive(e)
}

// What was noted of an event reads as it was.
func TestNotesReadAsTheyWereWritten(t *testing.T) {
	s := load(t, "gone: {absent: {after: a, expect: b}, by: [container.id, process.pid], within: 10s}",
		"{distinct: {of: gone, field: container.name, atLeast: 2}, by: host.name, within: 1m}", "")
	e := New(s)
	n := e.nodes[0]
	value := func(t *rapid.T, name string) any {
		switch rapid.IntRange(0, 5).Draw(t, name) {
		case 0:
			return nil
		case 1:
			return rapid.Float64Range(-1e9, 1e9).Draw(t, name)
		case 2:
			return []any{strings.Repeat(rapid.String().Draw(t, name), rapid.SampledFrom([]int{1, 200}).Draw(t, name)), rapid.Bool().Draw(t, name)}
		case 3:
			return strings.Repeat("x", rapid.IntRange(maxValue-2, maxValue+2).Draw(t, name))
		case 4:
			return rapid.StringMatching("[0-9a-f]{14,20}g?").Draw(t, name)
		}
		return rapid.String().Draw(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		data := map[string]any{
			"container": map[string]any{"id": value(t, "container"), "name": value(t, "name")},
			"process":   map[string]any{"pid": value(t, "pid")},
			"host":      map[string]any{"name": value(t, "host")},
		}
		text := rapid.OneOf(rapid.StringN(0, 300, -1), rapid.StringMatching("[0-9a-f]{15,40}"))
		h := hit{
			at: rapid.Int64().Draw(t, "at"), data: data,
			ref: who{text.Draw(t, "source"), text.Draw(t, "id"), rapid.SampledFrom([]string{schemas.ProcessStarted, "other"}).Draw(t, "type"), rapid.Int64().Draw(t, "time")},
		}
		got := hit{at: h.at}
		n.read(afterLane, n.note(afterLane, h), &got)
		if d := cmp.Diff(h.ref, got.ref, cmp.AllowUnexported(who{})); d != "" {
			t.Fatal(d)
		}
		for _, path := range n.noted[afterLane] {
			want, _ := lookUp(data, path)
			is, _ := lookUp(got.data, path)
			if d := cmp.Diff(kept(want), is); d != "" {
				t.Fatal(path, d)
			}
		}
		group, err := groupText(n.by(afterLane), data)
		again, err2 := groupText(n.by(afterLane), got.data)
		if group != again || (err == nil) != (err2 == nil) {
			t.Fatalf("group %q, then %q", group, again)
		}
		root := arrival{node: e.nodes[1], hit: h}
		later := arrival{node: e.nodes[1], hit: got}
		if err, err2 := root.readField(), later.readField(); root.value != later.value || (err == nil) != (err2 == nil) {
			t.Fatalf("another value of %v", e.nodes[1].Field)
		}
	})
}

// A long value of `by` is kept cut, and makes the same group all the same.
func TestALongValueIsNotedShort(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	e := assuming(load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 10s}", ""))
	for i, line := range []string{"0 a " + long, "1 a " + long + "y", "2 b " + long} {
		e.Apply(scriptEvent(t, i+1, line))
	}
	if n := len(e.Snapshot()); n > 5000 {
		t.Errorf("two windows take %d bytes", n)
	}
	got := told(t, e, []schemas.Event{scriptEvent(t, 4, "100 tick")})
	if strings.Count(got, "opened") != 1 || len(got) > 2*maxGroup {
		t.Errorf("%.200s", got)
	}
}

// silent is a log in which so many absences end at once and the source of what
// is expected has fallen silent.
func silent(t *testing.T, absences int) []schemas.Event {
	log := []schemas.Event{scriptEvent(t, 1, "0 beat x")}
	for i := range absences {
		log = append(log, scriptEvent(t, i+2, fmt.Sprintf("1 a c%d", i)))
	}
	return log
}

func unknownIn(ds []Decision) (said int, absences uint64) {
	for _, d := range ds {
		if u, ok := d.(Unknown); ok {
			said++
			absences += u.Count
		}
	}
	return said, absences
}

func TestS14UnknownAbsencesAreToldTogetherWhenThereAreMany(t *testing.T) {
	const many = 3000
	s := load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 40s}", "")
	e := New(s)
	for _, ev := range silent(t, many) {
		e.Apply(ev)
	}
	apply := func(n int, line string, said int, absences uint64) {
		t.Helper()
		again := New(s)
		if err := again.Restore(e.Snapshot()); err != nil {
			t.Fatal(err)
		}
		ev := scriptEvent(t, n, line)
		got := e.Apply(ev)
		if d := cmp.Diff(got, again.Apply(ev)); d != "" {
			t.Error("after a restart: ", d)
		}
		if s, a := unknownIn(got); s != said || a != absences {
			t.Errorf("%s: %d reports of %d absences, want %d of %d", line, s, a, said, absences)
		}
	}
	apply(5001, "100 tick", eachUnknown, eachUnknown)
	apply(5002, "130 tick", 0, 0)
	if !e.Waiting() {
		t.Error("nothing waits, and most are not told yet")
	}
	apply(5003, "161 tick", 1, many-eachUnknown)
	if st := e.Stats()["p"]; st.Unknown != many {
		t.Errorf("%d are counted", st.Unknown)
	}
}

// Of what is settled the windows hold the latest until alone.
func TestS10ABreakThatMayBeForgottenIsUnknown(t *testing.T) {
	for name, tc := range map[string]struct {
		log, want string
		prune     int32
	}{
		"one was dropped": {
			`100 a c1
			103 c c1
			130 c c1
			160 c c9
			170 c c1
			105 b c1 src=n2 stored=171`,
			"6: unknown c c1 after e6", 0,
		},
		"none was dropped": {
			`100 a c1
			130 c c1
			160 c c9
			170 c c1
			105 b c1 src=n2 stored=171`,
			"5: opened c1 at 1m45s by e5", 0,
		},
		"there was none": {
			`100 a c1
			160 c c9
			105 b c1 src=n2 stored=161`,
			"3: opened c1 at 1m45s by e3", 0,
		},
		"one in between is held": {
			`100 a c1
			103 c c1
			160 c c9
			105 b c1 src=n2 stored=161`,
			"", 0,
		},
		"the window may have been closed": {
			`100 a c1
			200 c c9
			99 a c1 src=n2 stored=201
			105 b c1 src=n2 stored=202`,
			"4: unknown c c1 after e4", fewEntries,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(load(t, "", "{sequence: [a, b], until: c, by: container.id, within: 1m}", ""))
			e.limits.prune = tc.prune
			if d := cmp.Diff(tc.want, told(t, e, script(t, tc.log))); d != "" {
				t.Error(d)
			}
		})
	}
}

// What all windows hold is bounded: the match that holds most gives way.
func TestS33WhatAllWindowsHoldIsBounded(t *testing.T) {
	two := load(t, "few: {count: {of: a, atLeast: 90}, within: 10m}\n  much: {all: [b, c], within: 10m}", "{sequence: [few, much], by: container.id, within: 10m}", "")
	e := New(two)
	e.limits.held.Entries = 3
	got := told(t, e, script(t, `0 b c1
		1 b c2
		2 a c1
		3 a c3
		4 b c1
		5 a c4
		100 tick`))
	want := `4: overflowed few 1 over 3
5: overflowed much 1 over 3
7: overflowed few 1 over 3`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := e.store.Held().Entries; n != 3 {
		t.Errorf("%d entries are held", n)
	}
}

func TestWhatIsNotedIsBounded(t *testing.T) {
	e := assuming(load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 10m}", ""))
	e.limits.held.Noted = 10_000
	for i := range 100 {
		e.Apply(scriptEvent(t, i+1, fmt.Sprintf("%d a c%d%s", i, i, strings.Repeat("x", 900))))
	}
	if n := e.store.Held().Noted; n > 10_000 || n < 8_000 {
		t.Errorf("notes take %d bytes", n)
	}
	if st := e.Stats()["p"]; st.Overflowed != uint64(100-e.Windows()) {
		t.Errorf("%d windows are open, %d were forgotten", e.Windows(), st.Overflowed)
	}
}

// A million that are due at once do not come at once.
func TestWhatIsDueAtOnceComesInParts(t *testing.T) {
	const many = 10_000
	s := load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 10s}", "")
	e := assuming(s)
	for i := range many {
		e.Apply(scriptEvent(t, i+1, fmt.Sprintf("0 a c%d", i)))
	}
	var got []int
	opened := map[string]bool{}
	for n := 0; e.Waiting(); n++ {
		again := assuming(s)
		if err := again.Restore(e.Snapshot()); err != nil {
			t.Fatal(err)
		}
		e = again
		ds := e.Apply(scriptEvent(t, many+n+1, fmt.Sprintf("%d tick", 100+n)))
		for _, d := range ds {
			opened[d.(Opened).Opened.Group] = true
		}
		got = append(got, len(ds))
	}
	if d := cmp.Diff([]int{maxDue, maxDue, many - 2*maxDue}, got); d != "" || len(opened) != many {
		t.Error(len(opened), d)
	}
}

// However few are decided at a record, in the end the same is.
func TestFewAtATimeDecideTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlaybook(t, "p", everything...)
		log := ended(inOrder(drawEvents(t, 30)))
		for range 100 {
			tick := log[len(log)-1]
			tick.Type, tick.Data, tick.Seq = schemas.Tick, json.RawMessage(`{}`), tick.Seq+1
			log = append(log, tick)
		}
		want := run(t, assuming(set("d", p)), log, log)
		few := assuming(set("d", p))
		few.limits.due = rapid.IntRange(1, 3).Draw(t, "due")
		if d := cmp.Diff(groupsIn(want), groupsIn(run(t, few, log, log))); d != "" {
			t.Fatal(d)
		}
	})
}

// Groups of a playbook that is no more are forgotten as they would be otherwise.
func TestGroupsOfAPlaybookThatIsNoMoreAreForgotten(t *testing.T) {
	e := New(load(t, "", "{any: [a, b], by: container.id}", "once: 1m"))
	e.Apply(scriptEvent(t, 1, "0 a c1"))
	e.Swap(nil)
	e.Apply(scriptEvent(t, 2, "1800 tick"))
	if len(e.books["p"].byKey) != 1 || len(e.incidents) != 1 {
		t.Error("the group is forgotten though events of its time may come")
	}
	e.Apply(scriptEvent(t, 3, "1810 c c1"))
	e.Apply(scriptEvent(t, 4, "7200 c c1"))
	e.Apply(scriptEvent(t, 5, "7220 c c1"))
	if len(e.books) != 0 || len(e.incidents) != 0 {
		t.Errorf("%d playbooks and %d incidents are remembered", len(e.books), len(e.incidents))
	}
}

func TestOneThatPanicsIsNamed(t *testing.T) {
	e := New(load(t, "", "{any: [a, b], by: container.id}", "once: 1m"))
	e.Observe = func(o Observation) {
		if o.What == Fired {
			panic("here")
		}
	}
	func() {
		defer func() { _ = recover() }()
		e.Apply(scriptEvent(t, 1, "0 a c1"))
	}()
	if got := e.WorkingOn(); got != "p" {
		t.Errorf("it was working on %q", got)
	}
	e.Observe = nil
	if e.Apply(scriptEvent(t, 2, "10 a c2")); e.WorkingOn() != "" {
		t.Error("it says that it works on something")
	}
}

// What is counted of all windows is what they hold, after a restart and a
// change of the set too.
func TestHeldIsWhatTheWindowsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := set("d", drawPlaybook(t, "p", everything...), drawPlaybook(t, "q", everything...))
		log := drawWhole(t)
		e := New(s)
		run(t, e, log, log)
		again := New(s)
		if err := again.Restore(e.Snapshot()); err != nil {
			t.Fatal(err)
		}
		for _, n := range e.nodes {
			if d := cmp.Diff(e.store.HeldBy(n.index), again.store.HeldBy(n.index)); d != "" {
				t.Fatal(d)
			}
		}
		e.Swap(nil)
		if e.store.Held() != (window.Held{}) || e.Windows() != 0 {
			t.Fatalf("nothing is open, and %v is held", e.store.Held())
		}
	})
}
