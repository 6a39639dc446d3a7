package correlate_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"firebreak/playbooks"
	"firebreak/services/bench/correlate"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// positive wants figures that say something was measured.
func positive(t *testing.T, figures map[string]float64) {
	t.Helper()
	for name, v := range figures {
		if v <= 0 {
			t.Errorf("%s is %g", name, v)
		}
	}
}

func TestMatch(t *testing.T) {
	var told int
	r, err := correlate.Match{
		Seed: 1, N: 150, Passes: 2, Rounds: 2, Playbooks: []int{10, 40}, Rates: []float64{0, 0.5}, Specs: action.Specs(),
		Progress: func(done, total int) { told = done },
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if told != 4 || len(r.Rates) != 2 || len(r.Loads) != 2 {
		t.Fatalf("%d rounds told, %+v", told, r)
	}
	for i, at := range r.Rates {
		positive(t, map[string]float64{"map": at.Map.PerSecond, "event": at.Event.PerSecond, "ratio": at.Ratio, "bytes": r.Bytes})
		for _, s := range at.Sets {
			positive(t, map[string]float64{"rate": s.Rate.PerSecond, "rate by processor": s.Rate.PerCPUSecond, "of map": s.OfMap})
			if few := s.Matches == 0; few != (i == 0) {
				t.Errorf("%d matches at a share of %g", s.Matches, at.Share)
			}
		}
	}
}

func TestWindows(t *testing.T) {
	r, err := correlate.Windows{Seed: 1, N: 50_000, Updates: 5000, Specs: action.Specs()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Operators) != 4 || len(r.Targets()) != 8 {
		t.Fatalf("%+v", r)
	}
	for _, o := range r.Operators {
		positive(t, map[string]float64{o.Operator + ": bytes": o.Each, o.Operator + ": event": o.Whole})
		if o.Each < 50 || o.Each > 5000 {
			t.Errorf("%s: %g bytes for a window", o.Operator, o.Each)
		}
	}
}

func TestPipeline(t *testing.T) {
	r, err := correlate.Pipeline{Seed: 1, N: 500, Rounds: 1, Playbooks: 10, Share: 0.2, Dir: t.TempDir(), Specs: action.Specs()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	positive(t, map[string]float64{
		"publish": r.Publish.PerSecond, "bare": r.Bare.PerSecond, "ours": r.Ours.PerSecond, "ratio": r.Ratio, "by TCP": r.Apart.PerSecond, "ratio by TCP": r.RatioTCP, "incidents": float64(r.Incidents),
	})
}

func TestLatency(t *testing.T) {
	r, err := correlate.Latency{Seed: 1, N: 200, Rate: 500, Playbooks: 10, Share: 0.2, Dir: t.TempDir(), Specs: action.Specs()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	positive(t, map[string]float64{"p50": r.P50, "p99": r.P99, "rate": r.Reached, "publish": r.Publish, "incidents": float64(r.Incidents)})
	if r.P50 > r.P95 || r.P95 > r.P99 {
		t.Errorf("percentiles in disorder: %+v", r)
	}
}

func TestReplay(t *testing.T) {
	library, err := playbook.FromFS(playbooks.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r, err := correlate.Replay{Seed: 1, N: 20_000, Rounds: 1, Dir: dir, Library: library, Specs: action.Specs()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	positive(t, map[string]float64{"rate": r.Rate.PerSecond, "seconds": r.Seconds, "playbooks": float64(r.Playbooks), "incidents": float64(r.Incidents)})
	if r.Bytes < 500 || r.Bytes > 1000 {
		t.Errorf("%g bytes a line", r.Bytes)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestHostile(t *testing.T) {
	r, err := correlate.Hostile{Seed: 1, Playbooks: 40, Repeats: 2, Specs: action.Specs()}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Through != 0 || r.Compiled != 0 {
		t.Errorf("%d events and %d conditions were not refused: %+v", r.Through, r.Compiled, r)
	}
	for _, s := range r.Sets {
		positive(t, map[string]float64{s.Name + ": load": s.Load, s.Name + ": miss": s.Miss, s.Name + ": hit": s.Hit})
	}
	for _, e := range r.Events {
		positive(t, map[string]float64{e.Name + ": worst": e.Worst, e.Name + ": bytes": float64(e.Bytes)})
		if e.Refused && !e.Record {
			t.Errorf("%s: refused without a record", e.Name)
		}
	}
}

func TestNothingIsNotMeasured(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func() error{
		"match":    func() error { _, err := correlate.Match{}.Run(t.Context()); return err },
		"windows":  func() error { _, err := correlate.Windows{}.Run(t.Context()); return err },
		"pipeline": func() error { _, err := correlate.Pipeline{}.Run(t.Context()); return err },
		"latency":  func() error { _, err := correlate.Latency{}.Run(t.Context()); return err },
		"replay":   func() error { _, err := correlate.Replay{}.Run(t.Context()); return err },
		"recovery": func() error { _, err := correlate.Recovery{}.Run(t.Context()); return err },
		"hostile":  func() error { _, err := correlate.Hostile{}.Run(t.Context()); return err },
		"told to stop": func() error {
			_, err := correlate.Match{Seed: 1, N: 10, Passes: 1, Rounds: 1, Playbooks: []int{3}, Rates: []float64{0}, Specs: action.Specs()}.Run(ended)
			return err
		},
	} {
		if run() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTargets(t *testing.T) {
	r := correlate.LatencyResult{P50: 0.4}
	if got := r.Targets(); len(got) != 1 || !got[0].Met || got[0].Most != 1 {
		t.Errorf("%+v", got)
	}
	r.P50 = 1.5
	if r.Targets()[0].Met {
		t.Error("1.5 ms are taken for less than one")
	}
	p := correlate.PipelineResult{Ratio: 0.6}
	if got := p.Targets(); got[0].Met || got[0].Least != 0.7 {
		t.Errorf("%+v", got)
	}
}

func TestThisMachine(t *testing.T) {
	m, err := correlate.ThisMachine()
	if err != nil || m.Cores < 1 || m.Go == "" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestRecoveryPlaybooks keeps the sources that the killed process has in force
// such that they load, and such that one more event completes a window.
func TestRecoveryPlaybooks(t *testing.T) {
	var all []playbook.Source
	for name, text := range (correlate.Recovery{N: 40, Windows: 10}).RecoveryPlaybooks() {
		all = append(all, playbook.Source{Name: name, Data: []byte(text)})
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		t.Fatal(findings)
	}
	for _, p := range set.Playbooks {
		if p.Match.Op == playbook.OpCount && p.Match.AtLeast != 5 {
			t.Errorf("%s waits for %d", p.Name, p.Match.AtLeast)
		}
	}
}
