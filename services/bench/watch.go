package bench

import (
	"fmt"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/bench/workload"
)

// Trigger is the name of the program whose exec sets the pipeline off.
const Trigger = "xmrig"

// story is what the pipeline said of one container.
type story struct {
	exec   time.Time            // the kernel's, of the trigger
	paused time.Time            // containerd's own event
	at     map[string]time.Time // each record's kind → when it was stored; and the effect's own words
	failed string
	done   chan *story
}

// watch collects the stories of the containers from the two logs.
type watch struct {
	mu      sync.Mutex
	stories map[string]*story // by container
	tasks   map[string]string // "<incident>/<task>" → container
	opened  map[string]time.Time
}

func newWatch() *watch {
	return &watch{stories: map[string]*story{}, tasks: map[string]string{}, opened: map[string]time.Time{}}
}

// expect begins a story; what happened to the container before is not part of it.
func (w *watch) expect(id string) <-chan *story {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &story{at: map[string]time.Time{}, done: make(chan *story, 1)}
	w.stories[id] = s
	return s.done
}

func (w *watch) seen(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stories[id]
	return fmt.Sprintf("exec seen %v, paused %v, records %v", !s.exec.IsZero(), !s.paused.IsZero(), s.at)
}

func (w *watch) event(e schemas.Event) error {
	if e.Type != schemas.ProcessStarted && e.Type != schemas.ContainerPaused {
		return nil
	}
	var data schemas.ProcessEvent
	if err := (schemas.Record{Data: e.Data}).Decode(&data); err != nil {
		return err
	}
	if data.Container == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stories[data.Container.ID]
	switch {
	case s == nil:
	case e.Type == schemas.ContainerPaused && !s.exec.IsZero():
		s.paused = e.Time
	case e.Type == schemas.ProcessStarted && data.Process.Executable != nil && data.Process.Executable.Name == Trigger:
		s.exec = e.Time
		s.at["event"] = e.Stored
	}
	s.finish()
	return nil
}

func (w *watch) record(r schemas.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch r.Kind {
	case schemas.KindOpened:
		w.opened[r.Incident] = r.Stored
		return nil
	case schemas.KindRequested:
		var req schemas.Requested
		if err := r.Decode(&req); err != nil {
			return err
		}
		if req.Action == "container.pause" {
			w.tasks[r.Incident+"/"+r.Task] = req.Target.ID
		}
	}
	s := w.stories[w.tasks[r.Incident+"/"+r.Task]]
	if s == nil {
		return nil
	}
	s.at["opened"] = w.opened[r.Incident]
	s.at[string(r.Kind)] = r.Stored
	switch r.Kind {
	case schemas.KindApplied:
		var effect schemas.Effect
		if err := r.Decode(&effect); err != nil {
			return err
		}
		if effect.HaltedAt != nil {
			s.at["halted_at"] = *effect.HaltedAt
		}
		if effect.PausedAt != nil {
			s.at["paused_at"] = *effect.PausedAt
		}
	case schemas.KindFailed, schemas.KindRefused, schemas.KindGone, schemas.KindObserved, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified:
		s.failed = fmt.Sprintf("%s: %s", r.Kind, r.Data)
	}
	s.finish()
	return nil
}

// finish hands the story over, once, when all of it is there.
func (s *story) finish() {
	if s == nil || s.done == nil {
		return
	}
	if s.failed != "" || !s.exec.IsZero() && !s.paused.IsZero() && !s.at["enforced"].IsZero() {
		s.done <- s
		s.done = nil
	}
}

// series are the samples of one shape.
type series struct {
	bare, halted, paused, verified []time.Duration
	stages                         map[string][]time.Duration
}

func newSeries() *series { return &series{stages: map[string][]time.Duration{}} }

// add takes one container's samples; last is the boot clock's time of the last step.
func (s *series) add(bare, last time.Duration, told *story) {
	exec := told.exec.Sub(bootedAt())
	s.bare = append(s.bare, bare)
	s.halted = append(s.halted, last-exec)
	s.paused = append(s.paused, told.paused.Sub(told.exec))
	s.verified = append(s.verified, told.at["enforced"].Sub(told.exec))
	for stage, at := range told.at {
		s.stages[stage] = append(s.stages[stage], at.Sub(told.exec))
	}
}

// bootedAt is the wall clock's time of the boot clock's zero. The readings of
// both clocks that lie closest together are taken.
func bootedAt() time.Time {
	var best time.Time
	least := time.Hour
	for range 5 {
		before := workload.Now()
		wall := time.Now()
		after := workload.Now()
		if after-before < least {
			least, best = after-before, wall.Round(0).Add(-(before+after)/2)
		}
	}
	return best
}

func (s *series) figures() Contained {
	c := Contained{
		Bare: figures(s.bare), Halted: figures(s.halted), Paused: figures(s.paused), Verified: figures(s.verified),
		Stages: map[string]Figures{},
	}
	c.Ratios = map[string]Ratios{}
	for name, f := range map[string]Figures{"halted": c.Halted, "paused": c.Paused, "verified": c.Verified} {
		c.Ratios[name] = Ratios{P50: Ratio(f.P50, c.Bare.P50), P99: Ratio(f.P99, c.Bare.P99)}
	}
	for stage, samples := range s.stages {
		c.Stages[stage] = figures(samples)
	}
	return c
}
