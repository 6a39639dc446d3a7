package correlator

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

// What concerns everything is not displaced by what concerns one group.
func TestAFullOutboxKeepsWhatWeighsMost(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	o := outbox{wake: make(chan struct{}, 1)}
	n := 0
	add := func(typ string, times int) {
		for range times {
			n++
			o.add(schemas.Event{ID: fmt.Sprint(n), Type: typ}, nil, log)
		}
	}
	add(schemas.LogGap, 1)
	add(schemas.MatchUnknown, maxOwed)
	add(schemas.WindowOverflowed, 3)
	add(schemas.EventsRefused, 2)
	add(schemas.MatchUnknown, 100)
	got := map[string]int{}
	for _, e := range o.Owed {
		got[e.Type]++
	}
	want := map[string]int{schemas.LogGap: 1, schemas.WindowOverflowed: 3, schemas.EventsRefused: 2, schemas.MatchUnknown: maxOwed - 6}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if last := o.Owed[len(o.Owed)-1]; last.ID != fmt.Sprint(n) || o.dropped != n-maxOwed {
		t.Errorf("the last is %s of %d, %d were dropped", last.ID, n, o.dropped)
	}
	add(schemas.WindowOverflowed, maxOwed)
	add(schemas.MatchUnknown, 5)
	for _, e := range o.Owed {
		if e.Type != schemas.WindowOverflowed && e.Type != schemas.LogGap {
			t.Fatalf("%s has displaced what weighs more", e.Type)
		}
	}
	if o.Owed[0].Type != schemas.LogGap {
		t.Error("the gap is not told first")
	}
}
