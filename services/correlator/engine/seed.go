package engine

import (
	"encoding/json"
	"time"

	"firebreak/schemas"
)

// Seed takes a record of the ledger in, so that an engine without a snapshot
// knows what was decided: what the events that are then read again from the
// log's start decide for a group is not decided again. Records come in the
// ledger's order; kinds other than opened and recurred say nothing here.
func (e *Engine) Seed(r schemas.Record) error {
	switch r.Kind {
	case schemas.KindOpened:
		var o schemas.Opened
		if err := r.Decode(&o); err != nil {
			return err
		}
		e.seedOpened(r, o)
	case schemas.KindRecurred:
		var again schemas.Recurred
		if err := r.Decode(&again); err != nil {
			return err
		}
		e.seedRecurred(r, again)
	}
	return nil
}

func (e *Engine) seedOpened(r schemas.Record, o schemas.Opened) {
	if o.Once <= 0 {
		return
	}
	e.clock.top = max(e.clock.top, nanos(o.Trigger.Time))
	b := e.groupsOf(o.Playbook.Name)
	g := e.begin(o.Playbook.Name, b, o.Group, r.Incident, o.Trigger.Time, time.Duration(o.Once))
	g.recall(o.Trigger, o.Signals, r.Stored)
	e.forgetGroups(o.Playbook.Name, b)
}

func (e *Engine) seedRecurred(r schemas.Record, again schemas.Recurred) {
	g := e.incidents[r.Incident]
	if g == nil {
		return // its time has passed
	}
	g.n++
	g.lastN = again.Trigger.Time
	g.recall(again.Trigger, again.Signals, r.Stored)
}

// recall takes over what a record says was known.
func (g *group) recall(trigger schemas.EventRef, signals map[string]schemas.Signal, stored time.Time) {
	latest := trigger.Seq
	for _, s := range signals {
		latest = max(latest, s.Seq)
		var data map[string]any
		if json.Unmarshal(s.Data, &data) == nil {
			g.hear(entityOf(data))
		}
	}
	g.cover(latest, stored)
}
