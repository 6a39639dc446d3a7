package events_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/schemas/schemastest"
	"firebreak/services/bench/events"
)

func TestMix(t *testing.T) {
	t.Parallel()
	one, two := events.NewMix(7), events.NewMix(7)
	types, bytes, shells := map[string]int{}, 0, 0
	const n = 5000
	for i := range n {
		e, err := one.Next()
		if err != nil {
			t.Fatal(err)
		}
		again, err := two.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("the same seed: %s", diff)
		}
		if i < 500 {
			schemastest.Valid(t, e)
		}
		if err := intake.Event(e); err != nil {
			t.Fatal(err)
		}
		if data := decode(t, e.Data); e.Type == schemas.ProcessStarted &&
			data["process"].(map[string]any)["executable"].(map[string]any)["name"] == "sh" {
			shells++
		}
		types[e.Type]++
		bytes += len(e.Data)
	}
	if len(types) < 9 || types[schemas.ProcessStarted] < n/3 {
		t.Errorf("types: %v", types)
	}
	if shells == 0 || shells > n/20 {
		t.Errorf("%d shells among %d events", shells, n)
	}
	if mean := bytes / n; mean < 500 || mean > 900 {
		t.Errorf("%d bytes of data each", mean)
	}
}
