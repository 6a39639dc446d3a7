package engine

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"firebreak/schemas"
)

// Mark is what events have said of a group: that it is armed again, or to be
// left alone. Marks are kept with the cursor, because the ledger does not know
// between which events they came.
type Mark struct {
	Playbook string    `json:"playbook"`
	Group    string    `json:"group"`
	Incident string    `json:"incident,omitempty"` // whose window is armed
	Armed    bool      `json:"armed,omitempty"`
	Until    time.Time `json:"until,omitzero"` // left alone until then
}

// mark obeys system.group.armed and system.group.suppressed.
func (e *Engine) mark(ev schemas.Event) {
	if e.Marker != "" && ev.Writer != e.Marker {
		return // nobody but the conductor may silence a group
	}
	var say schemas.GroupEvent
	if json.Unmarshal(ev.Data, &say) != nil {
		return
	}
	m := Mark{Playbook: say.Playbook, Group: say.Group, Incident: say.Incident, Armed: ev.Type == schemas.GroupArmed}
	if ev.Type == schemas.GroupSuppressed {
		until, err := time.Parse(time.RFC3339Nano, say.Until)
		if err != nil {
			return // without an end it would silence the group for ever
		}
		m.Until = until.UTC()
	}
	e.put(m)
}

func (e *Engine) put(m Mark) {
	b := e.book(m.Playbook)
	g := b.groups[m.Group]
	if g == nil {
		if !e.quiet(m.Until) {
			return
		}
		g = &group{}
		b.groups[m.Group] = g
		b.queue = append(b.queue, queued{group: m.Group})
	}
	if m.Armed && m.Incident != "" && m.Incident == g.incident {
		g.armed = true // one that names no incident, or another, is not about this window
	}
	if m.Until.After(g.suppress) {
		g.suppress = m.Until
	}
}

// quiet says whether an end of silence still matters, for events that come late too.
func (e *Engine) quiet(until time.Time) bool {
	return !until.IsZero() && until.Add(keepOver).After(e.now)
}

// Marks gives what is marked now, to be kept with the cursor.
func (e *Engine) Marks() []Mark {
	var out []Mark
	for name, b := range e.books {
		for key, g := range b.groups {
			quiet := e.quiet(g.suppress)
			if !g.armed && !quiet {
				continue
			}
			m := Mark{Playbook: name, Group: key, Incident: g.incident, Armed: g.armed}
			if quiet {
				m.Until = g.suppress
			}
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(a.Playbook, b.Playbook), cmp.Compare(a.Group, b.Group))
	})
	return out
}

// Restore marks the groups as they were at the cursor, after the seeding.
func (e *Engine) Restore(marks []Mark) {
	for _, m := range marks {
		e.put(m)
	}
}
