package exec_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"firebreak/schemas"
	sensing "firebreak/services/collector/runtime/exec"
)

// TestLosses blocks the reader while far more happens than the buffer holds.
func TestLosses(t *testing.T) {
	const n = 100
	source, err := sensing.New(sensing.Config{
		Cluster: "local", Node: "node1", Lookup: &table{}, Host: true, Mode: sensing.BPF, Buffer: uint32(os.Getpagesize()),
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var marked atomic.Int64
	gate := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- source.Run(ctx, func(_ context.Context, e schemas.Event) error {
			<-gate
			if strings.Contains(string(e.Data), "mark-loss") {
				marked.Add(1)
			}
			return nil
		})
	}()
	wait(t, "the sensor", func() bool { return source.Probe(ctx) == nil })
	for i := range n {
		if err := exec.CommandContext(ctx, "/bin/true", "mark-loss", strconv.Itoa(i)).Run(); err != nil {
			t.Error(err)
		}
	}
	lost, reason := source.Lost()
	if lost == 0 || reason == "" {
		t.Errorf("lost %d (%q) with a full buffer", lost, reason)
	}
	close(gate)
	// Others execute programs on this host too, so the sum can only be more.
	wait(t, "what was not lost", func() bool { return marked.Load()+int64(lost) >= n })
	before := marked.Load()
	wait(t, "the sensor to see again", func() bool {
		if err := exec.CommandContext(ctx, "/bin/true", "mark-loss-again").Run(); err != nil {
			t.Fatal(err)
		}
		return marked.Load() > before
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if after, _ := source.Lost(); after < lost {
		t.Errorf("lost %d, and after the end %d", lost, after)
	}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// TestHost emits processes outside any container when that is asked for.
func TestHost(t *testing.T) {
	s := start(t, sensing.Config{Host: true})
	if err := exec.CommandContext(t.Context(), "/bin/true", "mark-host").Run(); err != nil {
		t.Fatal(err)
	}
	x := s.find("mark-host")
	if x.Container != nil || x.K8s != nil || x.event.Subject != "node1" || x.Process.Executable.Origin != "host" {
		t.Errorf("exec on the host: subject %s: %s", x.event.Subject, x.event.Data)
	}
	quiet := start(t, sensing.Config{})
	if err := exec.CommandContext(t.Context(), "/bin/true", "mark-quiet").Run(); err != nil {
		t.Fatal(err)
	}
	s.find("mark-quiet") // both have had it by now or will have it in order
	for _, x := range quiet.all() {
		if slices.Contains(x.Process.CommandArgs, "mark-quiet") {
			t.Errorf("emitted without being asked: %s", x.event.Data)
		}
	}
}
