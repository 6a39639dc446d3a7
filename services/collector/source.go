package collector

import (
	"context"
	"net/url"

	"firebreak/schemas"
)

// Emit hands an event on. It returns when the event is stored, spooled, or
// counted as left out; an error means that the event itself is unusable.
type Emit = func(context.Context, schemas.Event) error

// Source sees things happen. Run emits them until ctx ends or the source
// breaks; after an error it is run again, so everything that was seen before
// must be forgotten or carried over on purpose. Events of one source keep the
// order of its calls of emit, as long as it calls from one goroutine.
//
// The events of a container carry its id as their subject: the token buckets
// go by it.
type Source interface {
	Name() string // one word, such as "containerd"
	Run(ctx context.Context, emit func(context.Context, schemas.Event) error) error
}

// Describer is a source that can say how it works; the text goes into its heartbeats.
type Describer interface{ Detail() string }

// Typed is a source that can say which full types of events it gives. They go
// into its heartbeats: only with them does it mean something that an event of
// such a type did not come.
type Typed interface{ Types() []string }

// Prober is a source that can tell whether it still hears anything. Probe is
// called while Run runs: shortly after its start until it first succeeds, then
// before every heartbeat. No heartbeat is sent while it fails, and after some
// failures in a row the source counts as silent and is run again.
type Prober interface {
	Probe(ctx context.Context) error
}

// Lossy is a source that counts what it could not read, such as the losses of
// a ring buffer. Lost gives the total since the process began; the run loop
// publishes what was added as system.events.lost.
type Lossy interface {
	Lost() (total uint64, reason string)
}

// Bus is where events go. Publish stores the event, or the same event stored
// before, and returns its sequence. An error that wraps [schemas.ErrInvalid]
// means that the event will never be taken; any other one that it may be later.
type Bus interface {
	Publish(ctx context.Context, e schemas.Event) (uint64, error)
}

// EventSource is the CloudEvents source of a collector's events: "/<cluster>/<node>/<source>".
func EventSource(cluster, node, source string) string {
	return "/" + url.PathEscape(cluster) + "/" + url.PathEscape(node) + "/" + url.PathEscape(source)
}
