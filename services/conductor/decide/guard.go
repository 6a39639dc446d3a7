package decide

import (
	"encoding/json"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/incident"
)

// guard applies the guardrails to one target, the cautious ones first. It
// gives the mode to ask in, or the refusal with its kind.
func (q *question) guard(t schemas.Target) (mode string, kind schemas.Kind, refusal *schemas.Outcome) {
	o := q.Incident.Opened()
	refuse := func(out schemas.Outcome) (string, schemas.Kind, *schemas.Outcome) {
		return "", schemas.KindRefused, &out
	}
	mode = incident.ModeObserve
	switch o.Guard.Mode {
	case incident.ModeEnforce:
		mode = incident.ModeEnforce
	case incident.ModeObserve, "":
	default:
		return refuse(noApprover(fmt.Sprintf("the playbook's mode is %s, and nobody can be asked yet", o.Guard.Mode)))
	}
	if mode == incident.ModeEnforce && q.stale() {
		return refuse(noApprover(fmt.Sprintf("the match was older than %s when it was stored, so a person would have to be asked", o.Guard.StaleAfter)))
	}
	if out := q.excepted(t); out != nil {
		return refuse(*out)
	}
	if why := q.protected.covers(t); why != "" {
		return refuse(schemas.Outcome{
			Cause:  CauseProtected,
			Reason: fmt.Sprintf("%s %s is protected: %s", t.Kind, t.ID, why),
			Remedy: "look at it by hand; what is protected is never touched automatically",
		})
	}
	if mode != incident.ModeEnforce {
		return mode, "", nil
	}
	if q.Hold.On {
		return "", schemas.KindSkipped, &schemas.Outcome{
			Cause:  CauseHold,
			Reason: fmt.Sprintf("all automatic acts are on hold since %s, by %s: %s", q.Hold.Since.UTC().Format(time.RFC3339), q.Hold.By, q.Hold.Why),
			Remedy: "act by hand, or `firebreak resume` for what comes next",
		}
	}
	if out := q.overspent(t); out != nil {
		return refuse(*out)
	}
	return mode, "", nil
}

func noApprover(why string) schemas.Outcome {
	return schemas.Outcome{
		Cause:  CauseApproval,
		Reason: "no approver: " + why,
		Remedy: "act by hand, or set guard.mode: enforce (guard.staleAfter for older matches)",
	}
}

// stale says that the match of this round was too old when it was stored.
func (q *question) stale() bool {
	if q.ask.Round == 0 {
		return q.Incident.Opened().Stale
	}
	after := time.Duration(q.Incident.Opened().Guard.StaleAfter)
	return after > 0 && q.Now.Sub(q.round().Trigger.Time) > after
}

// excepted evaluates guard.except over the triggering event. What cannot be
// evaluated leaves the target out.
func (q *question) excepted(t schemas.Target) *schemas.Outcome {
	except := q.Incident.Opened().Guard.Except
	if except == "" {
		return nil
	}
	trigger := q.round().Trigger
	out := &schemas.Outcome{Cause: CauseGuard, Remedy: "look at it by hand; guard.except of the playbook leaves it out"}
	for _, s := range q.round().Signals {
		if s.ID != trigger.ID || s.Source != trigger.Source {
			continue
		}
		hit, err := q.except(except, s)
		switch {
		case err != nil:
			out.Reason = fmt.Sprintf("%s %s is left out: guard.except cannot be evaluated: %v", t.Kind, t.ID, err)
			out.Remedy = "guard the field with has(…) in guard.except"
			return out
		case hit:
			out.Reason = fmt.Sprintf("%s %s is left out by the playbook: %s", t.Kind, t.ID, except)
			return out
		}
		return nil
	}
	out.Reason = fmt.Sprintf("%s %s is left out: guard.except has no event to look at", t.Kind, t.ID)
	return out
}

func (q *question) except(text string, s schemas.Signal) (bool, error) {
	p, err := q.programs.condition(text)
	if err != nil {
		return false, err
	}
	var data map[string]any
	if err := json.Unmarshal(s.Data, &data); err != nil {
		return false, fmt.Errorf("event %s: %w: %w", s.ID, schemas.ErrInvalid, err)
	}
	return p.Bool(data)
}

func (q *question) overspent(t schemas.Target) *schemas.Outcome {
	limit := q.Incident.Opened().Guard.Limit
	if limit == nil || q.Budget == nil || limit.Targets <= 0 || !counts(t) {
		return nil
	}
	used, mine := q.Budget.Used(q.playbook(), t.ID, q.Now, time.Duration(limit.Per))
	if mine || used < limit.Targets {
		return nil
	}
	return &schemas.Outcome{
		Cause:     CauseBudget,
		Transient: true,
		Reason:    fmt.Sprintf("the budget of playbook %s is used up: %d targets within %s, at most %d", q.playbook(), used, limit.Per, limit.Targets),
		Remedy:    "look whether the playbook matches too much; act by hand, or raise guard.limit",
	}
}

// counts says whether a target is one of those a budget is for.
func counts(t schemas.Target) bool { return t.Kind != kindIncident }
