package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/exec/decode"
)

// Mode is a way to hear of an exec.
type Mode string

// Modes.
const (
	Auto      Mode = ""          // BPF, and where that fails the connector
	BPF       Mode = "bpf"       // the kernel's tracepoint sched_process_exec
	Connector Mode = "connector" // the kernel's proc connector, and /proc
)

// Lookup finds the container that bears an id. It is asked for every exec, in
// the source's own goroutine: known containers must be answered from memory.
type Lookup interface {
	Container(id string) (schemas.Container, *schemas.K8s, bool)
	// Named gives all containers of an id that Container does not answer for,
	// because namespaces of the runtime share it.
	Named(id string) []runtime.Facts
}

// Config says what to watch.
type Config struct {
	Cluster string
	Node    string // host.name of the events
	Lookup  Lookup
	Log     *slog.Logger
	Host    bool          // emit processes outside any container too
	Mode    Mode          // Auto unless a way is to be forced
	Wait    time.Duration // how long an unknown container is waited for (500 ms)
	Buffer  uint32        // bytes of the ring buffer, a power of two and of pages (8 MiB: some 10,000 execs)
}

// Source emits an event for every exec in a container.
type Source struct {
	c      Config
	source string // CloudEvents source
	boot   string // id of this boot: makes event ids unique across boots

	mu    sync.Mutex
	feed  feed   // nil while Run does not run
	mode  Mode   // of the feed
	why   string // why it is not BPF
	past  uint64 // losses of earlier feeds
	undue uint64 // raw events that could not be decoded
	torn  uint64 // execs in one of several containers of the same id
}

// feed is one of the two ways. next is called by one goroutine; the others at
// any time.
type feed interface {
	next(until time.Time) (decode.Exec, error) // os.ErrDeadlineExceeded, os.ErrClosed; schemas.ErrInvalid for one bad event
	lost() (uint64, error)
	check() error // whether it still hears anything
	close() error
}

// New makes the source. Nothing is opened before Run.
func New(c Config) (*Source, error) {
	switch {
	case c.Cluster == "" || c.Node == "":
		return nil, fmt.Errorf("exec source: %w: the names of cluster and node are needed", schemas.ErrInvalid)
	case c.Lookup == nil || c.Log == nil:
		return nil, fmt.Errorf("exec source: %w: a look-up of containers and a logger are needed", schemas.ErrInvalid)
	case c.Mode != Auto && c.Mode != BPF && c.Mode != Connector:
		return nil, fmt.Errorf("exec source: mode %q: %w: want %q or %q", c.Mode, schemas.ErrInvalid, BPF, Connector)
	}
	if c.Wait == 0 {
		c.Wait = 500 * time.Millisecond
	}
	if c.Buffer == 0 {
		c.Buffer = 8 << 20
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	return &Source{c: c, boot: boot, source: eventSource(c.Cluster, c.Node)}, nil
}

// Name of the source.
func (s *Source) Name() string { return "exec" }

// Types of the events that it gives.
func (s *Source) Types() []string { return []string{schemas.ProcessStarted} }

// Run emits until ctx ends or the kernel gives no more.
func (s *Source) Run(ctx context.Context, emit func(ctx context.Context, e schemas.Event) error) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	ended := make(chan struct{})
	wg.Go(func() { // next cannot wait for ctx; closing interrupts it
		select {
		case <-ctx.Done():
		case <-ended:
		}
		if err := s.shut(f); err != nil {
			s.c.Log.Warn("the exec sensor did not close cleanly", "error", err)
		}
	})
	defer wg.Wait()
	defer close(ended)
	err = s.follow(ctx, f, emit)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Source) open() (feed, error) {
	f, mode, why, err := open(s.c.Mode, s.c.Buffer)
	if err != nil {
		return nil, err
	}
	if why != nil {
		s.c.Log.Warn("exec sensor: no BPF here; the proc connector stands in, which loses short-lived processes", "error", why)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed, s.mode, s.why = f, mode, ""
	if why != nil {
		s.why = why.Error()
	}
	return f, nil
}

// shut closes the feed and keeps its losses.
func (s *Source) shut(f feed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed = nil
	closing := f.close()
	n, err := f.lost()
	s.past += n
	return errors.Join(closing, err)
}

func (s *Source) follow(ctx context.Context, f feed, emit func(context.Context, schemas.Event) error) error {
	w := s.worker(emit)
	for {
		e, err := f.next(w.due())
		switch {
		case err == nil:
			w.handle(ctx, e)
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, schemas.ErrInvalid):
			s.mu.Lock()
			s.undue++
			s.mu.Unlock()
			s.c.Log.Error("an exec event of the kernel could not be read", "error", err)
		default:
			return fmt.Errorf("exec sensor: %w", err)
		}
		w.retry(ctx)
	}
}

// Detail says how the source works.
func (s *Source) Detail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.feed == nil:
		return "not running"
	case s.mode == BPF:
		return "BPF on sched_process_exec"
	case s.why != "":
		return "proc connector, for want of BPF (" + s.why + "): " + connectorLoses
	default:
		return "proc connector: " + connectorLoses
	}
}

// Probe fails while the source hears nothing.
func (s *Source) Probe(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feed == nil {
		return errors.New("the exec sensor is not attached")
	}
	return s.feed.check()
}

// Lost counts what happened and could not be read, since the source was made.
func (s *Source) Lost() (uint64, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := s.past + s.undue
	reason := "the kernel's buffer for exec events was full"
	if s.mode == Connector {
		reason = "processes were gone before /proc could be read, or the connector's buffer was full"
	}
	if s.feed != nil {
		n, err := s.feed.lost()
		if err != nil {
			s.c.Log.Warn("the losses of the exec sensor could not be counted", "error", err)
		}
		total += n
	}
	switch why := "containerd's namespaces share a container's id, and the cgroup does not tell which it was"; {
	case s.torn > 0 && total == 0:
		reason = why
	case s.torn > 0:
		reason += "; or " + why
	}
	return total + s.torn, reason
}
