// Package demo shows the main job on real parts: an innocent container, and
// one in which a file named xmrig is dropped and executed. It tells the story
// as it happens, looks from outside whether it is true, and releases.
//
// The pipeline is seen as a person sees it; what it says is checked against
// containerd's own state and against memory that the containers share.
package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/bench/workload"
	"firebreak/services/lab"
)

// Pipeline is a running Firebreak as a person sees it.
type Pipeline interface {
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
}

// Demo is what the demonstration needs.
type Demo struct {
	Lab      *lab.Lab
	Pipeline Pipeline
	Release  func(ctx context.Context, incident string) error
	Binary   string // a static binary whose main calls workload.Main
	Dir      string
	Say      func(line string) // the timeline, a line each
}

// Result is the demonstration's last line.
type Result struct {
	Contained bool    `json:"contained"`
	Verified  bool    `json:"verified"`
	Halted    float64 `json:"event_to_halted_ms"`
	Paused    float64 `json:"event_to_paused_ms"`
	Innocent  bool    `json:"innocent_untouched"`
}

// Good says whether all of it happened.
func (r Result) Good() bool { return r.Contained && r.Verified && r.Innocent }

const (
	innocent = "shop"
	victim   = "blog"
	dropped  = "/root/xmrig"
)

// patience is how long each part of the story may take.
const patience = 60 * time.Second

// Run plays the demonstration.
func (d Demo) Run(ctx context.Context) (Result, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	story := newStory(d.Say)
	group, ctx := errgroup.WithContext(ctx)
	var result Result
	var failed error
	group.Go(func() error { return d.Pipeline.FollowEvents(ctx, 0, story.event, nil) })
	group.Go(func() error { return d.Pipeline.FollowLedger(ctx, 0, story.record, nil) })
	group.Go(func() error {
		defer stop()
		result, failed = d.play(ctx, story)
		return failed
	})
	err := group.Wait()
	switch {
	case failed != nil:
		return result, failed
	case err != nil && !errors.Is(err, context.Canceled):
		return result, err
	}
	return result, nil
}

func (d Demo) play(ctx context.Context, story *story) (result Result, err error) {
	good, err := d.start(ctx, innocent)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, good.end(ctx)) }()
	bad, err := d.start(ctx, victim)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, bad.end(ctx)) }()
	d.Say(fmt.Sprintf("two containers run: %s (innocent) and %s", innocent, victim))
	if _, err := bad.run.Exec(ctx, "/bin/cp", "/demo/app", dropped); err != nil {
		return result, fmt.Errorf("drop %s: %w", dropped, err)
	}
	d.Say(fmt.Sprintf("in %s a file %s is dropped and executed", victim, dropped))
	if err := os.WriteFile(filepath.Join(bad.dir, "go"), nil, 0o600); err != nil {
		return result, fmt.Errorf("pull the trigger: %w", err)
	}
	if err := wait(ctx, "the containment of "+victim, story.contained); err != nil {
		return result, fmt.Errorf("%w; so far: %s", err, story.told())
	}
	halted, paused := story.delays()
	result.Halted, result.Paused = ms(halted), ms(paused)
	result.Verified = story.enforced()
	if result.Contained, err = d.stands(ctx, bad); err != nil {
		return result, err
	}
	d.Say("from outside: " + victim + stillness(result.Contained))
	if result.Innocent, err = d.untouched(ctx, good); err != nil {
		return result, err
	}
	result.Innocent = result.Innocent && !story.spokeOf(innocent)
	return result, d.release(ctx, story, bad)
}

func stillness(still bool) string {
	if still {
		return " stands still: no counter in it moves, and containerd says PAUSED"
	}
	return " RUNS ON, or containerd does not say PAUSED"
}

// release lets go, and looks whether the container runs on.
func (d Demo) release(ctx context.Context, story *story, bad *container) error {
	if err := d.Release(ctx, story.incident()); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if err := wait(ctx, "the release of "+victim, story.released); err != nil {
		return fmt.Errorf("%w; so far: %s", err, story.told())
	}
	from := workload.Now()
	if err := wait(ctx, victim+" to run on after its release", func() bool { return bad.trace.Running(from) }); err != nil {
		return err
	}
	d.Say("from outside: " + victim + " runs on")
	return nil
}

// stands says whether nothing moves in the container for half a second and
// containerd says PAUSED.
func (d Demo) stands(ctx context.Context, c *container) (bool, error) {
	last := c.trace.Last()
	if err := sleep(ctx, 500*time.Millisecond); err != nil {
		return false, err
	}
	status, err := c.run.Status(ctx)
	if err != nil {
		return false, fmt.Errorf("state of %s: %w", c.run.ID, err)
	}
	return c.trace.Last() == last && status == containerd.Paused, nil
}

// untouched says whether every counter of the container still moves.
func (d Demo) untouched(ctx context.Context, c *container) (bool, error) {
	from := workload.Now()
	if err := sleep(ctx, 500*time.Millisecond); err != nil {
		return false, err
	}
	status, err := c.run.Status(ctx)
	if err != nil {
		return false, fmt.Errorf("state of %s: %w", c.run.ID, err)
	}
	return c.trace.Running(from) && status == containerd.Running, nil
}

// container is one of the two, with its trace.
type container struct {
	run   *lab.Running
	trace *workload.Trace
	dir   string
}

func (d Demo) start(ctx context.Context, id string) (*container, error) {
	dir := filepath.Join(d.Dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	trace, err := workload.Open(filepath.Join(dir, "trace"), true)
	if err != nil {
		return nil, err
	}
	run, err := d.Lab.Run(ctx, lab.Container{
		ID:   id,
		Args: workload.Args("/demo/app", "/trace/trace", dropped, "/trace/go"),
		Mounts: []specs.Mount{
			{Type: "bind", Source: d.Binary, Destination: "/demo/app", Options: []string{"rbind", "ro"}},
			{Type: "bind", Source: dir, Destination: "/trace", Options: []string{"rbind", "rw"}},
		},
	})
	if err != nil {
		return nil, errors.Join(err, trace.Close())
	}
	c := &container{run: run, trace: trace, dir: dir}
	from := workload.Now()
	if err := wait(ctx, "every thread of "+id+" to run", func() bool { return trace.Running(from) }); err != nil {
		return nil, errors.Join(err, c.end(ctx))
	}
	return c, nil
}

func (c *container) end(ctx context.Context) error {
	return errors.Join(c.run.End(context.WithoutCancel(ctx)), c.trace.Close())
}

func wait(ctx context.Context, what string, until func() bool) error {
	for deadline := time.Now().Add(patience); !until(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s", patience, what)
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func ms(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }
