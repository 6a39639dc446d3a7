package exec_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/exec"
	"firebreak/services/lab"
)

// table is a Lookup that a test fills.
type table struct {
	mu   sync.Mutex
	byID map[string]schemas.Container
}

func (t *table) Container(id string) (schemas.Container, *schemas.K8s, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.byID[id]
	if !ok {
		return c, nil, false
	}
	return c, &schemas.K8s{Pod: &schemas.Pod{UID: "uid-of-" + id}}, true
}

func (t *table) Named(string) []runtime.Facts { return nil }

func (t *table) put(c schemas.Container) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string]schemas.Container{}
	}
	t.byID[c.ID] = c
}

// sensor is a running source and what it emitted.
type sensor struct {
	t      testing.TB
	source *exec.Source
	known  *table
	mu     sync.Mutex
	seen   []seen
}

type seen struct {
	event schemas.Event
	at    time.Time
	schemas.ProcessEvent
}

func start(t testing.TB, c exec.Config) *sensor {
	t.Helper()
	s := &sensor{t: t, known: &table{}}
	c.Cluster, c.Node, c.Lookup = "local", "node1", s.known
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if s.source, err = exec.New(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.source.Run(ctx, s.emit) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	s.until("the sensor to be attached", func() bool { return s.source.Probe(ctx) == nil })
	return s
}

func (s *sensor) emit(_ context.Context, e schemas.Event) error {
	x := seen{event: e, at: time.Now()}
	if err := json.Unmarshal(e.Data, &x.ProcessEvent); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, x)
	return nil
}

func (s *sensor) all() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func (s *sensor) until(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			for _, x := range s.all() {
				s.t.Logf("seen: %s", x.event.Data)
			}
			s.t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// find waits for the exec that has a mark as an argument. Helpers that pass the
// mark on are left out.
func (s *sensor) find(mark string) seen {
	s.t.Helper()
	var found seen
	s.until("an exec with "+mark, func() bool {
		for _, x := range s.all() {
			if slices.Contains(x.Process.CommandArgs, mark) && x.Process.Executable.Name != "act" {
				found = x
				return true
			}
		}
		return false
	})
	return found
}

// in gives all execs in a container.
func (s *sensor) in(id string) []seen {
	return slices.DeleteFunc(s.all(), func(x seen) bool { return x.Container == nil || x.Container.ID != id })
}

// run starts a container that the runtime is said to know.
func (s *sensor) run(l *lab.Lab, c lab.Container) *lab.Running {
	s.t.Helper()
	s.known.put(schemas.Container{ID: c.ID, Runtime: "containerd"})
	r, err := l.Run(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.known.put(schemas.Container{ID: c.ID, Runtime: "containerd", Namespace: r.Namespace, PID: int(r.PID)})
	return r
}

// sh runs a script in a container and fails the test when that fails.
func (s *sensor) sh(r *lab.Running, script string) {
	s.t.Helper()
	if out, err := r.Exec(s.t.Context(), "/bin/sh", "-c", script); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}
