package index_test

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/services/bench/events"
	"firebreak/services/correlator/engine/index"
	"firebreak/services/playbook/expr"
)

// batch is how many events a benchmark goes round.
const batch = 4096

// prepare makes the rules and events. more is added to each condition.
func prepare(tb testing.TB, playbooks int, rate float64, more string) (*index.Index, []schemas.Event) {
	tb.Helper()
	w := events.New(1, playbooks, rate)
	rules := make([]index.Rule, 0, playbooks)
	for _, p := range w.Playbooks() {
		when, err := expr.Condition(p.When+more, p.Type)
		if err != nil {
			tb.Fatalf("%s: %v", p.When, err)
		}
		rules = append(rules, index.Rule{Type: p.Type, When: when})
	}
	made, err := w.Batch(batch)
	if err != nil {
		tb.Fatal(err)
	}
	return index.New(rules), made
}

// BenchmarkMatch is intake's check, decoding and matching of one event.
func BenchmarkMatch(b *testing.B) {
	for _, playbooks := range []int{10, 1000, 10_000} {
		for _, rate := range []float64{0, 0.01, 0.1, 1} {
			b.Run(fmt.Sprintf("playbooks=%d/rate=%v", playbooks, rate), func(b *testing.B) { match(b, playbooks, rate, "") })
		}
	}
}

// BenchmarkEvaluated is the same with conditions that must be evaluated on the
// decoded data where their tests hold.
func BenchmarkEvaluated(b *testing.B) {
	for _, rate := range []float64{0, 0.01, 0.1, 1} {
		b.Run(fmt.Sprintf("rate=%v", rate), func(b *testing.B) { match(b, 1000, rate, " && !has(k8s.cluster.name)") })
	}
}

func match(b *testing.B, playbooks int, rate float64, more string) {
	x, made := prepare(b, playbooks, rate, more)
	var s index.Scratch
	b.ReportAllocs()
	matches, i := 0, 0
	before := spent(b)
	for b.Loop() {
		e := &made[i%batch]
		i++
		if err := intake.Strict(e.Data); err != nil {
			b.Fatal(err)
		}
		if err := x.Match(e.Type, e.Data, &s, func(int, map[string]any) { matches++ }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(matches)/float64(i), "matches/op")
	b.ReportMetric(float64(i)/(spent(b)-before), "events/cpu-s")
}

// spent gives the seconds of processor time so far: others who use the machine
// at the same time do not count.
func spent(tb testing.TB) float64 {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkBare is what decoding alone costs, to compare with.
func BenchmarkBare(b *testing.B) {
	_, made := prepare(b, 10, 0, "")
	for name, decode := range map[string]func([]byte) error{
		"strict": intake.Strict,
		"decode": func(data []byte) error {
			_, err := intake.Decode(data)
			return err
		},
		"json": func(data []byte) error {
			var out map[string]any
			return json.Unmarshal(data, &out)
		},
	} {
		b.Run(name, func(b *testing.B) {
			i := 0
			before := spent(b)
			for b.Loop() {
				if err := decode(made[i%batch].Data); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(i)/(spent(b)-before), "events/cpu-s")
		})
	}
}
