package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/collector"
	"firebreak/services/collector/runtime"
)

// Inventory is where the source writes what is running.
type Inventory interface {
	PutItem(ctx context.Context, it schemas.Item) error
	DeleteItem(ctx context.Context, kind, id string) error
	Items(ctx context.Context, kind string) ([]schemas.Item, error)
}

// Config says which containerd to follow.
type Config struct {
	Address    string   // its socket, without a scheme
	Namespaces []string // of containerd
	Node       string
	Cluster    string
	Owner      string         // of the inventory's items: the writer of this process
	Inventory  Inventory      // nil: none is kept
	Known      *runtime.Known // nil: one of its own, see Source.Known
	Log        *slog.Logger

	Relist time.Duration // how often the table is compared with containerd (5 min)
	Keep   time.Duration // how long an exited container stays findable (1 min)
}

// Source follows one containerd.
type Source struct {
	cfg   Config
	known *runtime.Known
	items *items
	log   *slog.Logger
	ce    string // CloudEvents source
	echo  string // first part of the topic of our own events, by which we know that the stream lives
	asks  chan ask

	live  atomic.Pointer[client.Client] // set while a stream is in force
	pings atomic.Uint64                 // events of our own sent
	heard atomic.Uint64                 // envelopes received
	seen  atomic.Uint64                 // heard at the last probe
	back  chan struct{}                 // our own event came back
}

var (
	_ collector.Source    = (*Source)(nil)
	_ collector.Prober    = (*Source)(nil)
	_ collector.Describer = (*Source)(nil)
	_ collector.Typed     = (*Source)(nil)
	_ runtime.Lookup      = (*Source)(nil)
)

// New makes the source; nothing is connected before Run.
func New(c Config) (*Source, error) {
	c.Address = strings.TrimPrefix(c.Address, "unix://")
	switch {
	case c.Address == "":
		return nil, fmt.Errorf("containerd source: %w: no address; set runtime.containerd.address", schemas.ErrInvalid)
	case len(c.Namespaces) == 0:
		return nil, fmt.Errorf("containerd source: %w: no namespaces; set runtime.containerd.namespaces", schemas.ErrInvalid)
	case c.Node == "" || c.Cluster == "" || c.Log == nil:
		return nil, fmt.Errorf("containerd source: %w: node, cluster and logger are needed", schemas.ErrInvalid)
	}
	for _, ns := range c.Namespaces {
		if ns == "" || strings.ContainsAny(ns, `",\`) {
			return nil, fmt.Errorf("containerd source: namespace %q: %w: no such name is possible", ns, schemas.ErrInvalid)
		}
	}
	if c.Known == nil {
		c.Known = runtime.NewKnown()
	}
	if c.Owner == "" {
		c.Owner = schemas.NodePlace(c.Node)
	}
	if c.Relist <= 0 {
		c.Relist = 5 * time.Minute
	}
	if c.Keep <= 0 {
		c.Keep = time.Minute
	}
	s := &Source{
		cfg: c, known: c.Known, log: c.Log, asks: make(chan ask), back: make(chan struct{}, 1),
		echo: fmt.Sprintf("/firebreak/echo/n%x", time.Now().UnixNano()),
	}
	s.ce = collector.EventSource(c.Cluster, c.Node, s.Name())
	s.items = newItems(c, c.Known)
	return s, nil
}

// Name of the source.
func (s *Source) Name() string { return "containerd" }

// Types of the events that it gives.
func (s *Source) Types() []string {
	return []string{
		schemas.ContainerObserved, schemas.ContainerStarted, schemas.ContainerExited, schemas.ContainerPaused,
		schemas.ContainerResumed, schemas.ContainerOOM, schemas.ExecStarted,
	}
}

// Known is the table of containers that this source keeps.
func (s *Source) Known() *runtime.Known { return s.known }

// Detail says for the heartbeats how the source works.
func (s *Source) Detail() string {
	n := 0
	for _, f := range s.known.All() {
		if f.Lives() {
			n++
		}
	}
	return fmt.Sprintf("event stream of %s, namespaces %s, %d containers run",
		s.cfg.Address, strings.Join(s.cfg.Namespaces, ", "), n)
}

// Run follows containerd until ctx ends or the stream breaks.
func (s *Source) Run(ctx context.Context, emit func(context.Context, schemas.Event) error) (err error) {
	if err := s.reachable(ctx); err != nil {
		return err
	}
	c, err := client.New(s.cfg.Address, client.WithTimeout(5*time.Second))
	if err != nil {
		return fmt.Errorf("containerd at %s: %w", s.cfg.Address, err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	defer s.live.Store(nil)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.follow(ctx, c, emit) })
	g.Go(func() error { s.answer(ctx, c); return nil })
	g.Go(func() error { s.items.run(ctx); return nil })
	return g.Wait()
}

// reachable says in plain words why the socket cannot be used, which the
// client itself would only show as a call that times out.
func (s *Source) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.cfg.Address)
	if err == nil {
		return conn.Close()
	}
	remedy := "start containerd, or set runtime.containerd.address to its socket"
	if errors.Is(err, fs.ErrPermission) {
		remedy = "run the collector as root, or give its user access to the socket"
	}
	return fmt.Errorf("containerd at %s cannot be reached: %w: %s", s.cfg.Address, err, remedy)
}
