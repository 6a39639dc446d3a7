package decide

import (
	"encoding/json"
	"fmt"

	"firebreak/schemas"
	"firebreak/services/incident"
)

// variables of a step's expressions, with the target when it is known.
func (q *question) variables(t *schemas.Target) (map[string]any, error) {
	if q.vars == nil {
		o := q.Incident.Opened()
		signals := map[string]any{}
		for _, from := range []map[string]schemas.Signal{o.Signals, q.round().Signals} {
			for name, s := range from {
				var data map[string]any
				if err := json.Unmarshal(s.Data, &data); err != nil {
					return nil, fmt.Errorf("signal %s: %w: %w", name, schemas.ErrInvalid, err)
				}
				signals[name] = data
			}
		}
		key := o.Key
		if key == nil {
			key = map[string]any{}
		}
		q.vars = map[string]any{
			"incident": map[string]any{
				"id": q.Incident.ID, "key": key, "severity": o.Playbook.Severity, "playbook": o.Playbook.Name,
			},
			"signals": signals,
			"steps":   q.states(),
		}
	}
	delete(q.vars, "target")
	if t != nil {
		target, err := plain(t)
		if err != nil {
			return nil, err
		}
		q.vars["target"] = target
	}
	return q.vars, nil
}

// plain gives a value as encoding/json would decode it.
func plain(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("entity: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("entity: %w", err)
	}
	return out, nil
}

// states gives steps.<id>.state: where a step has several targets, the state
// that calls for most attention.
func (q *question) states() map[string]any {
	worst := map[string]incident.State{}
	for _, t := range q.Incident.Tasks() {
		was, known := worst[t.Step]
		if !known || rank(t.State()) > rank(was) {
			worst[t.Step] = t.State()
		}
	}
	out := make(map[string]any, len(worst))
	for id, s := range worst {
		out[id] = map[string]any{"state": string(s)}
	}
	return out
}

func rank(s incident.State) int {
	for n, state := range []incident.State{
		incident.Failed, incident.Ineffective, incident.Partial, incident.Unverified,
		incident.Requested, incident.Planned, incident.Applied, incident.Refused, incident.Skipped,
		incident.Releasing, incident.Enforced, incident.Observed, incident.Gone, incident.Released,
	} {
		if s == state {
			return -n
		}
	}
	return -100
}
