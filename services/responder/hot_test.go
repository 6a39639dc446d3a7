package responder_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder/guardrail"
	"firebreak/services/responder/rehearsal"
)

// BenchmarkRequestToApply is the executor's own share of the hot path: from a
// stored `requested` until Apply is called, on a ledger in memory.
func BenchmarkRequestToApply(b *testing.B) {
	d := newDesk(b)
	many := 1 << 30
	d.guard = guardrail.New(guardrail.File{Actions: guardrail.Actions{PerMinute: &many}})
	applied := make(chan time.Time, 1)
	d.start(rehearsal.Faults{Before: func(_ context.Context, method, _ string) error {
		if method == "apply" {
			applied <- time.Now()
		}
		return nil
	}})
	var sum time.Duration
	for n := range b.N {
		incident := fmt.Sprintf("i%d", n)
		target := d.world.Add(fmt.Sprintf("c%d", n), "", rehearsal.Running)
		start := time.Now()
		task := d.request(incident, target)
		sum += (<-applied).Sub(start)
		b.StopTimer()
		if n%100 == 0 {
			d.wait(incident, task, schemas.KindEnforced)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(b.N), "µs/request")
}
