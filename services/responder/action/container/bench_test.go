package container

import (
	"testing"
	"time"

	"firebreak/services/lab"
)

// BenchmarkPause compares containerd's bare pause with each stage of ours:
//
//	go test -run '^$' -bench Pause -benchtime 50x ./services/responder/action/container
func BenchmarkPause(b *testing.B) {
	l := lab.Temp(b)
	alone := run(b, l, lab.Container{ID: "bench-alone-1", Args: counting})
	_, web, _ := runPod(b, l, podUID)
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := alone.Task.Pause(alone.In(b.Context())); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := alone.Task.Resume(alone.In(b.Context())); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	for name, r := range map[string]*lab.Running{"alone": alone, "pod of three": web} {
		for hostName, h := range hosts(b) {
			b.Run(name+"/"+hostName, func(b *testing.B) { stages(b, newPause(b, l, &h), r) })
		}
		b.Run(name+"/known", func(b *testing.B) {
			p := newPause(b, l, nil)
			p.known = remember(b, p, r)
			stages(b, p, r)
		})
	}
}

// stages measures what an operator waits for: the plan, the halt, the pause
// after the halt has begun, and the verification.
func stages(b *testing.B, p *Pause, r *lab.Running) {
	var planned, halt, paused, verified time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		pl := plan(b, p, r, ``)
		applied := time.Now()
		e := apply(b, p, pl)
		if e.HaltedAt == nil || e.PausedAt == nil {
			b.Fatalf("effect %+v", e)
		}
		verify := time.Now()
		if _, err := p.Verify(b.Context(), e); err != nil {
			b.Fatal(err)
		}
		verified += time.Since(verify)
		planned += applied.Sub(start)
		halt += e.HaltedAt.Sub(applied)
		paused += e.PausedAt.Sub(applied)
		n++
		b.StopTimer()
		undo(b, p, e)
		b.StartTimer()
	}
	for name, sum := range map[string]time.Duration{"plan": planned, "halted": halt, "paused": paused, "verify": verified} {
		b.ReportMetric(float64(sum.Microseconds())/float64(n), "µs-"+name)
	}
}

// remember makes the memory that a collector would have.
func remember(b *testing.B, p *Pause, r *lab.Running) memory {
	b.Helper()
	facts, err := p.resolve(b.Context(), target(r), scopePod)
	if err != nil {
		b.Fatal(err)
	}
	m := memory{}
	for _, f := range facts {
		m[f.ID] = f
	}
	return m
}
