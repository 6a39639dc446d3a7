package responder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
)

// apply carries the recorded plan out.
func (e *executor) apply(ctx context.Context, j job) error {
	p := *j.task.plan
	a, known := e.actions[p.Action]
	if !known {
		return e.fail(ctx, j, fmt.Errorf("%w: the responder at %s no longer knows action %q, which was planned before", ErrPermanent, e.Place, p.Action))
	}
	if err := e.mayApply(p); err != nil {
		return e.withdraw(ctx, j, err)
	}
	e.mu.Lock()
	j.t.fresh = false
	e.mu.Unlock()
	eff, failed, stopped := call(ctx, e, "apply", func(ctx context.Context) (schemas.Effect, error) {
		return a.Apply(ctx, p)
	})
	switch {
	case stopped != nil:
		return stopped
	case errors.Is(failed, ErrRefused), errors.Is(failed, ErrGone):
		j.fresh = false
		return e.withdraw(ctx, j, failed)
	case failed != nil:
		return e.fail(ctx, j, failed)
	}
	if eff.Version == 0 {
		eff.Version = 1
	}
	if eff.Plan.Action == "" {
		eff.Plan = p
	}
	eff.Plan.Holder, eff.Plan.PriorOf, eff.Plan.Prior = p.Holder, p.PriorOf, p.Prior
	seen := e.lookAhead(ctx, a, eff)
	_, err := e.append(ctx, j.t, schemas.KindApplied, eff, fact)
	if l := <-seen; l != nil {
		e.mu.Lock()
		l.after, j.t.look = j.t.head.Seq, l
		e.mu.Unlock()
	}
	return err
}

// mayApply asks again what was asked before the plan: it may have changed.
func (e *executor) mayApply(p schemas.Plan) error {
	if err := e.held(); err != nil {
		return err
	}
	if no := e.Guard.Check(p.Action, append([]schemas.Target{p.Target}, p.Members...)...); no != nil {
		return no
	}
	if no := e.Guard.Take(time.Now()); no != nil {
		return no
	}
	return nil
}

// withdraw ends a planned task that must not be carried out, or has nothing to
// be carried out on. If Apply may have run (before a crash, or up to a fence),
// what it did is put back first: `refused` and `gone` say that nothing is held.
func (e *executor) withdraw(ctx context.Context, j job, why error) error {
	if !j.fresh {
		if err := e.putBack(ctx, j); errors.Is(err, errStopped) {
			return err
		} else if err != nil {
			return e.fail(ctx, j, fmt.Errorf("%w: %s; and what was begun before could not be put back: %w", ErrPermanent, why.Error(), err))
		}
	}
	return e.end(ctx, j, why)
}

// fail ends a task whose Apply failed. A hold stays, to be undone at the
// release; an effect that is no hold is put back at once.
func (e *executor) fail(ctx context.Context, j job, why error) error {
	if !e.holding(j.task.plan.Action) {
		if err := e.putBack(ctx, j); errors.Is(err, errStopped) {
			return err
		} else if err != nil {
			why = fmt.Errorf("%w; and what was begun could not be put back: %s", why, err.Error())
		}
	}
	_, out := ended(j, why)
	_, err := e.append(ctx, j.t, schemas.KindFailed, out, fact)
	return err
}

// putBack undoes what an interrupted or failed Apply may have done, unless
// others hold it too.
func (e *executor) putBack(ctx context.Context, j job) error {
	effects, others := e.toUndo(j)
	if len(others) > 0 {
		return nil
	}
	if len(effects) == 0 {
		effects = []schemas.Effect{{Version: j.task.plan.Version, Plan: *j.task.plan}}
	}
	_, failed, stopped := e.undoAll(ctx, j.task.plan.Action, effects)
	if stopped != nil {
		return stopped
	}
	return failed
}
