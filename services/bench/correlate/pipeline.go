package correlate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
	"firebreak/services/bench/events"
	"firebreak/services/bus"
	"firebreak/services/correlator"
	"firebreak/services/playbook"
)

// Pipeline measures the way from publish to the stored incident, beside a bare
// ordered consumer that only counts, with the same publisher of the same
// messages: it publishes as fast as the bus takes them while they are read.
type Pipeline struct {
	Seed      uint64
	N         int // events of each measurement
	Rounds    int // both are measured in turn so many times, each time on a fresh bus
	Playbooks int
	Share     float64 // of events that match
	Dir       string  // for the stores
	Specs     []schemas.Spec
	Progress  Progress
}

// PipelineResult is what came of it.
type PipelineResult struct {
	Measure   string  `json:"measure"`
	N         int     `json:"events"`
	Rounds    int     `json:"rounds"`
	Playbooks int     `json:"playbooks"`
	Share     float64 `json:"match_share"`
	Incidents uint64  `json:"incidents"` // stored in one round
	Publish   Rate    `json:"publish_alone"`
	Bare      Rate    `json:"bare_consumer"`
	Ours      Rate    `json:"correlator"`        // connected within the process, as in `firebreak run`
	Apart     Rate    `json:"correlator_by_tcp"` // connected as the bare consumer is, as in `firebreak correlate`
	Ratio     float64 `json:"ratio"`             // median of the rounds' ratios
	RatioTCP  float64 `json:"ratio_by_tcp"`
}

// Run takes the measurement.
func (p Pipeline) Run(ctx context.Context) (PipelineResult, error) {
	out := PipelineResult{Measure: "pipeline", N: p.N, Rounds: p.Rounds, Playbooks: p.Playbooks, Share: p.Share}
	if p.N < 1 || p.Rounds < 1 || p.Playbooks < 1 {
		return out, fmt.Errorf("bench correlate: pipeline: %w", errNothing)
	}
	set, err := load(sources(events.New(p.Seed, p.Playbooks, 0)), p.Specs)
	if err != nil {
		return out, err
	}
	messages, err := p.messages()
	if err != nil {
		return out, err
	}
	readers := []struct {
		read func(context.Context, *broker, uint64) (*reading, error)
		into *Rate
		each []Rate
	}{
		{read: nobody, into: &out.Publish},
		{read: ordered, into: &out.Bare},
		{read: correlating(set, &out.Incidents, (*broker).within), into: &out.Ours},
		{read: correlating(set, &out.Incidents, (*broker).byTCP), into: &out.Apart},
	}
	for r := range p.Rounds {
		for i := range readers {
			rate, err := p.one(ctx, messages, readers[i].read)
			if err != nil {
				return out, fmt.Errorf("bench correlate: pipeline: %w", err)
			}
			readers[i].each = append(readers[i].each, rate)
		}
		p.Progress.tell(r+1, p.Rounds)
	}
	for i := range readers {
		*readers[i].into = middle(readers[i].each)
	}
	out.Ratio = ratios(readers[2].each, readers[1].each, byClock)
	out.RatioTCP = ratios(readers[3].each, readers[1].each, byClock)
	return out, nil
}

func (p Pipeline) messages() ([]*nats.Msg, error) {
	batch, err := events.New(p.Seed, p.Playbooks, p.Share).Batch(p.N)
	if err != nil {
		return nil, err
	}
	out, now := make([]*nats.Msg, len(batch)), time.Now().UTC()
	for i, e := range batch {
		e.Time = now.Add(time.Duration(i) * time.Microsecond) // or it would be clamped
		out[i] = message(e)
	}
	return out, nil
}

// reading is a reader at work.
type reading struct {
	upTo func(ctx context.Context, seq uint64) error // waits until it has done with all up to there
	stop func() error
}

