package conductor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
)

// BenchmarkOpenedToRequested is the conductor's own share of the hot path.
func BenchmarkOpenedToRequested(b *testing.B) {
	bus := bustest.New()
	core := bus.Client("core", "")
	c := New(Config{Bus: quiet{core}, Items: core, Specs: specs(), Cluster: "local"})
	c.live, c.hold = true, &schemas.Hold{}
	o := opened([]string{"c1"}, pause, fence, tell)
	var list []schemas.Record
	for n := range 20000 {
		r, err := schemas.NewRecord(fmt.Sprintf("i%d", n), schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, epoch, o)
		if err != nil {
			b.Fatal(err)
		}
		r.Seq, r.Stored = uint64(n+1), time.Now()
		list = append(list, r)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n == len(list) {
			n = 0
			clear(c.files)
			clear(c.open)
		}
		c.take(b.Context(), list[n])
		n++
	}
}

// quiet stores at once and keeps nothing.
type quiet struct{ *bustest.Client }

func (quiet) Append(_ context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	r.Seq = after.Seq + 1<<40
	return r, nil
}
