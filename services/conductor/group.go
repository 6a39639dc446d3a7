package conductor

import (
	"context"
	"fmt"
	"time"

	"firebreak/schemas"
)

// arm tells the correlator that a group may open another incident, and why.
func (c *Conductor) arm(ctx context.Context, f *file, why string) error {
	o := f.inc.Opened()
	if o.Once > 0 {
		err := c.publish(ctx, schemas.GroupArmed, "armed/"+f.inc.ID, schemas.GroupEvent{
			Playbook: o.Playbook.Name, Group: o.Group, Incident: f.inc.ID,
			Reason: why,
		})
		if err != nil {
			return err
		}
	}
	f.armed = true
	return nil
}

// silence tells the correlator to leave a group alone, where the person who
// asked for the release wants that. It is said before the incident is closed,
// so that a crash in between does not lose it.
func (c *Conductor) silence(ctx context.Context, f *file) error {
	a := f.inc.Asked()
	if a == nil || a.Suppress <= 0 || f.silenced >= a.Seq {
		return nil
	}
	o := f.inc.Opened()
	err := c.publish(ctx, schemas.GroupSuppressed, fmt.Sprintf("suppressed/%s/%d", f.inc.ID, a.Seq), schemas.GroupEvent{
		Playbook: o.Playbook.Name, Group: o.Group, Incident: f.inc.ID,
		Until:  a.At.Add(time.Duration(a.Suppress)).UTC().Format(time.RFC3339Nano),
		Reason: "released by " + a.By + ": " + a.Why,
	})
	if err != nil {
		return err
	}
	f.silenced = a.Seq
	return nil
}

func (c *Conductor) publish(ctx context.Context, typ, id string, data any) error {
	e, err := schemas.NewEvent(typ, "/"+c.cfg.Cluster+"/core/conductor", id, "", c.cfg.Now(), data)
	if err != nil {
		return err
	}
	if _, err := c.cfg.Bus.Publish(ctx, e); err != nil {
		return fmt.Errorf("publish %s: %w", typ, err)
	}
	return nil
}
