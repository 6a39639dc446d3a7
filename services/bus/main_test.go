package bus_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// config is a server's that a test can have on a small disk, with two nodes.
func config(t testing.TB) bus.ServerConfig {
	t.Helper()
	return bus.ServerConfig{
		DataDir: t.TempDir(), Nodes: []string{"a", "b.example"},
		Space: bus.Space{Low: 1, Critical: 1, Ballast: 1}, Log: logger(t),
	}
}

func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func start(t testing.TB, cfg bus.ServerConfig) *bus.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := bus.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t testing.TB, s *bus.Server, u bus.User) *bus.Client {
	t.Helper()
	c, err := s.Connect(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// soon is a context for calls that must succeed.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func event(t testing.TB, id string) schemas.Event {
	t.Helper()
	e, err := schemas.NewEvent(schemas.ExecStarted, "/local/a/runtime", id, "container-1", at,
		schemas.ProcessEvent{Host: &schemas.Host{Name: "a"}, Process: &schemas.Process{PID: 7}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func record(t testing.TB, incident, task, place string, kind schemas.Kind, n int) schemas.Record {
	t.Helper()
	r, err := schemas.NewRecord(incident, task, place, kind, n, at, map[string]any{"n": n})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// follow runs a follower until the test ends, and hands what it gets to a channel.
func follow[T any](t testing.TB, run func(ctx context.Context, handle func(T) error, live func() error) error) (got <-chan T, live <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	into, told, done := make(chan T, 100000), make(chan struct{}, 16), make(chan error, 1)
	go func() {
		done <- run(ctx, func(v T) error { into <- v; return nil }, func() error { told <- struct{}{}; return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; ctx.Err() == nil {
			t.Errorf("follower ended: %v", err)
		}
	})
	return into, told
}

// next waits for the next of a channel.
func next[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	var v T
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// none tells whether a channel is empty, now that what came after it was seen.
func none[T any](t testing.TB, ch <-chan T) {
	t.Helper()
	select {
	case v := <-ch:
		t.Fatalf("came: %+v", v)
	default:
	}
}
