package engine

import (
	"encoding/json"
	"time"

	"firebreak/schemas"
)

// mark obeys system.group.armed and system.group.suppressed.
func (e *Engine) mark(ev *schemas.Event) {
	if e.Marker != "" && ev.Writer != e.Marker {
		return // nobody but the conductor may silence a group
	}
	var say schemas.GroupEvent
	if json.Unmarshal(ev.Data, &say) != nil {
		return
	}
	armed := ev.Type == schemas.GroupArmed
	var until time.Time
	if !armed {
		var err error
		if until, err = time.Parse(time.RFC3339Nano, say.Until); err != nil {
			return // without an end it would silence the group for ever
		}
	}
	b := e.groupsOf(say.Playbook)
	g := b.byKey[say.Group]
	if g == nil {
		if !e.quiet(until) {
			return
		}
		g = &group{playbook: say.Playbook}
		b.byKey[say.Group] = g
		b.queue = append(b.queue, queued{group: say.Group})
	}
	if armed && say.Incident != "" && say.Incident == g.incident {
		g.armed = true // one that names no incident, or another, is not about this time
	}
	if until = until.UTC(); until.After(g.suppress) {
		g.suppress = until
	}
}

// quiet says whether an end of silence still matters, for events that come late too.
func (e *Engine) quiet(until time.Time) bool {
	return !until.IsZero() && until.Add(keepOver).After(instant(e.clock.top))
}
