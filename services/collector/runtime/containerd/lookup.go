package containerd

import (
	"context"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
)

const (
	askWithin   = 500 * time.Millisecond // how long a look-up may hold up its caller
	absentFor   = 10 * time.Second       // how long "there is none" is believed
	maxAbsences = 4096
)

// ask is a question for a container that the table lacks.
type ask struct {
	id    string
	reply chan bool // it is in the table now; buffered, so that answering never waits
}

// Container finds a container by its id, asking containerd for one whose
// events are still on their way. While containerd is away it answers at once.
func (s *Source) Container(id string) (schemas.Container, *schemas.K8s, bool) {
	f, ok := s.known.ByID(id)
	if !ok && id != "" && s.live.Load() != nil && len(s.known.Named(id)) == 0 && s.ask(id) {
		f, ok = s.known.ByID(id)
	}
	return f.Container, f.K8s, ok
}

// Named gives every container of an id: what tells namesakes apart, for which
// Container has no answer.
func (s *Source) Named(id string) []runtime.Facts { return s.known.Named(id) }

func (s *Source) ask(id string) bool {
	within := time.NewTimer(askWithin)
	defer within.Stop()
	a := ask{id: id, reply: make(chan bool, 1)}
	select {
	case s.asks <- a:
	case <-within.C:
		return false
	}
	select {
	case found := <-a.reply:
		return found
	case <-within.C:
		return false
	}
}

// answer looks containers up, one question after another, until ctx ends.
func (s *Source) answer(ctx context.Context, c *client.Client) {
	absent := map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-s.asks:
			a.reply <- s.lookUp(ctx, c, a.id, absent)
		}
	}
}

func (s *Source) lookUp(ctx context.Context, c *client.Client, id string, absent map[string]time.Time) bool {
	if len(s.known.Named(id)) > 0 { // an event or an earlier question was faster
		return true
	}
	now := time.Now()
	if until, ok := absent[id]; ok && now.Before(until) {
		return false
	}
	found, sure := false, true
	for _, ns := range s.cfg.Namespaces {
		f, err := s.load(ctx, c, ns, id)
		switch {
		case err == nil:
			f.State, f.AsOf = runtime.Created, now.UTC()
			s.known.PutNew(f)
			found = true
		case !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err):
			s.log.Debug("a container could not be looked up", "container", id, "error", err)
			sure = false
		}
	}
	if !found && sure {
		remember(absent, id, now)
	}
	return found
}

// remember notes that there is no such container. A full table is emptied: it
// is a cache, and its bound matters more than its hits.
func remember(absent map[string]time.Time, id string, now time.Time) {
	if len(absent) >= maxAbsences {
		clear(absent)
	}
	absent[id] = now.Add(absentFor)
}
