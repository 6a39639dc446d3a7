package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

// opened gives the first incident that a log opens, as the ledger gets it.
func opened(t *testing.T, e *Engine, events []schemas.Event) schemas.Opened {
	t.Helper()
	for _, ev := range events {
		for _, d := range e.Apply(ev) {
			d, err := Fill(d, recallFrom(events))
			if err != nil {
				t.Fatal(err)
			}
			if o, ok := d.(Opened); ok {
				return o.Opened
			}
		}
	}
	t.Fatal("nothing was opened")
	return schemas.Opened{}
}

func TestS31TheKeyHasEveryPath(t *testing.T) {
	s := load(t, "", "{all: [a, load], by: {a: [container.image.digest, host.name], load: [container.id, host.name]}, within: 1m}", "")
	got := opened(t, New(s), script(t, "0 a c1 image=c7\n1 load c7 cpu=1"))
	want := map[string]any{"container.image.digest": "c7", "container.id": "c7", "host.name": "n1"}
	if d := cmp.Diff(want, got.Key); d != "" {
		t.Error(d)
	}
}

func TestS32SignalsAreThoseThatTookPart(t *testing.T) {
	s := load(t, "many: {count: {of: a, atLeast: 2}, within: 10s}", "{sequence: [many, b], by: container.id, within: 10s}", "")
	events := script(t, "0 a c1\n1 a c1\n2 b c1")
	got := opened(t, New(s), events)
	ref := func(n int) schemas.EventRef {
		ev := events[n]
		return schemas.EventRef{Source: ev.Source, ID: ev.ID, Type: ev.Type, Time: ev.Time, Seq: ev.Seq}
	}
	want := map[string]schemas.Signal{
		"many": {EventRef: ref(1), Data: events[1].Data},
		"b":    {EventRef: ref(2), Data: events[2].Data},
	}
	if d := cmp.Diff(want, got.Signals); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(ref(2), got.Trigger); d != "" {
		t.Error(d)
	}
}

func TestS32OneEventForTwoSignals(t *testing.T) {
	s := load(t, "", "{any: [a, ab], by: container.id}", "once: 1m")
	got := opened(t, New(s), script(t, "0 a c1"))
	names := map[string]bool{}
	for name := range got.Signals {
		names[name] = true
	}
	if d := cmp.Diff([]string{"a", "ab"}, keys(names)); d != "" {
		t.Error(d)
	}
}

// Of absent the event of `after` stands for it, at the time at which nothing
// had come: that is when it is stale, too.
func TestS13TheAfterEventAtTheDeadline(t *testing.T) {
	s := load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 10m}", "")
	e := assuming(s)
	events := script(t, "0 a c1\n660 tick")
	got := opened(t, e, events)
	if d := cmp.Diff(epoch.Add(10*time.Minute), got.Trigger.Time); d != "" || got.Trigger.ID != "e1" || got.Stale {
		t.Errorf("trigger %+v, stale %v", got.Trigger, got.Stale)
	}
	if d := cmp.Diff(epoch, got.Signals["a"].Time); d != "" {
		t.Error(d)
	}
	if string(got.Signals["a"].Data) != string(events[0].Data) {
		t.Errorf("data %s", got.Signals["a"].Data)
	}
	if again := opened(t, assuming(s), script(t, "0 a c1\n3600 tick")); !again.Stale {
		t.Error("an absence of long ago is not stale")
	}
}

func TestS33TheOldestGroupIsForgottenAndTold(t *testing.T) {
	s := load(t, "many: {count: {of: a, atLeast: 2}, within: 10s}", "{sequence: [many, b], by: container.id, within: 10s}", "")
	e := New(s)
	e.limits.windows = 2
	got := told(t, e, script(t, `0 a c1
		1 a c2
		1 a c3
		1 a c4
		2 a c4
		3 b c4
		3 a c1
		62 tick`))
	want := `3: overflowed many 1 over 2
6: opened c4 at 3s by e6
8: overflowed many 2 over 2`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if st := e.Stats()["p"]; st.Overflowed != 3 {
		t.Errorf("stats %+v", st)
	}
}

func TestS34WhatAPlaybookWaitsForOutlivesAChangeOfOtherThings(t *testing.T) {
	match := "{all: [a, b], by: container.id, within: 1m}"
	events := script(t, "0 a c1\n1 b c1")
	for name, tc := range map[string]struct {
		match, more string
		want        int
	}{
		"another once":  {match, "once: 5m", 1},
		"another match": {"{all: [a, b], by: container.id, within: 2m}", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(load(t, "", match, ""))
			e.Apply(events[0])
			e.Swap(load(t, "", tc.match, tc.more))
			if got := e.Apply(events[1]); len(got) != tc.want {
				t.Errorf("decided %v", got)
			}
		})
	}
}

