package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/services/collector/spool"
)

// Reasons of a loss, as they stand in system.events.lost.
const (
	lostFull    = "the bus took no events and the spool was full"
	lostInvalid = "the event was refused as invalid"
	lostLarge   = "the event was larger than a message may be"
)

// publisher brings events to the bus, in order: straight while all is well,
// by way of the spool while it is not.
type publisher struct {
	bus     Bus
	spool   *spool.Spool
	timeout time.Duration
	maxData int
	log     *slog.Logger

	spooling atomic.Bool   // older events wait: newer ones go behind them
	mu       sync.Mutex    // guards the change of spooling against an append
	wake     chan struct{} // something waits, or a loss is to be told
	full     atomic.Bool   // so that the log hears of a full spool once
	refused  refusals
}

func newPublisher(c Config, sp *spool.Spool) *publisher {
	p := &publisher{
		bus: c.Bus, spool: sp, timeout: c.Publish, maxData: c.MaxData, log: c.Log,
		wake: make(chan struct{}, 1),
	}
	p.spooling.Store(sp.Len() > 0)
	return p
}

// publish stores the event, or spools it. It blocks for one timeout at most.
func (p *publisher) publish(ctx context.Context, e schemas.Event) error {
	if e.ID == "" || e.Source == "" || e.Type == "" {
		return fmt.Errorf("event %q of type %q: %w: id, source and type are needed", e.ID, e.Type, schemas.ErrInvalid)
	}
	if len(e.Data) > p.maxData {
		p.lose(e, lostLarge)
		return nil
	}
	if p.spooling.Load() {
		p.keep(e)
		return nil
	}
	err := p.try(ctx, e)
	if err == nil {
		return nil
	}
	if errors.Is(err, schemas.ErrInvalid) {
		p.refuse(e, err)
		return nil
	}
	if !p.spooling.Load() {
		p.log.Warn("the bus takes no events; they are spooled", "error", err)
	}
	p.keep(e)
	return nil
}

func (p *publisher) try(ctx context.Context, e schemas.Event) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_, err := p.bus.Publish(ctx, e)
	return err
}

// keep puts the event behind those that wait. One that the bus will never take
// (it looks at each that it is given) has no place there.
func (p *publisher) keep(e schemas.Event) {
	if err := intake.Event(e); err != nil {
		p.refuse(e, err)
		return
	}
	p.mu.Lock()
	err := p.spool.Append(e)
	if err == nil {
		p.spooling.Store(true)
	}
	p.mu.Unlock()
	switch {
	case err == nil:
		p.full.Store(false)
		p.nudge()
	case errors.Is(err, schemas.ErrInvalid):
		p.refuse(e, err)
	default:
		if !p.full.Swap(true) {
			p.log.Error("events are lost until the bus takes some again", "error", err)
		}
		p.lose(e, lostFull)
	}
}

// refuse counts an event that is none: as a loss of its source, and with the
// reason.
func (p *publisher) refuse(e schemas.Event, why error) {
	p.log.Debug("an event was refused", "type", e.Type, "source", e.Source, "error", why)
	p.refused.add(e, why)
	p.lose(e, lostInvalid)
}

func (p *publisher) lose(e schemas.Event, reason string) {
	p.spool.Lose(e.Source, reason)
	p.nudge()
}

func (p *publisher) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// live publishes a heartbeat: only straight, since an old one says nothing and
// must not overtake the events that wait.
func (p *publisher) live(ctx context.Context, e schemas.Event) {
	if p.spooling.Load() {
		return
	}
	if err := p.try(ctx, e); err != nil {
		p.log.Debug("a heartbeat was not taken", "source", e.Source, "error", err)
	}
}
