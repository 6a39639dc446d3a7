package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// drawWhole draws a log with all that a log may hold: events in any order,
// duplicates, heartbeats, ticks, losses and marks.
func drawWhole(t *rapid.T) []schemas.Event {
	log := interleaved(t, drawEvents(t, 40))
	for range rapid.IntRange(0, 15).Draw(t, "others") {
		i := rapid.IntRange(0, len(log)-1).Draw(t, "where")
		ev := log[i]
		g := schemas.GroupEvent{Playbook: "p", Group: rapid.SampledFrom([]string{"c1", "i1"}).Draw(t, "group")}
		var data any
		switch ev.Type = rapid.SampledFrom([]string{
			schemas.Heartbeat, schemas.Heartbeat, schemas.Tick, schemas.SourceLost, schemas.GroupSuppressed, schemas.ProcessStarted,
		}).Draw(t, "type"); ev.Type {
		case schemas.Heartbeat, schemas.SourceLost:
			data = schemas.SourceEvent{Host: &schemas.Host{Name: "n1"}, Source: "exec", Types: []string{schemas.ProcessStarted}}
		case schemas.GroupSuppressed:
			g.Until = ev.Time.Add(20 * time.Second).Format(time.RFC3339)
			data = g
		case schemas.ProcessStarted: // once more
			data = ev.Data
		default:
			data = struct{}{}
		}
		raw, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		ev.Data = raw
		if ev.Type != schemas.ProcessStarted {
			ev.ID = fmt.Sprint(ev.Type, i)
		}
		log = slices.Insert(log, i+1, ev)
	}
	for i := range log {
		log[i].Seq = uint64(i + 1)
	}
	return ended(log)
}

func TestASplitAnywhereDecidesTheSame(t *testing.T) {
	ops := append(slices.Clone(everything), playbook.OpBaseline)
	rapid.Check(t, func(t *rapid.T) {
		s := set("d", drawPlaybook(t, "p", ops...), drawPlaybook(t, "q", ops...))
		log := drawWhole(t)
		cut := rapid.IntRange(0, len(log)).Draw(t, "cut")
		bounds := limits{
			windows: 2, groups: 2, prune: fewEntries, due: rapid.IntRange(1, 3).Draw(t, "due"),
			held: window.Held{Entries: rapid.IntRange(1, 12).Draw(t, "entries"), Noted: rapid.IntRange(50, 500).Draw(t, "noted")},
		}
		fresh := func() *Engine {
			e := New(s)
			e.limits = bounds
			return e
		}
		whole := fresh()
		want := run(t, whole, log, log)

		e := fresh()
		got := run(t, e, log[:cut], log)
		snapshot := e.Snapshot()
		again := fresh()
		if err := again.Restore(snapshot); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(snapshot, again.Snapshot()) {
			t.Fatal("what is restored is not what was written")
		}
		if e.Waiting() != again.Waiting() {
			t.Fatal("what is restored does not wait for the same")
		}
		got = append(got, run(t, again, log[cut:], log)...)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if !bytes.Equal(whole.Snapshot(), again.Snapshot()) {
			t.Fatal("another state in the end")
		}
	})
}
