package correlator

import (
	"context"
	"errors"
	"fmt"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
)

// record stores a decision, however long that takes.
func (c *Correlator) record(ctx context.Context, e schemas.Event, d engine.Decision) error {
	switch d := d.(type) {
	case engine.Opened:
		return c.opened(ctx, d)
	case engine.Recurred:
		return c.recurred(ctx, d)
	case engine.Gap:
		return c.gap(ctx, e, d)
	case engine.Overflowed:
		c.cfg.Log.Error("correlator: a playbook has too many groups at once, the oldest is forgotten; give it a shorter `once` or a narrower condition",
			"playbook", d.Playbook, "group", d.Group, "incident", d.Incident)
	}
	return nil
}

// opened stores an incident's first record. Any record in its place means that
// it is there: the id says what opened it. One that the ledger will never take
// (its event leaves no room for the steps) is given up: whoever can publish
// such an event must not be able to stop all others' containment.
func (c *Correlator) opened(ctx context.Context, d engine.Opened) error {
	r, err := schemas.NewRecord(d.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, c.cfg.Now(), d.Opened)
	if err != nil {
		return err
	}
	return c.retry(ctx, "open incident "+d.Incident, func() error {
		_, err := c.cfg.Bus.Append(ctx, r, schemas.Head{})
		if errors.Is(err, schemas.ErrConflict) {
			c.cfg.Log.Debug("correlator: the incident is open already", "incident", d.Incident)
			return nil
		}
		return c.giveUp(err, d.Incident)
	})
}

// recurred stores a recurrence behind whatever is last: the conductor may have
// closed the incident meanwhile.
func (c *Correlator) recurred(ctx context.Context, d engine.Recurred) error {
	r, err := schemas.NewRecord(d.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, d.N, c.cfg.Now(), d.Recurred)
	if err != nil {
		return err
	}
	return c.retry(ctx, "tell incident "+d.Incident+" that it recurred", func() error {
		for {
			last, err := c.cfg.Bus.Last(ctx, d.Incident, schemas.TaskIncident, schemas.PlaceCore)
			if err != nil {
				return err
			}
			if last.ID == r.ID {
				return nil
			}
			_, err = c.cfg.Bus.Append(ctx, r, last.Head())
			if !errors.Is(err, schemas.ErrConflict) {
				return c.giveUp(err, d.Incident)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	})
}

// giveUp ends the trying where the ledger will never take the record.
func (c *Correlator) giveUp(err error, incident string) error {
	if !errors.Is(err, schemas.ErrInvalid) {
		return err
	}
	c.cfg.Log.Error("correlator: a decision cannot be stored and is given up; look at the event that brought it about",
		"incident", incident, "error", err)
	return nil
}

// gap makes a gap that the reader met part of the log.
func (c *Correlator) gap(ctx context.Context, e schemas.Event, d engine.Gap) error {
	g := d.GapEvent
	g.Reader = "correlator"
	if g.To == 0 {
		g.To = e.Seq
	}
	c.cfg.Log.Error("correlator: the log has let events go before they were read; give EVENTS more room, or find out what kept the correlator",
		"from", g.From, "to", g.To)
	ev, err := c.own(schemas.LogGap, fmt.Sprintf("gap/%d-%d", g.From, g.To), g)
	if err != nil {
		return err
	}
	return c.retry(ctx, "publish the gap", func() error {
		_, err := c.cfg.Bus.Publish(ctx, ev)
		return err
	})
}

func (c *Correlator) own(typ, id string, data any) (schemas.Event, error) {
	return schemas.NewEvent(typ, "/"+c.cfg.Cluster+"/core/correlator", id, "", c.cfg.Now(), data)
}
