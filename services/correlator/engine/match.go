package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

// match evaluates one rule on an event.
func (e *Engine) match(r rule, ev schemas.Event, at time.Time, data map[string]any, out []Decision) []Decision {
	if r.signal.When != nil {
		ok, err := r.signal.When.Bool(data)
		if err != nil {
			r.stats.fail(err)
			return out
		}
		if !ok {
			return out
		}
	}
	group, key, err := groupOf(r.playbook, r.signal.Name, data)
	if err != nil {
		r.stats.fail(err)
		return out
	}
	r.stats.Matched++
	m := match{rule: r, ev: ev, at: at, group: group, key: key, data: data}
	if !r.playbook.Match.Grouped() || r.playbook.Once <= 0 {
		return append(out, e.open(m))
	}
	return e.once(m, out)
}

// match is an event that a playbook waited for.
type match struct {
	rule
	ev    schemas.Event
	at    time.Time
	group string
	key   map[string]any
	data  map[string]any
}

func (m match) ref() schemas.EventRef {
	return schemas.EventRef{Source: m.ev.Source, ID: m.ev.ID, Type: m.ev.Type, Time: m.at, Seq: m.ev.Seq}
}

func (m match) signals() map[string]schemas.Signal {
	return map[string]schemas.Signal{m.signal.Name: {EventRef: m.ref(), Data: m.ev.Data}}
}

// open makes the incident that a match opens.
func (e *Engine) open(m match) Opened {
	p := m.playbook
	guard := p.Guard
	if guard.StaleAfter <= 0 {
		guard.StaleAfter = schemas.Duration(defaultStale)
	}
	return Opened{
		Incident: IncidentID(p.Name, m.group, m.ev.Source, m.ev.ID),
		Opened: schemas.Opened{
			Playbook: schemas.Playbook{
				Name: p.Name, Digest: e.set.Digest, Summary: p.Summary,
				Arena: p.Arena, Severity: p.Severity, Attack: p.Attack,
			},
			Group: m.group, Key: m.key, Trigger: m.ref(), Signals: m.signals(),
			Once: schemas.Duration(p.Once), Guard: guard,
			Stale: !m.ev.Stored.IsZero() && m.ev.Stored.Sub(m.at) > time.Duration(guard.StaleAfter),
			Steps: p.Steps,
		},
	}
}

// groupOf gives the group's key as text and by field. A field that is absent
// is an error: an event that cannot be told apart belongs to no group.
func groupOf(p *playbook.Playbook, signal string, data map[string]any) (string, map[string]any, error) {
	if !p.Match.Grouped() {
		return "", nil, nil
	}
	key := map[string]any{}
	var values []any
	for n, of := range p.Match.Of {
		if p.Signals[of].Name != signal {
			continue
		}
		for _, path := range p.Match.By[n] {
			v, ok := lookUp(data, path)
			if !ok {
				return "", nil, fmt.Errorf("by: field %s: %w", strings.Join(path, "."), expr.ErrAbsent)
			}
			key[strings.Join(path, ".")] = v
			values = append(values, v)
		}
	}
	group, err := text(values)
	return group, key, err
}

func lookUp(data map[string]any, path []string) (any, bool) {
	var v any = data
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok || v == nil {
			return nil, false
		}
	}
	return v, true
}

// text writes one value as it is, several as a JSON list, so that no two
// groups are written alike.
func text(values []any) (string, error) {
	if len(values) == 1 {
		switch v := values[0].(type) {
		case string:
			return v, nil
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		case bool:
			return strconv.FormatBool(v), nil
		}
	}
	var raw []byte
	var err error
	if len(values) == 1 {
		raw, err = json.Marshal(values[0])
	} else {
		raw, err = json.Marshal(values)
	}
	if err != nil {
		return "", fmt.Errorf("by: %w: %w", schemas.ErrInvalid, err)
	}
	return string(raw), nil
}
