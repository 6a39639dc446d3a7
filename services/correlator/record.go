package correlator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
)

// tellOf makes what is not for the ledger known. It is false for what is.
func (c *Correlator) tellOf(e schemas.Event, d engine.Decision) bool {
	switch d := d.(type) {
	case engine.Gap:
		c.gap(e, d)
	case engine.Overflowed:
		c.cfg.Log.Error("correlator: a playbook has too many groups at once, the oldest are forgotten; give it a narrower condition, or a shorter `within` or `once`",
			"playbook", d.Playbook, "signal", d.Signal, "limit", d.Limit, "count", d.Count, "incident", d.Incident)
		c.say(e, schemas.WindowOverflowed, "overflow", d.OverflowEvent)
	case engine.Unknown:
		c.cfg.Log.Warn("correlator: it cannot be told whether what a playbook expected failed to come",
			"playbook", d.Playbook, "signal", d.Signal, "group", d.Group, "reason", d.Reason, "count", d.Count)
		c.say(e, schemas.MatchUnknown, "unknown", d.UnknownEvent)
	case engine.Refused:
		c.cfg.Log.Warn("correlator: events were refused", "source", d.Source, "reason", d.Reason, "count", d.Count, "last", d.Seq)
		c.say(e, schemas.EventsRefused, "refused", d.RefusedEvent)
	default:
		return false
	}
	return true
}

// record stores a decision, however long that takes. An error means that ctx
// has ended, or that the bus is hopeless.
func (c *Correlator) record(ctx context.Context, d engine.Decision) error {
	switch d := d.(type) {
	case engine.Opened:
		return c.opened(ctx, d)
	case engine.Recurred:
		return c.recurred(ctx, d)
	}
	return nil
}

// opened stores an incident's first record. Any record in its place means that
// it is there: the id says what opened it. One that the ledger will never take
// (its event leaves no room for the steps) is given up: whoever can publish
// such an event must not be able to stop all others' containment.
func (c *Correlator) opened(ctx context.Context, d engine.Opened) error {
	if _, there := c.known[d.Incident]; there {
		return nil
	}
	r, err := schemas.NewRecord(d.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, c.cfg.Now(), d.Opened)
	if err != nil {
		return c.giveUp(ctx, d.Incident, 0, d.Opened.Trigger, err)
	}
	return c.retry(ctx, "open incident "+d.Incident, func() error {
		stored, err := c.cfg.Bus.Append(ctx, r, schemas.Head{})
		switch {
		case err == nil:
			c.recorded(stored.Seq)
		case errors.Is(err, schemas.ErrConflict):
			c.cfg.Log.Debug("correlator: the incident is open already", "incident", d.Incident)
		case errors.Is(err, schemas.ErrInvalid):
			return c.giveUp(ctx, d.Incident, 0, d.Opened.Trigger, err)
		default:
			return err
		}
		return nil
	})
}

// recurred stores a recurrence behind whatever is last: the conductor may have
// closed the incident meanwhile. One that a former run stored, which is then
// not the last one any more, is not stored twice.
func (c *Correlator) recurred(ctx context.Context, d engine.Recurred) error {
	if c.known[d.Incident] >= d.N {
		return nil
	}
	r, err := schemas.NewRecord(d.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, d.N, c.cfg.Now(), d.Recurred)
	if err != nil {
		return c.giveUp(ctx, d.Incident, d.N, d.Recurred.Trigger, err)
	}
	return c.retry(ctx, "tell incident "+d.Incident+" that it recurred", func() error {
		for {
			last, err := c.cfg.Bus.Last(ctx, d.Incident, schemas.TaskIncident, schemas.PlaceCore)
			if err != nil {
				return err
			}
			if recurrence(last) >= d.N {
				return nil
			}
			stored, err := c.cfg.Bus.Append(ctx, r, last.Head())
			switch {
			case err == nil:
				c.recorded(stored.Seq)
				return nil
			case errors.Is(err, schemas.ErrInvalid):
				return c.giveUp(ctx, d.Incident, d.N, d.Recurred.Trigger, err)
			case !errors.Is(err, schemas.ErrConflict):
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			}
		}
	})
}

// recorded notes where the ledger stands.
func (c *Correlator) recorded(seq uint64) {
	for was := c.ledger.Load(); seq > was; was = c.ledger.Load() {
		if c.ledger.CompareAndSwap(was, seq) {
			return
		}
	}
}

// recurrence is the number of a record that tells of one, else 0.
func recurrence(r schemas.Record) int {
	if r.Kind != schemas.KindRecurred {
		return 0
	}
	n, err := strconv.Atoi(r.ID[strings.LastIndexByte(r.ID, '/')+1:])
	if err != nil {
		return 0
	}
	return n
}

// giveUp says that the ledger will never take a record: in the log of events
// too, since nobody would hear of the incident otherwise. It is told before the
// decision counts as stored, so that a crash in between tells it again.
func (c *Correlator) giveUp(ctx context.Context, incident string, n int, trigger schemas.EventRef, why error) error {
	c.cfg.Log.Error("correlator: a decision cannot be stored and is given up; look at the event that brought it about, and contain by hand",
		"incident", incident, "event", trigger.ID, "seq", trigger.Seq, "error", why)
	own, err := c.own(schemas.EventsRefused, fmt.Sprintf("given-up/%s/%d", incident, n), trigger.Time, schemas.RefusedEvent{
		Source: trigger.Source, ID: trigger.ID, Type: trigger.Type, Seq: trigger.Seq, Count: 1,
		Reason: "the ledger does not take what it brought about, and nothing is done about it: incident " + incident,
	})
	if err != nil {
		c.cfg.Log.Error("correlator: that could not be told in the log of events", "incident", incident, "error", err)
		return nil
	}
	return c.retry(ctx, "tell that a decision is given up", func() error {
		_, err := c.cfg.Bus.Publish(ctx, own)
		if errors.Is(err, schemas.ErrInvalid) {
			c.cfg.Log.Error("correlator: that could not be told in the log of events", "incident", incident, "error", err)
			return nil
		}
		return err
	})
}

// gap makes a gap that the reader met part of the log.
func (c *Correlator) gap(e schemas.Event, d engine.Gap) {
	g := d.GapEvent
	g.Reader = "correlator"
	if g.To == 0 {
		g.To = e.Seq
	}
	c.cfg.Log.Error("correlator: the log has let events go before they were read; give EVENTS more room, or find out what kept the correlator",
		"from", g.From, "to", g.To)
	own, err := c.own(schemas.LogGap, fmt.Sprintf("gap/%d-%d", g.From, g.To), e.Stored, g)
	c.outbox.add(own, err, c.cfg.Log)
}

func (c *Correlator) source() string { return "/" + c.cfg.Cluster + "/core/correlator" }

// own makes an event of the correlator's own.
func (c *Correlator) own(typ, id string, at time.Time, data any) (schemas.Event, error) {
	if at.IsZero() {
		at = c.cfg.Now()
	}
	return schemas.NewEvent(typ, c.source(), id, "", at, data)
}
