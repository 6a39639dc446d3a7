package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/bench/workload"
	"firebreak/services/lab"
)

// Execs measures the exec sensor: N execs in a running container at a rate,
// from the kernel's time of each to its place in EVENTS.
type Execs struct {
	N, Rate  int
	Lab      *lab.Lab
	Pipeline Pipeline
	Binary   string
	Progress Progress
}

// ExecsResult is the last line of `firebreak bench exec`.
type ExecsResult struct {
	N      int     `json:"n"`
	Rate   int     `json:"rate_per_s"`
	Stored int     `json:"stored"`
	Lost   int     `json:"lost"`
	Twice  int     `json:"twice"`
	Delay  Figures `json:"exec_to_stored"` // kernel's exec → stored in EVENTS
}

// Run takes the measurement.
func (x Execs) Run(ctx context.Context) (ExecsResult, error) {
	if x.N < 1 || x.Rate < 1 || x.Rate > 10_000 {
		return ExecsResult{}, fmt.Errorf("bench exec: n must be at least 1, and the rate from 1 to 10,000 a second")
	}
	run, err := x.Lab.Run(ctx, lab.Container{
		ID:     "bench-exec",
		Args:   []string{"/bin/sh", "-c", "while :; do sleep 1; done"},
		Mounts: []specs.Mount{{Type: "bind", Source: x.Binary, Destination: "/bench/app", Options: []string{"rbind", "ro"}}},
	})
	if err != nil {
		return ExecsResult{}, err
	}
	result, err := x.follow(ctx, run)
	return result, errors.Join(err, run.End(context.WithoutCancel(ctx)))
}

func (x Execs) follow(ctx context.Context, run *lab.Running) (ExecsResult, error) {
	count := &counter{id: run.ID, times: map[int]int{}, n: x.N, all: make(chan struct{})}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := x.Pipeline.FollowEvents(ctx, 0, count.event, nil)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
	group.Go(func() error {
		defer stop()
		return x.burst(ctx, run, count)
	})
	if err := group.Wait(); err != nil {
		return ExecsResult{}, err
	}
	count.mu.Lock()
	defer count.mu.Unlock()
	r := ExecsResult{N: x.N, Rate: x.Rate, Stored: len(count.times), Lost: x.N - len(count.times), Delay: figures(count.delays)}
	for _, times := range count.times {
		r.Twice += times - 1
	}
	return r, nil
}

// burst lets the container execute, and waits for the events for a while.
func (x Execs) burst(ctx context.Context, run *lab.Running, count *counter) error {
	started := time.Now()
	if x.Progress != nil {
		x.Progress(0, x.N)
	}
	_, err := run.Exec(ctx, "/bench/app", workload.Burst, "/bin/true", strconv.Itoa(x.N), strconv.Itoa(x.Rate))
	if err != nil {
		return fmt.Errorf("bench exec: %w", err)
	}
	if took, most := time.Since(started), 2*time.Duration(x.N)*time.Second/time.Duration(x.Rate)+5*time.Second; took > most {
		return fmt.Errorf("bench exec: this machine needed %s for %d execs; it cannot do %d a second", took.Round(time.Millisecond), x.N, x.Rate)
	}
	select {
	case <-count.all:
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if x.Progress != nil {
		x.Progress(x.N, x.N)
	}
	return nil
}

// counter takes note of the numbered execs of one container.
type counter struct {
	mu     sync.Mutex
	id     string
	n      int
	times  map[int]int
	delays []time.Duration
	all    chan struct{}
}

func (c *counter) event(e schemas.Event) error {
	if e.Type != schemas.ProcessStarted {
		return nil
	}
	var data schemas.ProcessEvent
	if err := (schemas.Record{Data: e.Data}).Decode(&data); err != nil {
		return err
	}
	if data.Container == nil || data.Container.ID != c.id || len(data.Process.CommandArgs) < 2 {
		return nil
	}
	number, ok := strings.CutPrefix(data.Process.CommandArgs[1], workload.Mark)
	if !ok {
		return nil
	}
	i, err := strconv.Atoi(number)
	if err != nil {
		return nil //nolint:nilerr // somebody else's argument
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[i]++
	c.delays = append(c.delays, e.Stored.Sub(e.Time))
	if len(c.times) == c.n && c.times[i] == 1 {
		close(c.all)
	}
	return nil
}
