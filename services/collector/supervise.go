package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"firebreak/schemas"
)

// firstProbe is how often a source is asked until it lives for the first time
// after a start; then the heartbeat's pace is enough.
const firstProbe = 100 * time.Millisecond

// health is what is known of a source across its runs.
type health struct {
	source   Source
	alive    bool   // heard of since the last loss
	lostTold bool   // its loss was published, and it has not been alive since
	lost     uint64 // of Lossy, already published
	backoff  time.Duration

	emits sync.RWMutex // held while an event is on its way; a heartbeat waits for those
}

// told waits until nothing of the source is on its way, and gives that moment.
// What the source has not even read yet is younger, but for what lies in its
// queue, which is far less than the correlator's lateness.
func (h *health) told() time.Time {
	h.emits.Lock()
	defer h.emits.Unlock()
	return time.Now()
}

// supervise runs a source again and again until ctx ends.
func (r *runner) supervise(ctx context.Context, s Source) {
	h := &health{source: s, backoff: r.BackoffMin}
	for {
		err := r.once(ctx, h)
		r.losses(ctx, h)
		if ctx.Err() != nil {
			return
		}
		r.broke(ctx, h, err)
		if !sleep(ctx, h.backoff) {
			return
		}
		h.backoff = min(2*h.backoff, r.BackoffMax)
	}
}

// once runs the source until it ends, and meanwhile says that it lives.
func (r *runner) once(ctx context.Context, h *health) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() { ended <- h.source.Run(ctx, r.emitter(h)) }()

	beat := time.NewTimer(firstProbe)
	defer beat.Stop()
	heard, beats := time.Now(), 0
	for {
		select {
		case err := <-ended:
			if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
				return cause
			}
			if err == nil {
				err = errors.New("it ended by itself")
			}
			return err
		case <-beat.C:
		}
		next, err := r.beat(ctx, h)
		beat.Reset(next)
		if err == nil {
			heard = time.Now()
			if beats++; beats > 1 { // not at the first: a source that breaks at once must not be run at full pace
				h.backoff = r.BackoffMin
			}
			continue
		}
		if time.Since(heard) >= time.Duration(r.Silence)*r.Heartbeat {
			cancel(fmt.Errorf("%w: %w", errSilent, err))
		}
	}
}

// beat probes the source and publishes its heartbeat.
func (r *runner) beat(ctx context.Context, h *health) (time.Duration, error) {
	r.losses(ctx, h)
	if p, ok := h.source.(Prober); ok {
		probe, cancel := context.WithTimeout(ctx, r.Publish)
		err := p.Probe(probe)
		cancel()
		if err != nil && !h.alive {
			return min(firstProbe, r.Heartbeat), err
		}
		if err != nil {
			return r.Heartbeat, err
		}
	}
	if !h.alive {
		r.lives(h)
	}
	detail := ""
	if d, ok := h.source.(Describer); ok {
		detail = d.Detail()
	}
	var types []string
	if t, ok := h.source.(Typed); ok {
		types = t.Types()
	}
	e, err := r.system.heartbeat(h.source.Name(), detail, types, h.told())
	if err != nil {
		r.Log.Error("a heartbeat could not be made", "source", h.source.Name(), "error", err)
		return r.Heartbeat, nil
	}
	r.publisher.live(ctx, e)
	return r.Heartbeat, nil
}

func (r *runner) lives(h *health) {
	h.alive = true
	if h.lostTold {
		h.lostTold = false
		r.Log.Info("a source is back", "source", h.source.Name())
	}
	if r.Live != nil {
		r.Live(h.source.Name())
	}
}

// broke says that the source is lost: as an event once per outage, in the log
// at every attempt.
func (r *runner) broke(ctx context.Context, h *health, why error) {
	r.Log.Error("a source is lost; it is started again", "source", h.source.Name(), "in", h.backoff.String(), "error", why)
	h.alive = false
	if h.lostTold {
		return
	}
	h.lostTold = true
	r.publish(ctx, func() (schemas.Event, error) { return r.system.sourceLost(h.source.Name(), why.Error()) })
}

// losses publishes what the source could not read since the last time.
func (r *runner) losses(ctx context.Context, h *health) {
	l, ok := h.source.(Lossy)
	if !ok {
		return
	}
	total, reason := l.Lost()
	if total <= h.lost {
		return
	}
	count := total - h.lost
	h.lost = total
	r.Log.Warn("events were lost before they could be read", "source", h.source.Name(), "count", count, "reason", reason)
	r.publish(ctx, func() (schemas.Event, error) { return r.system.eventsLost(h.source.Name(), count, reason) })
}

func (r *runner) publish(ctx context.Context, build func() (schemas.Event, error)) {
	e, err := build()
	if err == nil {
		err = r.publisher.publish(ctx, e)
	}
	if err != nil {
		r.Log.Error("an event of our own could not be published", "error", err)
	}
}

// sleep is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
