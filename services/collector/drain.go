package collector

import (
	"context"
	"errors"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/spool"
)

const (
	drainMin  = 200 * time.Millisecond // first pause after the bus refused
	drainMax  = 2 * time.Second        // last one: how late a recovered bus is noticed
	syncEvery = time.Second            // what a power cut can take from the spool
)

// run delivers from the spool until ctx ends.
func (p *publisher) run(ctx context.Context, loss func(spool.Loss) (schemas.Event, error)) {
	sync := time.NewTicker(syncEvery)
	defer sync.Stop()
	pause := drainMin
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sync.C:
			p.sync()
			continue
		case <-p.wake:
			if pause > drainMin {
				continue // in an outage the timer says when to try, not each new event
			}
		case <-retry.C:
		}
		if p.drain(ctx, loss) {
			pause = drainMin
			retry.Stop()
			continue
		}
		retry.Reset(pause)
		pause = min(2*pause, drainMax)
	}
}

func (p *publisher) sync() {
	if err := p.spool.Sync(); err != nil {
		p.log.Warn("the spool could not be synced; a power cut could lose what it holds", "error", err)
	}
}

// drain delivers all that waits, oldest first, then tells the losses. It is
// false when the bus or the disk did not play along and something is left.
func (p *publisher) drain(ctx context.Context, loss func(spool.Loss) (schemas.Event, error)) bool {
	delivered := 0
	for !p.settled() {
		e, ok, err := p.spool.Next()
		if err != nil {
			p.log.Error("the spool cannot be read", "error", err)
			return false
		}
		if !ok {
			continue
		}
		if err := p.try(ctx, e); errors.Is(err, schemas.ErrInvalid) {
			p.refused.add(e, err)
			p.spool.Lose(e.Source, lostInvalid)
		} else if err != nil {
			p.log.Debug("the bus still takes no events", "waiting", p.spool.Len(), "error", err)
			return false
		}
		if err := p.spool.Done(); err != nil {
			p.log.Warn("delivered events may be delivered again after a crash", "error", err)
		}
		delivered++
	}
	if delivered > 0 {
		p.log.Info("spooled events were delivered", "count", delivered)
	}
	return p.tell(ctx, loss)
}

// settled ends the way by the spool once nothing waits in it.
func (p *publisher) settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spool.Len() > 0 {
		return false
	}
	p.spooling.Store(false)
	return true
}

// tell publishes what was lost. A loss is taken off the count only when its
// event is stored.
func (p *publisher) tell(ctx context.Context, loss func(spool.Loss) (schemas.Event, error)) bool {
	for _, l := range p.spool.Losses() {
		e, err := loss(l)
		if err == nil {
			err = p.try(ctx, e)
		}
		if err != nil {
			p.log.Debug("a loss could not be told yet", "source", l.Source, "count", l.Count, "error", err)
			return false
		}
		p.log.Warn("events were lost", "source", l.Source, "count", l.Count, "reason", l.Reason)
		p.spool.Told(l)
	}
	return true
}
