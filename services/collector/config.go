package collector

import (
	"fmt"
	"log/slog"
	"time"

	"firebreak/schemas"
)

// Config says what to run and within which bounds. Zero values of the bounds
// mean the defaults named beside them.
type Config struct {
	Node    string // host.name of the events
	Cluster string
	Bus     Bus
	Sources []Source
	Log     *slog.Logger
	Live    func(source string) // called when a source is heard of for the first time and after each outage; may be nil

	SpoolDir   string // where events wait that the bus does not take; must exist or be creatable
	SpoolLimit int64  // bytes in it (64 MiB)

	Rate   float64       // events a second per container (500)
	Burst  int           // and at once (2,000)
	Period time.Duration // how often suppressed events are reported (10 s)

	Heartbeat  time.Duration // how often each source says that it lives (5 s)
	Silence    int           // heartbeats without a successful probe after which a source counts as silent (3)
	Publish    time.Duration // how long one publish may take before the event is spooled (2 s)
	BackoffMin time.Duration // first pause before a source is run again (500 ms)
	BackoffMax time.Duration // last one (15 s)
	Drain      time.Duration // how long Run goes on delivering from the spool when it is stopped (2 s)
	MaxData    int           // bytes of an event's data above which it is left out and counted (960 KiB: a NATS message holds 1 MiB)
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Node == "" || c.Cluster == "":
		return c, fmt.Errorf("collector: %w: the names of node and cluster are needed", schemas.ErrInvalid)
	case c.Bus == nil || c.Log == nil:
		return c, fmt.Errorf("collector: %w: a bus and a logger are needed", schemas.ErrInvalid)
	case c.SpoolDir == "":
		return c, fmt.Errorf("collector: %w: a folder for the spool is needed", schemas.ErrInvalid)
	}
	names := map[string]bool{}
	for _, s := range c.Sources {
		if s.Name() == "" || names[s.Name()] {
			return c, fmt.Errorf("collector: source %q: %w: every source needs a name of its own", s.Name(), schemas.ErrInvalid)
		}
		names[s.Name()] = true
	}
	orElse(&c.SpoolLimit, 64<<20)
	orElse(&c.Rate, 500)
	orElse(&c.Burst, 2000)
	orElse(&c.Period, 10*time.Second)
	orElse(&c.Heartbeat, 5*time.Second)
	orElse(&c.Silence, 3)
	orElse(&c.Publish, 2*time.Second)
	orElse(&c.BackoffMin, 500*time.Millisecond)
	orElse(&c.BackoffMax, 15*time.Second)
	orElse(&c.Drain, 2*time.Second)
	orElse(&c.MaxData, 960<<10)
	return c, nil
}

func orElse[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
