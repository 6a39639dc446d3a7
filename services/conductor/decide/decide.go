package decide

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/incident"
	"firebreak/services/playbook/expr"
)

// Causes of an outcome.
const (
	CauseHold      = "hold"
	CauseGuard     = "guard"
	CauseProtected = "protected"
	CauseBudget    = "budget"
	CauseApproval  = "approval"
	CauseCondition = "condition"
	CauseNeeds     = "needs"
	CauseTarget    = "target"
	CauseUnknown   = "unknown-action"
	CauseTimeout   = "timeout"
	CauseError     = "error"
)

// Decider decides steps. Safe for concurrent use.
type Decider struct {
	specs     map[string]schemas.Spec
	protected Protected
	programs  *programs
}

// New gives a decider that knows these actions and protects these targets.
func New(specs []schemas.Spec, p Protected) *Decider {
	d := &Decider{specs: make(map[string]schemas.Spec, len(specs)), protected: p, programs: newPrograms()}
	for _, s := range specs {
		d.specs[s.Name] = s
	}
	return d
}

// Situation is what a decision rests on, besides the incident's records.
type Situation struct {
	Incident  *incident.Incident
	Inventory *Inventory // for look-ups; nil: there is none
	Hold      schemas.Hold
	Budget    *Budget
	Now       time.Time // by the ledger's clock
	Lease     uint64
}

// Task is a record to be stored: a request at a target's place, or an outcome at the core.
type Task struct {
	ID        string
	Place     string
	Kind      schemas.Kind
	Requested *schemas.Requested // of a request
	Outcome   *schemas.Outcome   // of anything else
}

// Data of the record.
func (t Task) Data() any {
	if t.Requested != nil {
		return t.Requested
	}
	return t.Outcome
}

// Step decides a step whose turn it is. Tasks that are recorded already are
// left out; none at all means that there is nothing to record.
func (d *Decider) Step(s Situation, ask incident.Ask) []Task {
	q := question{Decider: d, Situation: s, ask: ask, step: &ask.Step}
	spec, known := d.specs[ask.Step.Do]
	if !known {
		return q.instead(schemas.KindSkipped, schemas.Outcome{
			Cause:  CauseUnknown,
			Reason: fmt.Sprintf("step %s: there is no action %q in this Firebreak", ask.Step.ID, ask.Step.Do),
			Remedy: "`firebreak action list` names the actions there are",
		})
	}
	q.spec = spec
	if !ask.Begun {
		if out := q.precondition(); out != nil {
			return q.instead(schemas.KindSkipped, *out)
		}
	}
	targets, kind, out := q.targets()
	if out != nil {
		return q.instead(kind, *out)
	}
	var tasks []Task
	fresh := false
	for _, t := range targets {
		id := schemas.TaskID(q.step.ID, t.ID)
		if _, recorded := s.Incident.Task(id); recorded {
			continue
		}
		fresh = true
		if task, wanted := q.one(id, t); wanted {
			tasks = append(tasks, task)
		}
	}
	if fresh && len(tasks) == 0 {
		return q.instead(schemas.KindSkipped, q.conditionFalse())
	}
	return tasks
}

// Retry asks a place to try a failed task again. False while the hold is on.
func (d *Decider) Retry(s Situation, t *incident.Task) (Task, bool) {
	r := t.Requested
	if s.Hold.On && r.Mode != incident.ModeObserve {
		return Task{}, false
	}
	r.Attempt++
	r.Lease = s.Lease
	return Task{ID: t.ID, Place: t.Place, Kind: schemas.KindRequested, Requested: &r}, true
}

// question is one step to be decided, with what was found out on the way.
type question struct {
	*Decider
	Situation
	ask  incident.Ask
	step *schemas.Step
	spec schemas.Spec
	vars map[string]any

	answer *schemas.Answer    // what the inventory said so far; nil when it was not asked
	found  []schemas.Entities // what it found: a target may be one of them
}

// instead gives the one outcome of a step that asks no target, unless the step
// has begun or only repeats an earlier round.
func (q *question) instead(kind schemas.Kind, o schemas.Outcome) []Task {
	if q.ask.Begun {
		return nil
	}
	target := ""
	if q.ask.Round > 0 {
		target = fmt.Sprintf("#%d", q.ask.Round)
	}
	id := schemas.TaskID(q.step.ID, target)
	if _, recorded := q.Incident.Task(id); recorded {
		return nil
	}
	return []Task{q.outcome(id, kind, o, nil)}
}

func (q *question) outcome(id string, kind schemas.Kind, o schemas.Outcome, t *schemas.Target) Task {
	o.Step, o.Action, o.Round, o.Target, o.Asked = q.step.ID, q.step.Do, q.ask.Round, t, q.answer
	return Task{ID: id, Place: schemas.PlaceCore, Kind: kind, Outcome: &o}
}

// one decides a step on one target; false when its `when` leaves the target out.
func (q *question) one(id string, t schemas.Target) (Task, bool) {
	// Asked of each target that is not recorded, after a crash too: one that was
	// left out before has no record either.
	if q.step.When != "" && perTarget(q.step.When) {
		ok, err := q.when(&t)
		if err != nil {
			return q.outcome(id, schemas.KindSkipped, q.whenFailed(err), &t), true
		}
		if !ok {
			return Task{}, false
		}
	}
	mode, kind, refusal := q.guard(t)
	if refusal != nil {
		return q.outcome(id, kind, *refusal, &t), true
	}
	with, err := q.with(t)
	if err != nil {
		return q.outcome(id, schemas.KindFailed, schemas.Outcome{
			Cause:  CauseError,
			Reason: fmt.Sprintf("step %s: its parameters cannot be filled in: %v", q.step.ID, err),
			Remedy: "guard the field with .?field.orValue(…) in `with`",
		}, &t), true
	}
	if mode == incident.ModeEnforce && q.Budget != nil && counts(t) {
		q.Budget.Note(q.playbook(), t.ID, q.Incident.Opened().Guard.Limit, q.Now)
	}
	return Task{ID: id, Place: t.Place, Kind: schemas.KindRequested, Requested: &schemas.Requested{
		Step: q.step.ID, Action: q.step.Do, Target: t, With: with, Mode: mode, Attempt: 1,
		For: q.step.For, OnExpire: q.onExpire(), Asked: q.answer, Round: q.ask.Round, Lease: q.Lease,
		NoVerify: q.spec.Verify == "", NoUndo: q.spec.Undo == "",
	}}, true
}

// onExpire is what happens when `for` has passed: what is high or critical is
// kept unless the playbook says otherwise.
func (q *question) onExpire() string {
	switch {
	case q.step.For <= 0:
		return ""
	case q.step.OnExpire != "":
		return q.step.OnExpire
	}
	switch q.Incident.Opened().Playbook.Severity {
	case "high", "critical":
		return "keep"
	default:
		return "release"
	}
}

func (q *question) with(t schemas.Target) (json.RawMessage, error) {
	if !strings.Contains(string(q.step.With), "${") {
		return q.step.With, nil
	}
	vars, err := q.variables(&t)
	if err != nil {
		return nil, err
	}
	return expr.Substitute(q.step.With, vars)
}

func (q *question) playbook() string { return q.Incident.Opened().Playbook.Name }
