package replay_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"firebreak/playbooks"
	"firebreak/services/bench/events"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/replay"
)

// BenchmarkReplay reads, decodes and matches 100,000 events of some 750 bytes
// of data with the library, and 40 playbooks of which one in a hundred events
// matches one.
func BenchmarkReplay(b *testing.B) {
	const lines = 100_000
	w := events.New(1, 40, 0.01)
	path := filepath.Join(b.TempDir(), "events.ndjson")
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	x := replay.NewExport(out)
	for range lines {
		e, err := w.Next()
		if err == nil {
			err = x.Write(e)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := x.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	all, err := playbook.FromFS(playbooks.FS, "")
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range w.Playbooks() {
		all = append(all, playbook.Source{Name: p.Name, Data: p.Data})
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		b.Fatal(findings)
	}
	incidents := 0
	for b.Loop() {
		f := &replay.Files{Names: []string{path}, As: "cloudevents", Recall: true, Bad: func(bad replay.Bad) { b.Error(bad) }}
		r := replay.New(replay.Config{Set: set, Specs: action.Specs(), Recall: f.RecallEvent, Beside: true, Incident: func(replay.Incident) error { incidents++; return nil }})
		if err := errors.Join(f.Each(b.Context(), r.Apply), r.Close(), f.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(incidents)/float64(b.N), "incidents")
}