// one publishes all messages on a fresh bus while somebody reads.
func (p Pipeline) one(ctx context.Context, messages []*nats.Msg, begin func(context.Context, *broker, uint64) (*reading, error)) (_ Rate, err error) {
	b, err := newBroker(ctx, p.Dir)
	if err != nil {
		return Rate{}, err
	}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	r, err := begin(ctx, b, uint64(len(messages)))
	if err != nil {
		return Rate{}, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	heap()
	w, err := start()
	if err != nil {
		return Rate{}, err
	}
	last, err := flood(ctx, b.admin, len(messages), func(i int) (*nats.Msg, error) { return messages[i], nil }, nil)
	if err != nil {
		return Rate{}, err
	}
	if err := r.upTo(ctx, last); err != nil {
		return Rate{}, err
	}
	return w.rate(len(messages))
}

// nobody reads: what is left is publishing.
func nobody(context.Context, *broker, uint64) (*reading, error) {
	return &reading{func(context.Context, uint64) error { return nil }, func() error { return nil }}, nil
}

// ordered is the bare consumer.
func ordered(ctx context.Context, b *broker, n uint64) (*reading, error) {
	js, err := jetstream.New(b.admin)
	if err != nil {
		return nil, fmt.Errorf("bare consumer: %w", err)
	}
	c, err := js.OrderedConsumer(ctx, "EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, fmt.Errorf("bare consumer: %w", err)
	}
	it, err := c.Messages(jetstream.PullMaxMessages(4096))
	if err != nil {
		return nil, fmt.Errorf("bare consumer: %w", err)
	}
	done, failed := make(chan struct{}), error(nil)
	go func() {
		defer close(done)
		for range n {
			if _, failed = it.Next(); failed != nil {
				return
			}
		}
	}()
	return &reading{
		upTo: func(ctx context.Context, _ uint64) error {
			select {
			case <-done:
				return failed
			case <-ctx.Done():
				return ended(ctx, "bare consumer")
			}
		},
		stop: func() error {
			it.Stop() // ends a Next that still waits
			<-done
			return nil
		},
	}, nil
}

// storing counts the incidents that are stored.
type storing struct {
	*bus.Client
	incidents atomic.Uint64
}

func (s *storing) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	stored, err := s.Client.Append(ctx, r, after)
	if err == nil && r.Kind == schemas.KindOpened {
		s.incidents.Add(1)
	}
	return stored, err
}

// correlating reads with the correlator; what it has done with, it has stored
// the incidents of.
func correlating(set *playbook.Set, incidents *uint64, connect func(*broker, context.Context) (*bus.Client, error)) func(context.Context, *broker, uint64) (*reading, error) {
	return func(ctx context.Context, b *broker, _ uint64) (*reading, error) {
		core, err := connect(b, ctx)
		if err != nil {
			return nil, err
		}
		count := &storing{Client: core}
		c, end, err := correlate(ctx, count, set)
		if err != nil {
			core.Close()
			return nil, err
		}
		return &reading{
			upTo: func(ctx context.Context, seq uint64) error {
				for c.Sequence() < seq {
					if err := ended(ctx, "correlator"); err != nil {
						return err
					}
					time.Sleep(200 * time.Microsecond)
				}
				*incidents = count.incidents.Load()
				return nil
			},
			stop: func() error { defer core.Close(); return end() },
		}, nil
	}
}

// correlate runs a correlator and waits until it is at work.
func correlate(ctx context.Context, on correlator.Bus, set *playbook.Set) (*correlator.Correlator, func() error, error) {
	ctx, cancel := context.WithCancel(ctx)
	live, done := make(chan struct{}), make(chan error, 1)
	c := correlator.New(correlator.Config{
		Bus: on, Set: set, Cluster: cluster, Writer: bus.Core.Writer(), Live: func() { close(live) },
	})
	go func() { done <- c.Run(ctx) }()
	select {
	case <-live:
		return c, func() error { cancel(); return <-done }, nil
	case err := <-done:
		cancel()
		return nil, nil, errors.Join(err, errors.New("the correlator ended before it was at work"))
	}
}
