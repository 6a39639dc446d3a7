package decide

import (
	"fmt"
	"strings"

	"firebreak/schemas"
	"firebreak/services/incident"
	"firebreak/services/playbook/expr"
)

// precondition looks at `needs` and `when` before any target is known.
func (q *question) precondition() *schemas.Outcome {
	for _, need := range q.step.Needs {
		if why := q.missing(need); why != "" {
			return &schemas.Outcome{
				Cause:  CauseNeeds,
				Reason: fmt.Sprintf("step %s needs step %s, which %s", q.step.ID, need, why),
				Remedy: "see what became of that step; take `needs` away if this one is to run all the same",
			}
		}
	}
	if q.step.When == "" || perTarget(q.step.When) {
		return nil
	}
	ok, err := q.when(nil)
	if err != nil {
		o := q.whenFailed(err)
		return &o
	}
	if !ok {
		o := q.conditionFalse()
		return &o
	}
	return nil
}

// missing says why a needed step does not do; "" when it does.
func (q *question) missing(need string) string {
	found := false
	for _, round := range []int{q.ask.Round, -1} {
		for _, t := range q.Incident.Tasks() {
			if t.Step != need || round >= 0 && t.Round != round {
				continue
			}
			found = true
			if !t.Satisfied() {
				return "is " + string(t.State())
			}
		}
		if found {
			return ""
		}
	}
	return "has not run"
}

// perTarget says whether a `when` speaks of the target.
func perTarget(text string) bool { return strings.Contains(text, "target") }

func (q *question) conditionFalse() schemas.Outcome {
	return schemas.Outcome{
		Cause:  CauseCondition,
		Reason: fmt.Sprintf("step %s: its `when` does not hold", q.step.ID),
	}
}

func (q *question) whenFailed(err error) schemas.Outcome {
	return schemas.Outcome{
		Cause:  CauseCondition,
		Reason: fmt.Sprintf("step %s: its `when` cannot be evaluated: %v", q.step.ID, err),
		Remedy: "guard the field with has(…) in `when`",
	}
}

func (q *question) when(t *schemas.Target) (bool, error) {
	p, err := q.program(q.step.When, expr.Bool)
	if err != nil {
		return false, err
	}
	vars, err := q.variables(t)
	if err != nil {
		return false, err
	}
	v, err := p.EvalIn(vars, (*lookups)(q))
	if err != nil {
		return false, err
	}
	holds, isBool := v.(bool)
	if !isBool {
		return false, fmt.Errorf("%s: gives %T, want bool", q.step.When, v)
	}
	return holds, nil
}

func (q *question) program(text string, result expr.Result) (*expr.Program, error) {
	return q.programs.step(text, result, q.types())
}

func (q *question) round() incident.Round { return q.Incident.Rounds()[q.ask.Round] }

// types of the signals that a step may speak of; those of the opening stay
// when a recurrence brings only one.
func (q *question) types() map[string][]string {
	out := map[string][]string{}
	for name, types := range q.Incident.Opened().Types {
		out[name] = types
	}
	for _, signals := range []map[string]schemas.Signal{q.Incident.Opened().Signals, q.round().Signals} {
		for name, s := range signals {
			if _, known := schemas.Schema(s.Type); !known {
				return nil // a foreign type: its fields are not known beforehand
			}
			if out[name] == nil {
				out[name] = []string{s.Type}
			}
		}
	}
	return out
}
