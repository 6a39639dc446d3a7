package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/spool"
)

// Run runs the sources until ctx ends. It fails only where it cannot begin:
// without a usable configuration or a spool. A source that breaks is run
// again; a bus that takes nothing is waited for.
//
// On the way out it goes on delivering for Config.Drain; what is not delivered
// by then stays in the spool for the next start.
func Run(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	sp, err := spool.Open(spool.Config{Dir: c.SpoolDir, Limit: c.SpoolLimit})
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	r := &runner{
		Config: c, publisher: newPublisher(c, sp), limiter: newLimiter(c.Rate, c.Burst),
		system: &system{node: c.Node, cluster: c.Cluster},
	}
	if n := sp.Len(); n > 0 || sp.Torn() > 0 {
		c.Log.Info("events of an earlier run wait in the spool", "count", n, "torn_bytes", sp.Torn())
	}
	r.all(ctx)
	r.leave(ctx)
	if err := sp.Close(); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	return nil
}

// runner is what a call of Run holds.
type runner struct {
	Config
	publisher *publisher
	limiter   *limiter
	system    *system
}

// all runs every source, the delivery from the spool and the reports of
// suppression, and waits for them.
func (r *runner) all(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.Sources {
		wg.Go(func() { r.supervise(ctx, s) })
	}
	wg.Go(func() { r.publisher.run(ctx, r.system.spoolLoss) })
	wg.Go(func() { r.periods(ctx) })
	wg.Wait()
}

// leave delivers what still waits, for a bounded time. It must outlive ctx,
// which has just ended; the bound takes its place.
func (r *runner) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Drain)
	defer cancel()
	r.report(ctx)
	r.reportRefused(ctx, true)
	if !r.publisher.drain(ctx, r.system.spoolLoss) {
		r.Log.Warn("events stay in the spool until the next start", "count", r.publisher.spool.Len(), "dir", r.SpoolDir)
	}
}

// emitter is what a source calls: the whole way of an event on this node.
func (r *runner) emitter(h *health) Emit {
	source := h.source.Name()
	return func(ctx context.Context, e schemas.Event) error {
		h.emits.RLock()
		defer h.emits.RUnlock()
		if e.Subject != "" && limited(e.Type) && !r.limiter.allow(source, e.Subject, time.Now()) {
			return nil
		}
		return r.publisher.publish(ctx, e)
	}
}

// periods reports at the end of every period what was suppressed in it.
func (r *runner) periods(ctx context.Context) {
	tick := time.NewTicker(r.Period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.report(ctx)
			r.reportRefused(ctx, false)
		}
	}
}

// reportRefused tells which events were refused, and why.
func (r *runner) reportRefused(ctx context.Context, all bool) {
	for _, x := range r.publisher.refused.due(time.Now(), all) {
		r.Log.Error("events were refused", "source", x.Source, "type", x.Type, "id", x.ID, "reason", x.Reason, "count", x.Count)
		r.publish(ctx, func() (schemas.Event, error) { return r.system.refused(x) })
	}
}

func (r *runner) report(ctx context.Context) {
	reason := fmt.Sprintf("more than %g events a second", r.Rate)
	for _, x := range r.limiter.sweep(time.Now()) {
		e, err := r.system.suppressed(x, reason)
		if err == nil {
			err = r.publisher.publish(ctx, e)
		}
		if err != nil {
			r.limiter.putBack(x)
			r.Log.Error("suppressed events could not be reported", "container", x.container, "count", x.count, "error", err)
			continue
		}
		r.Log.Warn("events of a noisy container were left out", "source", x.source, "container", x.container, "count", x.count)
	}
}

// errSilent is why a source is run again whose probes fail.
var errSilent = errors.New("nothing is heard of it any more")
