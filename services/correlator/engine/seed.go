package engine

import (
	"encoding/json"
	"time"

	"firebreak/schemas"
)

// Seed takes a record of the ledger in, so that a restart knows what was
// decided. Records come in the ledger's order; kinds other than opened and
// recurred say nothing here.
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
	if o.Trigger.Time.After(e.now) {
		e.now = o.Trigger.Time
	}
	b := e.book(o.Playbook.Name)
	g := e.begin(b, o.Group, r.Incident, o.Trigger.Time, time.Duration(o.Once))
	g.source, g.event = o.Trigger.Source, o.Trigger.ID
	g.hear(o.Signals)
	g.cover(o.Trigger.Seq, r.Stored)
	e.forget(o.Playbook.Name, b, nil)
}

func (e *Engine) seedRecurred(r schemas.Record, again schemas.Recurred) {
	g := e.incidents[r.Incident]
	if g == nil {
		return // its window has passed
	}
	g.n++
	g.lastN = again.Trigger.Time
	g.hear(again.Signals)
	g.cover(again.Trigger.Seq, r.Stored)
}

func (g *group) hear(signals map[string]schemas.Signal) {
	for _, s := range signals {
		var data map[string]any
		if json.Unmarshal(s.Data, &data) == nil {
			g.seen[entityOf(data)] = true
		}
	}
}

// Forget drops all groups, before they are seeded anew.
func (e *Engine) Forget() {
	e.books, e.incidents, e.now = map[string]*book{}, map[string]*group{}, time.Time{}
}
