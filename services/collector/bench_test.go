package collector_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector"
)

// nothing is a bus that stores nothing.
type nothing struct{}

func (nothing) Publish(context.Context, schemas.Event) (uint64, error) { return 1, nil }

// What the collector itself adds to every event on the healthy way.
func BenchmarkEmit(b *testing.B) {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(b.Context())
	s := source{"one", func(ctx context.Context, emit collector.Emit) error {
		defer cancel()
		e := event("one", 1)
		for b.Loop() {
			if err := emit(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}}
	go func() {
		defer close(done)
		if err := collector.Run(ctx, collector.Config{
			Node: "n", Cluster: "c", Bus: nothing{}, Sources: []collector.Source{s}, Log: slog.New(slog.DiscardHandler),
			SpoolDir: b.TempDir(), Rate: 1e12, Burst: 1e9, Heartbeat: time.Hour,
		}); err != nil {
			b.Error(err)
		}
	}()
	<-done
}