func TestFillWhatIsGone(t *testing.T) {
	s := load(t, "", "{sequence: [a, b], by: container.id, within: 1m}", "")
	events := script(t, "0 a c1\n1 b c1")
	decide := func() (e *Engine, d Decision) {
		e = New(s)
		e.Apply(events[0])
		return e, e.Apply(events[1])[0]
	}
	other := events[0]
	other.ID = "another"
	for name, recall := range map[string]func(uint64) (schemas.Event, error){
		"gone": func(uint64) (schemas.Event, error) {
			return schemas.Event{}, fmt.Errorf("event 1: %w", schemas.ErrAbsent)
		},
		"another": func(uint64) (schemas.Event, error) { return other, nil },
	} {
		t.Run(name, func(t *testing.T) {
			e, d := decide()
			d, err := Fill(d, recall)
			o, _ := d.(Opened)
			if err != nil || len(o.Recall) != 1 {
				t.Fatalf("%v, %+v", err, o)
			}
			want := schemas.Signal{EventRef: schemas.EventRef{Time: epoch, Seq: 1}, Data: json.RawMessage(`{}`)}
			if d := cmp.Diff(want, o.Opened.Signals["a"]); d != "" {
				t.Error(d)
			}
			e.Unrecalled(d)
			if n := e.Stats()["p"].Unrecalled; n != 1 {
				t.Errorf("%d counted", n)
			}
		})
	}
	away := errors.New("away")
	_, d := decide()
	if _, err := Fill(d, func(uint64) (schemas.Event, error) { return schemas.Event{}, away }); !errors.Is(err, away) {
		t.Errorf("the bus is away: %v", err)
	}
}

func TestRefusedEventsAreCountedAndTold(t *testing.T) {
	e := New(load(t, "", "{any: [a, b], by: container.id}", ""))
	twice := scriptEvent(t, 1, "0 a c1")
	twice.Data = json.RawMessage(`{"process":{"pid":1},"process":{"pid":2}}`)
	log := []schemas.Event{twice}
	for n := range 5 {
		again := twice
		again.ID, again.Seq = fmt.Sprint("again", n), uint64(n+2)
		log = append(log, again)
	}
	log = append(log, scriptEvent(t, 7, "61 tick"))
	if d := cmp.Diff("1: refused e1 1\n7: refused again0 5", told(t, e, log)); d != "" {
		t.Error(d)
	}
	if st := e.Stats()["p"]; st.Errors != 6 || st.LastError == "" {
		t.Errorf("stats %+v", st)
	}
}

