package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sync/errgroup"

	"firebreak/services/bench/workload"
	"firebreak/services/lab"
)

// Playbook is what the measured pipeline has in force: the library's own
// playbooks stop after a few targets, as they should, and a measurement must
// not.
const Playbook = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: bench, summary: The measured program was executed, arena: runtime, severity: critical}
on:
  start:
    type: runtime.process.started
    when: has(process.executable.name) && process.executable.name == "` + Trigger + `"
match: {by: container.id}
once: 1h
guard: {mode: enforce}
then:
  - do: container.pause
    for: 4h
    onExpire: keep
`

// Contain measures containment: N containers of each of two shapes, alone and
// in a pod's cgroup, each running several threads and a fork loop. Each is
// first paused barely and resumed, then triggers Firebreak by a real exec.
type Contain struct {
	N        int
	Lab      *lab.Lab // whose containerd the pipeline watches
	Pipeline Pipeline
	Binary   string // a static binary whose main calls workload.Main
	Dir      string // for the traces
	Progress Progress
	Log      *slog.Logger
}

// Contained is the outcome for one shape.
type Contained struct {
	Bare     Figures `json:"bare_pause"` // call of Task.Pause → last change of any counter in the container
	Halted   Figures `json:"halted"`     // kernel's exec → last change of any counter
	Paused   Figures `json:"paused"`     // kernel's exec → containerd says PAUSED
	Verified Figures `json:"verified"`   // kernel's exec → `enforced` stored

	Ratios map[string]Ratios  `json:"ratios"` // against the bare pause of this run
	Stages map[string]Figures `json:"stages"` // kernel's exec → each record stored, and what the effect says of itself
}

// Ratios against the same percentile of the baseline.
type Ratios struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// ContainResult is the last line of `firebreak bench contain`.
type ContainResult struct {
	N int `json:"n"` // containers of each shape
	Contained
	Pod Contained `json:"pod"`
}

// shapes of the measured containers.
var shapes = []string{"alone", "pod"}

// Run takes the measurement.
func (c Contain) Run(ctx context.Context) (ContainResult, error) {
	watch := newWatch()
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.Pipeline.FollowEvents(ctx, 0, watch.event, nil) })
	group.Go(func() error { return c.Pipeline.FollowLedger(ctx, 0, watch.record, nil) })
	samples := map[string]*series{"alone": newSeries(), "pod": newSeries()}
	var failed error
	group.Go(func() error {
		defer stop()
		failed = c.all(ctx, watch, samples)
		return failed
	})
	err := group.Wait()
	if failed != nil {
		return ContainResult{}, failed
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return ContainResult{}, err
	}
	if len(samples["alone"].bare) != c.N || len(samples["pod"].bare) != c.N {
		return ContainResult{}, fmt.Errorf("bench contain: ended after %d of %d: %w", len(samples["pod"].bare), c.N, context.Cause(ctx))
	}
	return ContainResult{N: c.N, Contained: samples["alone"].figures(), Pod: samples["pod"].figures()}, nil
}

func (c Contain) all(ctx context.Context, watch *watch, samples map[string]*series) error {
	for i := range c.N {
		for _, shape := range shapes {
			if err := c.one(ctx, watch, shape, i, samples[shape]); err != nil {
				return fmt.Errorf("bench contain: %s container %d of %d: %w", shape, i+1, c.N, err)
			}
		}
		if c.Progress != nil {
			c.Progress(i+1, c.N)
		}
	}
	return nil
}

// one takes one container through a bare pause and one by Firebreak.
func (c Contain) one(ctx context.Context, watch *watch, shape string, i int, into *series) (err error) {
	id := fmt.Sprintf("bench-%s-%d", shape, i)
	dir := filepath.Join(c.Dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	trace, err := workload.Open(filepath.Join(dir, "trace"), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trace.Close(), os.RemoveAll(dir)) }()
	run, err := c.Lab.Run(ctx, c.container(id, dir, shape, i))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.End(context.WithoutCancel(ctx))) }()
	if err := moving(ctx, trace); err != nil {
		return err
	}
	bare, err := barePause(ctx, run, trace)
	if err != nil {
		return err
	}
	if err := moving(ctx, trace); err != nil {
		return err
	}
	done := watch.expect(id)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(30 * time.Second):
		return fmt.Errorf("not contained within 30 s: %s", watch.seen(id))
	case story := <-done:
		if story.failed != "" {
			return fmt.Errorf("not contained: %s", story.failed)
		}
		still, err := settled(ctx, trace)
		if err != nil {
			return err
		}
		into.add(bare, still, story)
		return nil
	}
}

func (c Contain) container(id, dir, shape string, i int) lab.Container {
	bind := func(from, to, mode string) specs.Mount {
		return specs.Mount{Type: "bind", Source: from, Destination: to, Options: []string{"rbind", mode}}
	}
	spec := lab.Container{
		ID:     id,
		Args:   workload.Args("/bench/app", "/trace/trace", "/bench/xmrig", "/trace/go"),
		Mounts: []specs.Mount{bind(c.Binary, "/bench/app", "ro"), bind(c.Binary, "/bench/xmrig", "ro"), bind(dir, "/trace", "rw")},
	}
	if shape == "pod" {
		spec.Pod = &lab.Pod{UID: fmt.Sprintf("6c1ba1f8-0000-4000-8000-%012d", i), Name: id, Namespace: "bench"}
	}
	return spec
}

// barePause is the baseline: the call → the last change of any counter.
func barePause(ctx context.Context, run *lab.Running, trace *workload.Trace) (time.Duration, error) {
	from := workload.Now()
	if err := run.Task.Pause(run.In(ctx)); err != nil {
		return 0, fmt.Errorf("bare pause: %w", err)
	}
	last, err := settled(ctx, trace)
	if err != nil {
		return 0, err
	}
	if err := run.Task.Resume(run.In(ctx)); err != nil {
		return 0, fmt.Errorf("resume after the bare pause: %w", err)
	}
	return last - from, nil
}

// moving waits until every counter has moved from now on.
func moving(ctx context.Context, trace *workload.Trace) error {
	from := workload.Now()
	for deadline := time.Now().Add(30 * time.Second); !trace.Running(from); {
		if time.Now().After(deadline) {
			return errors.New("the workload does not run: not every counter moved within 30 s")
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return pause(ctx, 20*time.Millisecond)
}

// settled gives the time of the last step once nothing has moved for 10 ms.
func settled(ctx context.Context, trace *workload.Trace) (time.Duration, error) {
	last := trace.Last()
	for range 200 {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
		now := trace.Last()
		if now == last {
			return last, nil
		}
		last = now
	}
	return 0, errors.New("it runs on although it was said to be paused")
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
