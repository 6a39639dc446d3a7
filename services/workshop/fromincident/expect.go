package fromincident

import (
	"slices"

	"firebreak/services/conductor/decide"
	"firebreak/services/incident"
	"firebreak/services/workshop/testfile"
)

// expected is what came of the events.
func (m *maker) expected() testfile.DraftIncident {
	at := m.offset(m.opened.Trigger.Time)
	n, _ := m.Incident.Recurred()
	out := testfile.DraftIncident{At: &at, Severity: m.opened.Playbook.Severity, Recurred: n, Steps: []any{}}
	if len(m.opened.Key) > 0 {
		by := map[string]any{}
		for path, v := range m.opened.Key {
			by[path] = m.names.value(path, v)
		}
		out.By = by
	}
	other := m.opened.Guard.Mode != m.Playbook.Guard.Mode
	if other {
		m.note("The incident was in mode %s, a test runs in the playbook's own, %s: so the states of its steps are left out.", m.opened.Guard.Mode, m.Playbook.Guard.Mode)
	}
	if !m.ended() {
		m.note("The incident had not come to its end: the test expects it, and says nothing of its steps.")
		out.Steps = nil
		return out
	}
	for _, group := range byStep(m.Incident.Tasks()) {
		if step := m.step(group, other); step != nil {
			out.Steps = append(out.Steps, step)
		}
	}
	return out
}

// ended says that every step had its turn and that no place has yet to answer.
func (m *maker) ended() bool {
	recorded := map[incident.Key]bool{}
	for _, t := range m.Incident.Tasks() {
		recorded[incident.Key{Round: t.Round, Step: t.Step}] = true
		if !t.Final() {
			return false
		}
	}
	return m.Incident.Next(func(k incident.Key) bool { return recorded[k] }).Complete || m.Incident.Asked() != nil
}

// byStep groups tasks by round and step, in their order.
func byStep(tasks []*incident.Task) [][]*incident.Task {
	var out [][]*incident.Task
	for _, t := range tasks {
		last := len(out) - 1
		if last < 0 || out[last][0].Step != t.Step || out[last][0].Round != t.Round {
			out = append(out, nil)
			last++
		}
		out[last] = append(out[last], t)
	}
	return out
}

// step is how a step is expected; nil when the test can say nothing of it.
func (m *maker) step(tasks []*incident.Task, other bool) any {
	first := tasks[0]
	state := first.Reached()
	mixed := slices.ContainsFunc(tasks, func(t *incident.Task) bool { return t.Reached() != state })
	asked := slices.ContainsFunc(tasks, func(t *incident.Task) bool { return t.Place != "" })
	switch {
	case asked && other:
		return first.Step
	case mixed:
		m.note("The targets of step %s came to different ends; the test expects that it runs.", first.Step)
		return first.Step
	case !asked:
		return m.notAsked(first, other)
	case well(first):
		if first.Requested.Attempt > 1 && state != incident.Observed {
			m.mock(first, state)
		}
		return first.Step
	}
	m.mock(first, state)
	if first.TimedOut() {
		state = incident.Failed
	}
	return map[string]any{"id": first.Step, "state": string(state)}
}

// notAsked is a step that the core ended by itself.
func (m *maker) notAsked(t *incident.Task, other bool) any {
	o := t.Outcome()
	switch o.Cause {
	case decide.CauseHold:
		m.hold = true
	case decide.CauseBudget, decide.CauseProtected, decide.CauseUnknown:
		m.note("Step %s was %s because of what is not in a test (%s); the test expects that it runs.", t.Step, t.State(), o.Cause)
		return t.Step
	case decide.CauseApproval:
		if other {
			return t.Step
		}
	}
	return map[string]any{"id": t.Step, "state": string(t.State()), "cause": o.Cause}
}

// well says that a step came to the end that a place brings about when all goes well.
func well(t *incident.Task) bool {
	switch t.Reached() {
	case incident.Enforced, incident.Observed:
		return true
	case incident.Applied:
		return t.Requested.NoVerify
	}
	return false
}

// mock brings the end of a step about again, the attempts before it failing.
func (m *maker) mock(t *incident.Task, state incident.State) {
	answer := any(string(state))
	switch reason := t.Outcome().Reason; {
	case t.TimedOut():
		answer = testfile.Unanswered
	case reason != "" && !m.Redact:
		answer = map[string]any{string(state): reason}
	}
	if m.mocks == nil {
		m.mocks = map[string]any{}
	}
	if t.Requested.Attempt > 1 {
		var list []any
		for range t.Requested.Attempt - 1 {
			list = append(list, string(incident.Failed))
		}
		answer = append(list, answer)
	}
	m.mocks[t.Step] = answer
}
