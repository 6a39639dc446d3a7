package decide

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"firebreak/schemas"
	"firebreak/services/incident"
	"firebreak/services/playbook/expr"
)

// Kinds of targets.
const (
	kindContainer = "container"
	kindPod       = "pod"
	kindIncident  = incident.KindIncident
)

// targets of the step; or the outcome, with its kind, when there are none.
func (q *question) targets() ([]schemas.Target, schemas.Kind, *schemas.Outcome) {
	if q.step.Target != "" {
		return q.expressed()
	}
	if q.ask.Only != nil {
		same := slices.DeleteFunc(slices.Clone(q.ask.Only), func(t schemas.Target) bool { return t.Kind != q.spec.TargetKind })
		if len(same) > 0 {
			return same, "", nil
		}
	}
	found, err := q.held()
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("the incident's events hold no %s", q.spec.TargetKind)
	}
	if err != nil {
		return nil, schemas.KindSkipped, q.noTarget(err)
	}
	return found, "", nil
}

func (q *question) noTarget(err error) *schemas.Outcome {
	return &schemas.Outcome{
		Cause:  CauseTarget,
		Reason: fmt.Sprintf("step %s (%s) has no target: %v", q.step.ID, q.step.Do, err),
		Remedy: "choose an action whose kind of target the events carry, or say `target:`",
	}
}

// held gives the entities of the action's kind that the round's signals hold.
func (q *question) held() ([]schemas.Target, error) {
	signals := q.round().Signals
	var out []schemas.Target
	for _, name := range slices.Sorted(maps.Keys(signals)) {
		var e schemas.Entities
		if err := json.Unmarshal(signals[name].Data, &e); err != nil {
			return nil, fmt.Errorf("signal %s cannot be read: %w", name, err)
		}
		t, err := q.target(e)
		if err != nil {
			return nil, fmt.Errorf("signal %s: %w", name, err)
		}
		if t.ID != "" && !slices.ContainsFunc(out, func(o schemas.Target) bool { return o.ID == t.ID }) {
			out = append(out, t)
		}
	}
	return out, nil
}

// target of the action's kind among an event's entities; its ID is "" when
// there is none.
func (q *question) target(e schemas.Entities) (schemas.Target, error) {
	t := schemas.Target{Kind: q.spec.TargetKind, Entities: e}
	switch q.spec.TargetKind {
	case kindContainer:
		if e.Container != nil {
			t.ID, t.Name = e.Container.ID, e.Container.Name
		}
	case kindPod:
		if e.K8s != nil && e.K8s.Pod != nil {
			t.ID, t.Name = e.K8s.Pod.UID, e.K8s.Pod.Name
		}
	case kindIncident:
		t.ID, t.Name = q.Incident.ID, q.playbook()
	default:
		return t, fmt.Errorf("targets of kind %q cannot be found", q.spec.TargetKind)
	}
	if t.ID == "" {
		return t, nil
	}
	if q.spec.Place != "node" {
		t.Place = schemas.PlaceCore
		return t, nil
	}
	if e.Host == nil || e.Host.Name == "" {
		return t, fmt.Errorf("%s %s: the event has no host.name, so its node is not known", t.Kind, t.ID)
	}
	t.Place = schemas.NodePlace(e.Host.Name)
	return t, nil
}

// expressed evaluates `target`: one entity or a list. An entity is an object
// with `id` (container) or `uid` (pod), or that id as text.
func (q *question) expressed() ([]schemas.Target, schemas.Kind, *schemas.Outcome) {
	failed := func(err error) ([]schemas.Target, schemas.Kind, *schemas.Outcome) {
		return nil, schemas.KindFailed, &schemas.Outcome{
			Cause:  CauseTarget,
			Reason: fmt.Sprintf("step %s: its `target` %s: %v", q.step.ID, q.step.Target, err),
			Remedy: "correct `target`, or leave it out for the entity that the events hold",
		}
	}
	p, err := q.program(q.step.Target, expr.Any)
	if err != nil {
		return failed(err)
	}
	vars, err := q.variables(nil)
	if err != nil {
		return failed(err)
	}
	v, err := p.EvalIn(vars, (*lookups)(q))
	if err != nil {
		return failed(err)
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	var out []schemas.Target
	for _, item := range list {
		t, err := q.entity(item)
		if err != nil {
			return failed(err)
		}
		if !slices.ContainsFunc(out, func(o schemas.Target) bool { return o.ID == t.ID }) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, schemas.KindSkipped, q.noTarget(fmt.Errorf("its `target` gave an empty list"))
	}
	return out, "", nil
}

// entity resolves what `target` gave by the entities that the signals hold and
// the inventory found: only of those it is known where they are.
func (q *question) entity(v any) (schemas.Target, error) {
	id := ""
	switch v := v.(type) {
	case string:
		id = v
	case map[string]any:
		id, _ = v[idName(q.spec.TargetKind)].(string)
	}
	if id == "" {
		return schemas.Target{}, fmt.Errorf("gave %v, which names no %s", v, q.spec.TargetKind)
	}
	opened := q.Incident.Opened().Signals
	for _, signals := range []map[string]schemas.Signal{q.round().Signals, opened} {
		for _, name := range slices.Sorted(maps.Keys(signals)) {
			var e schemas.Entities
			if json.Unmarshal(signals[name].Data, &e) != nil {
				continue
			}
			t, err := q.target(e)
			if err == nil && t.ID == id {
				return t, nil
			}
		}
	}
	for _, e := range q.found {
		if t, err := q.target(e); err == nil && t.ID == id {
			return t, nil
		}
	}
	return schemas.Target{}, fmt.Errorf("gave %s %q, which neither an event nor the inventory holds, so its place is not known", q.spec.TargetKind, id)
}