func TestObservations(t *testing.T) {
	e := New(load(t, "many: {count: {of: a, atLeast: 2}, within: 10s}", "{sequence: [many, b], by: container.id, within: 10s}", ""))
	var got []string
	e.Observe = func(o Observation) {
		got = append(got, fmt.Sprintf("%s %s: %s %d/%d", o.Event.ID, o.Signal, o.What, o.Have, o.Need))
	}
	for _, ev := range script(t, "0 a c1\n1 a c1\n2 b c1\n2 b c1 id=e3") {
		e.Apply(ev)
	}
	want := []string{
		"e1 a: matched 0/0", "e1 b: unmatched 0/0", "e1 many: window 1/2",
		"e2 a: matched 0/0", "e2 b: unmatched 0/0", "e2 many: window 2/2", "e2 many: stands 0/0", "e2 : window 1/2",
		"e3 a: unmatched 0/0", "e3 b: matched 0/0", "e3 : window 2/2", "e3 : fired 0/0",
		"e3 a: unmatched 0/0", "e3 b: matched 0/0", "e3 b: duplicate 0/0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWaitingEndsWithTheLastDeadline(t *testing.T) {
	e := assuming(load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 30s}", ""))
	var got []bool
	for _, ev := range script(t, "0 a c1\n1 a c2\n2 b c1\n3 b c2\n4 a c3\n120 tick") {
		e.Apply(ev)
		got = append(got, e.Waiting())
	}
	if d := cmp.Diff([]bool{true, true, true, false, true, false}, got); d != "" {
		t.Error(d)
	}
}

func TestASnapshotThatCannotBeUsedChangesNothing(t *testing.T) {
	s := load(t, "", "{all: [a, b], by: container.id, within: 1m}", "once: 1m")
	e := New(s)
	for _, ev := range script(t, "0 a c1\n1 b c1\n2 a c2") {
		e.Apply(ev)
	}
	good := e.Snapshot()
	damaged := slices.Clone(good)
	damaged[len(damaged)/2] ^= 1
	future := slices.Clone(good)
	future[4]++
	for name, b := range map[string][]byte{
		"none": nil, "cut off": good[:len(good)-1], "damaged": damaged, "of another version": future, "another thing": []byte("{\"seq\": 1234567890123456}"),
	} {
		if err := e.Restore(b); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if string(e.Snapshot()) != string(good) {
		t.Error("the engine is another")
	}
}

func TestRestoreLeavesOutWhatTheSetDoesNotHave(t *testing.T) {
	both := load(t, "", "{all: [a, b], by: container.id, within: 1m}", "")
	e := New(both)
	for _, ev := range script(t, "0 a c1\n1 a c2") {
		e.Apply(ev)
	}
	other := New(load(t, "", "{all: [a, b], by: container.id, within: 2m}", ""))
	if err := other.Restore(e.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if other.Windows() != 0 || e.Windows() != 2 || e.Stats()["p"].Windows != 2 {
		t.Errorf("%d and %d windows", other.Windows(), e.Windows())
	}
}

// A window of a playbook whose events have stopped is closed by the time that others tell.
func TestWindowsThatAreOverAreClosed(t *testing.T) {
	e := New(load(t, "", "{all: [a, b], by: container.id, within: 10s}", ""))
	for _, ev := range script(t, "0 a c1\n0 a c2\n15 c c3\n21 a c4") {
		e.Apply(ev)
	}
	if got := e.Windows(); got != 1 {
		t.Errorf("%d windows are open", got)
	}
}

// One source's fast clock makes no other one late, and a node that writes under
// another's name does not move its time.
func TestASourcesTimeIsItsOwn(t *testing.T) {
	e := New(load(t, "", "{all: [a, b], by: container.id, within: 10m}", ""))
	forged := scriptEvent(t, 2, "50 c c9 stored=1")
	forged.Writer = "node-n9"
	log := script(t, "0 a c1\n50 c c9\n1 b c1")
	log[1] = forged
	for _, i := range []int{0, 2} {
		log[i].Writer = "node-n1"
	}
	if d := cmp.Diff("3: opened c1 at 1s by e3", told(t, e, log)); d != "" {
		t.Error(d)
	}
}

func TestManySourcesAreBounded(t *testing.T) {
	c := newClock()
	for n := range maxSources + 10 {
		ev := schemas.Event{Source: fmt.Sprint(n), Type: schemas.ProcessStarted, Time: epoch, Stored: epoch.Add(time.Duration(n) * time.Millisecond)}
		c.hear(&ev, true)
	}
	if len(c.sources) > maxSources || len(c.live) > maxSources {
		t.Errorf("%d sources, %d of them heard of", len(c.sources), len(c.live))
	}
	if c.sources[sourceKey{source: fmt.Sprint(maxSources + 9)}] == nil {
		t.Error("the latest source is forgotten")
	}
}

// What is known of a source's life stays small, however long it lives.
func TestALongLifeIsBounded(t *testing.T) {
	e := New(nil)
	at := epoch
	for n := range 20_000 {
		ev := schemas.Event{Source: "/local/n1/exec", ID: fmt.Sprint(n), Type: schemas.Heartbeat, Data: json.RawMessage(`{"source":"exec"}`)}
		at = at.Add(time.Duration(10+n%2*30) * time.Second) // silent for 40 s each second time
		ev.Time, ev.Stored = at, at
		if n%3 == 0 {
			// Another one lags behind, and holds the watermark.
			e.Apply(schemas.Event{Source: "/local/n2/exec", ID: fmt.Sprint(n), Type: schemas.ProcessStarted, Time: epoch, Stored: at})
		}
		e.Apply(ev)
	}
	s := e.clock.sources[sourceKey{source: "/local/n1/exec"}]
	if len(s.beats) > maxBeats || len(s.breaks) > maxBreaks {
		t.Errorf("%d heartbeats and %d silences are kept", len(s.beats), len(s.breaks))
	}
	if why := s.throughout(span{epoch.UnixNano(), at.UnixNano()}, e.clock.mark); why == "" {
		t.Error("the silences are forgotten")
	}
}

// A source that fell silent before a restart holds the watermark no longer than
// it would have.
func TestARestartKnowsWhenSourcesWereHeardOf(t *testing.T) {
	s := load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 20s}", "")
	events := script(t, "0 a c1\n50 tick\n61 tick")
	e := assuming(s)
	e.Apply(events[0])
	e.Apply(events[1])
	again := assuming(s)
	if err := again.Restore(e.Snapshot()); err != nil {
		t.Fatal(err)
	}
	want, got := e.Apply(events[2]), again.Apply(events[2])
	if d := cmp.Diff(want, got); d != "" || len(got) != 1 {
		t.Error(len(got), d)
	}
}

// What was matched before a restart is known after it.
func TestARestartKnowsWhatWasDelivered(t *testing.T) {
	s := load(t, "", "{any: [a, b], by: container.id}", "")
	ev := scriptEvent(t, 1, "0 a c1")
	e := New(s)
	e.Apply(ev)
	again := New(s)
	if err := again.Restore(e.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if got := again.Apply(ev); len(got) != 0 || again.Stats()["p"].Duplicates != 1 {
		t.Errorf("decided %v, %+v", got, again.Stats()["p"])
	}
}
