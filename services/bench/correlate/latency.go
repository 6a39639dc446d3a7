package correlate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/bench/events"
	"firebreak/services/bus"
)

// Latency measures how long it takes from an event that is stored until its
// incident is, at a steady rate. The first is JetStream's own stamp on the
// event, the second the moment at which the ledger's answer is there; both are
// of one machine's clock.
type Latency struct {
	Seed      uint64
	N         int // events
	Rate      int // a second
	Playbooks int
	Share     float64 // of events that match
	Dir       string  // for the stores
	Specs     []schemas.Spec
	Progress  Progress
}

// LatencyResult is what came of it.
type LatencyResult struct {
	Measure   string  `json:"measure"`
	N         int     `json:"events"`
	Incidents int     `json:"incidents"`
	Wanted    int     `json:"wanted_per_second"`
	Reached   float64 `json:"published_per_second"`
	P50       float64 `json:"p50_ms"`
	P95       float64 `json:"p95_ms"`
	P99       float64 `json:"p99_ms"`
	Publish   float64 `json:"publish_p50_ms"` // call → answered, beside it
}

// timed notes when what the correlator reads was stored, and when what it
// decides is.
type timed struct {
	*bus.Client

	mu     sync.Mutex
	stored time.Time // of the event at hand
	took   []float64
}

func (t *timed) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	return t.Client.FollowEvents(ctx, from, func(e schemas.Event) error {
		t.mu.Lock()
		t.stored = e.Stored
		t.mu.Unlock()
		return handle(e)
	}, live)
}

func (t *timed) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	out, err := t.Client.Append(ctx, r, after)
	if err == nil && r.Kind == schemas.KindOpened {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.took = append(t.took, float64(time.Since(t.stored).Nanoseconds())/1e6)
	}
	return out, err
}

// Run takes the measurement.
func (l Latency) Run(ctx context.Context) (out LatencyResult, err error) {
	out = LatencyResult{Measure: "latency", N: l.N, Wanted: l.Rate}
	if l.N < 1 || l.Rate < 1 || l.Playbooks < 1 {
		return out, fmt.Errorf("bench correlate: latency: %w", errNothing)
	}
	set, err := load(sources(events.New(l.Seed, l.Playbooks, 0)), l.Specs)
	if err != nil {
		return out, err
	}
	batch, err := events.New(l.Seed, l.Playbooks, l.Share).Batch(l.N)
	if err != nil {
		return out, err
	}
	b, err := newBroker(ctx, l.Dir)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	publisher, err := b.server.Connect(ctx, bus.Collector(node))
	if err != nil {
		return out, err
	}
	defer publisher.Close()
	core, err := b.within(ctx)
	if err != nil {
		return out, err
	}
	defer core.Close()
	watched := &timed{Client: core}
	c, stop, err := correlate(ctx, watched, set)
	if err != nil {
		return out, err
	}
	last, err := l.pace(ctx, publisher, batch, &out)
	for err == nil && c.Sequence() < last {
		time.Sleep(time.Millisecond)
		err = ended(ctx, "latency")
	}
	if err = errors.Join(err, stop()); err != nil {
		return out, fmt.Errorf("bench correlate: latency: %w", err)
	}
	out.Incidents = len(watched.took)
	if out.Incidents == 0 {
		return out, fmt.Errorf("bench correlate: latency: none of %d events opened an incident: %w", l.N, errNothing)
	}
	out.P50, out.P95, out.P99 = round(quantile(watched.took, 0.5), 3), round(quantile(watched.took, 0.95), 3), round(quantile(watched.took, 0.99), 3)
	return out, nil
}

// pace publishes as the collector of a node does, one after another.
func (l Latency) pace(ctx context.Context, publisher *bus.Client, batch []schemas.Event, out *LatencyResult) (last uint64, err error) {
	begin := time.Now()
	answered := make([]float64, 0, len(batch))
	for i, e := range batch {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		if i%l.Rate == 0 {
			if err := ended(ctx, "latency"); err != nil {
				return 0, err
			}
			l.Progress.tell(i, len(batch))
		}
		e.Time = time.Now().UTC()
		call := time.Now()
		if last, err = publisher.Publish(ctx, e); err != nil {
			return 0, err
		}
		answered = append(answered, float64(time.Since(call).Nanoseconds())/1e6)
	}
	l.Progress.tell(len(batch), len(batch))
	out.Reached = round(float64(len(batch))/time.Since(begin).Seconds(), 1)
	out.Publish = round(median(answered), 3)
	return last, nil
}
