package usage

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector"
	"firebreak/services/collector/runtime"
)

// Containers is the table of containers to sample.
type Containers interface{ All() []runtime.Facts }

// Config says what to sample and how often.
type Config struct {
	Node     string
	Cluster  string
	Known    Containers
	Interval time.Duration // 10 s
	Log      *slog.Logger
}

// Source samples in turn every container that lives.
type Source struct {
	cfg    Config
	ce     string
	layout atomic.Pointer[string]
}

var (
	_ collector.Source    = (*Source)(nil)
	_ collector.Describer = (*Source)(nil)
	_ collector.Typed     = (*Source)(nil)
)

// New makes the source.
func New(c Config) (*Source, error) {
	if c.Node == "" || c.Cluster == "" || c.Known == nil || c.Log == nil {
		return nil, fmt.Errorf("usage source: %w: node, cluster, table of containers and logger are needed", schemas.ErrInvalid)
	}
	if c.Interval <= 0 {
		c.Interval = 10 * time.Second
	}
	s := &Source{cfg: c}
	s.ce = collector.EventSource(c.Cluster, c.Node, s.Name())
	return s, nil
}

// Name of the source.
func (s *Source) Name() string { return "usage" }

// Types of the events that it gives.
func (s *Source) Types() []string { return []string{schemas.ContainerUsage} }

// Detail says for the heartbeats how the source works.
func (s *Source) Detail() string {
	layout := s.layout.Load()
	if layout == nil {
		return ""
	}
	return fmt.Sprintf("cgroup counters (%s) every %s", *layout, s.cfg.Interval)
}

// Run samples until ctx ends.
func (s *Source) Run(ctx context.Context, emit func(context.Context, schemas.Event) error) error {
	mounts, err := findMounts()
	if err != nil {
		return err
	}
	layout := mounts.layout()
	s.layout.Store(&layout)
	sampler := newSampler(mounts)
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := s.round(ctx, sampler, emit); err != nil {
			return err
		}
	}
}

// round samples every container once.
func (s *Source) round(ctx context.Context, sampler *sampler, emit func(context.Context, schemas.Event) error) error {
	sampler.begin()
	for _, f := range s.cfg.Known.All() {
		if !f.Lives() || f.Container.PID == 0 {
			continue
		}
		use, at, err := sampler.sample(f)
		if err != nil { // it ended since it was listed
			s.cfg.Log.Debug("a container could not be sampled", "container", f.Container.ID, "error", err)
			continue
		}
		c := f.Container
		c.CPU, c.Memory, c.Pids = use.cpu, use.memory, use.pids
		id := f.Container.Namespace + "-" + f.Container.ID + "-" + strconv.FormatInt(at.UnixNano(), 10)
		e, err := schemas.NewEvent(schemas.ContainerUsage, s.ce, id, c.ID, at, schemas.ContainerEvent{
			Host: &schemas.Host{Name: s.cfg.Node}, K8s: f.K8s, Container: &c,
		})
		if err != nil {
			return err
		}
		if err := emit(ctx, e); err != nil {
			return err
		}
	}
	sampler.end()
	return nil
}
