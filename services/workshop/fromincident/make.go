package fromincident

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/incident"
	"firebreak/services/playbook"
	"firebreak/services/workshop/testfile"
)

// Input is what is known of an incident.
type Input struct {
	Playbook *playbook.Playbook // that opened it
	Incident *incident.Incident
	Events   []schemas.Event // of the log, from Span on
	Redact   bool
}

// Made is a test, not written yet.
type Made struct {
	Draft testfile.Draft
	Notes []string // what the test cannot bring about
}

// Span says from when to when the events of the log matter to an incident:
// from the first that a window could hold, to the last recurrence.
func Span(p *playbook.Playbook, inc *incident.Incident) (from, to time.Time) {
	o := inc.Opened()
	to = o.Trigger.Time
	for _, r := range inc.Rounds() {
		if r.Trigger.Time.After(to) {
			to = r.Trigger.Time
		}
	}
	span := p.Match.Within + p.Match.Over
	for _, s := range p.Signals {
		if s.Match != nil {
			span += s.Match.Within + s.Match.Over
		}
	}
	if _, last := inc.Recurred(); last.After(to) {
		to = last
	}
	return o.Trigger.Time.Add(-span), to
}

// Make makes the test.
func Make(in Input) (Made, error) {
	o := in.Incident.Opened()
	if o == nil {
		return Made{}, fmt.Errorf("incident %s: %w: nothing says what opened it", in.Incident.ID, schemas.ErrInvalid)
	}
	if o.Playbook.Name != in.Playbook.Name {
		return Made{}, fmt.Errorf("incident %s: %w: the playbook %s opened it, not %s", in.Incident.ID, schemas.ErrInvalid, o.Playbook.Name, in.Playbook.Name)
	}
	m := maker{Input: in, opened: o, names: newPlaceholders(in.Redact)}
	events := m.events()
	if len(events) == 0 {
		return Made{}, fmt.Errorf("incident %s: %w: none of its events can be found", in.Incident.ID, schemas.ErrInvalid)
	}
	m.start = events[0].Time
	for _, e := range events {
		if e.Time.Before(m.start) {
			m.start = e.Time
		}
	}
	c := testfile.DraftCase{Name: m.title()}
	for n, e := range events {
		c.Events = append(c.Events, m.event(n, e))
	}
	if err := m.err; err != nil {
		return Made{}, err
	}
	c.Expect = []testfile.DraftIncident{m.expected()}
	c.Mock, c.Hold = m.mocks, m.hold
	head := "What happened in incident " + in.Incident.ID + "."
	if in.Redact {
		head = "What happened in an incident; names, arguments and addresses are replaced."
	}
	if len(m.notes) > 0 {
		head += "\n" + strings.Join(m.notes, "\n")
	}
	return Made{
		Draft: testfile.Draft{Head: head, Playbook: in.Playbook.Name, Cases: []testfile.DraftCase{c}},
		Notes: m.notes,
	}, nil
}

type maker struct {
	Input
	opened *schemas.Opened
	start  time.Time
	names  *placeholders
	mocks  map[string]any
	hold   bool
	notes  []string
	err    error
}

func (m *maker) title() string {
	if m.Redact {
		return "as in an incident"
	}
	return "as in incident " + m.Incident.ID
}

func (m *maker) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(m.notes, s) {
		m.notes = append(m.notes, s)
	}
}

// events are those of the log that belong to it, and those that its records
// carry, in the log's order.
func (m *maker) events() []schemas.Event {
	from, to := Span(m.Playbook, m.Incident)
	byKey := map[string]bool{}
	var out []schemas.Event
	add := func(e schemas.Event) {
		if !byKey[e.Key()] {
			byKey[e.Key()] = true
			out = append(out, e)
		}
	}
	for _, e := range m.Events {
		if !e.Time.Before(from) && !e.Time.After(to) && m.belongs(e) {
			add(e)
		}
	}
	missing := 0
	for _, r := range m.Incident.Rounds() {
		for _, s := range r.Signals {
			if len(s.Data) == 0 || byKey[s.Source+"\n"+s.ID] {
				continue
			}
			missing++
			add(schemas.Event{ID: s.ID, Source: s.Source, Type: s.Type, Time: s.Time, Data: s.Data, Seq: s.Seq})
		}
	}
	if missing > 0 {
		m.note("%d of the events are no longer in the log; they are those that the incident's records carry, and others may be missing.", missing)
	}
	slices.SortStableFunc(out, func(a, b schemas.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Seq, b.Seq))
	})
	return out
}

// belongs says whether an event meets one of the signals, and may be of the group.
func (m *maker) belongs(e schemas.Event) bool {
	var data map[string]any
	for _, s := range m.Playbook.Signals {
		if s.Match != nil || s.Type != e.Type {
			continue
		}
		if data == nil && json.Unmarshal(e.Data, &data) != nil {
			return false
		}
		if s.When != nil {
			if ok, err := s.When.Bool(data); err != nil || !ok {
				continue
			}
		}
		if m.ofGroup(data) {
			return true
		}
	}
	return false
}

func (m *maker) ofGroup(data map[string]any) bool {
	for path, want := range m.opened.Key {
		if got := look(data, path); got != nil && !reflect.DeepEqual(got, want) {
			return false
		}
	}
	return true
}

func look(data map[string]any, path string) any {
	var v any = data
	for _, name := range strings.Split(path, ".") {
		object, is := v.(map[string]any)
		if !is {
			return nil
		}
		v = object[name]
	}
	return v
}

// event writes an event of the log as tests have it.
func (m *maker) event(n int, e schemas.Event) testfile.DraftEvent {
	var data map[string]any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		m.err = fmt.Errorf("event %s: %w: %w", e.ID, schemas.ErrInvalid, err)
		return testfile.DraftEvent{}
	}
	out := testfile.DraftEvent{
		At: m.offset(e.Time), Type: schemas.ShortType(e.Type), ID: e.ID, Source: e.Source, Subject: e.Subject,
	}
	out.Data, _ = m.names.value("", data).(map[string]any)
	if m.Redact {
		out.ID, out.Subject = fmt.Sprintf("event-%d", n+1), ""
		out.Source = m.names.name("source", e.Source, "/test/source-")
	}
	// What took the log long to get counts as late, or as too old to be enforced.
	if lag := e.Stored.Sub(e.Time); !e.Stored.IsZero() && lag > time.Second {
		out.Stored = m.offset(e.Stored)
	}
	return out
}

// offset is a time as tests have it; a millisecond is fine enough.
func (m *maker) offset(t time.Time) time.Duration { return t.Sub(m.start).Truncate(time.Millisecond) }
