package responder

import (
	"context"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder/guardrail"
)

// observe is the mode that stops after the plan.
const observe = "observe"

// plan claims a requested task: `planned` is stored before anything is touched.
func (e *executor) plan(ctx context.Context, j job) error {
	if err := e.admit(j); err != nil {
		return e.end(ctx, j, err)
	}
	p, again := e.earlierPlan(j)
	var failed, stopped error
	if !again {
		p, failed, stopped = e.makePlan(ctx, j)
	}
	if stopped != nil {
		return stopped
	}
	if failed != nil {
		return e.end(ctx, j, failed)
	}
	if no := e.Guard.Check(p.Action, p.Members...); no != nil {
		return e.end(ctx, j, no)
	}
	if !again {
		e.mu.Lock()
		p = e.book.holds.claim(p)
		e.mu.Unlock()
	}
	if j.req.Mode == observe {
		_, err := e.append(ctx, j.t, schemas.KindObserved, p, judgement)
		return err
	}
	stored, err := e.append(ctx, j.t, schemas.KindPlanned, p, judgement)
	if err != nil || !stored {
		return err
	}
	e.mu.Lock()
	j.t.fresh = j.t.stage == stagePlanned && !again
	e.mu.Unlock()
	return nil
}

// admit says whether the task may be worked on at all.
func (e *executor) admit(j job) error {
	a, known := e.actions[j.req.Action]
	if !known {
		return &guardrail.Refusal{
			Cause:  causeUnknown,
			Reason: fmt.Sprintf("the responder at %s knows no action %q", e.Place, j.req.Action),
			Remedy: "`firebreak action list` shows what there is; a newer playbook may need a newer responder",
		}
	}
	if want := a.Spec().TargetKind; want != j.req.Target.Kind || j.req.Target.ID == "" {
		return &guardrail.Refusal{
			Cause:  causeTarget,
			Reason: fmt.Sprintf("action %s acts on a %s, not on %s %q", j.req.Action, want, j.req.Target.Kind, j.req.Target.ID),
			Remedy: "correct the step's target in the playbook",
		}
	}
	if no := e.Guard.Check(j.req.Action, j.req.Target); no != nil {
		return no
	}
	if j.req.Mode == observe {
		return nil
	}
	if no := e.Guard.Room(time.Now()); no != nil {
		return no
	}
	return e.held()
}

// earlierPlan gives the plan of an earlier attempt that has left something
// held: it is carried out again, since a new one would take our own effect for
// the prior state.
func (e *executor) earlierPlan(j job) (schemas.Plan, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.book.holds.byName[j.holder()] == nil || j.task.plan == nil || j.req.Mode == observe {
		return schemas.Plan{}, false
	}
	return *j.task.plan, true
}

// makePlan asks the action.
func (e *executor) makePlan(ctx context.Context, j job) (p schemas.Plan, failed, stopped error) {
	a := e.actions[j.req.Action]
	p, failed, stopped = call(ctx, e, "plan", func(ctx context.Context) (schemas.Plan, error) {
		return a.Plan(ctx, j.req.Target, j.req.With)
	})
	if p.Version == 0 {
		p.Version = 1
	}
	if p.Target.ID == "" {
		p.Target = j.req.Target
	}
	if p.With == nil {
		p.With = j.req.With
	}
	p.Action, p.Holder, p.PlannedAt = j.req.Action, j.holder(), time.Now().UTC()
	return p, failed, stopped
}

// end stores how a task ended with nothing touched.
func (e *executor) end(ctx context.Context, j job, why error) error {
	kind, out := ended(j, why)
	if _, holds := e.earlierPlan(j); holds && j.stage == stageRequested {
		// An earlier attempt may have touched something, which `refused` and
		// `gone` would deny: nobody would ask for its release.
		kind = schemas.KindFailed
	}
	_, err := e.append(ctx, j.t, kind, out, judgement)
	return err
}
