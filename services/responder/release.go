package responder

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"firebreak/schemas"
)

// release says that a task lets go, and whether anything is to be undone,
// before anything is.
func (e *executor) release(ctx context.Context, j job) error {
	r := schemas.Releasing{Plan: schemas.Plan{Version: 1, Action: j.action(), Target: j.req.Target, Holder: j.holder()}}
	if j.task.plan != nil {
		r.Plan = *j.task.plan
	}
	e.mu.Lock()
	if h := e.book.holds.byName[j.holder()]; h != nil {
		r.Holders = h.others(j.holder())
		r.Undo = len(r.Holders) == 0
		r.Plan = h.layers[0].plan
	}
	e.mu.Unlock()
	_, err := e.append(ctx, j.t, schemas.KindReleasing, r, judgement)
	return err
}

// undo ends a release. After a crash it runs again: undo is idempotent.
func (e *executor) undo(ctx context.Context, j job) error {
	effects, others := e.toUndo(j)
	// Somebody who came while the undo could not be done holds it now.
	if !j.task.releasing.Undo || len(effects) == 0 || len(others) > 0 {
		_, err := e.append(ctx, j.t, schemas.KindReleased, schemas.Released{}, fact)
		return err
	}
	drift, failed, stopped := e.undoAll(ctx, j.task.releasing.Plan.Action, effects)
	if stopped != nil {
		return stopped
	}
	if failed != nil {
		return e.undoFailed(ctx, j, failed)
	}
	_, err := e.append(ctx, j.t, schemas.KindReleased, schemas.Released{Undone: true, Drift: drift}, fact)
	return err
}

// toUndo gives the effects of a task's hold, newest first, and who else holds it.
func (e *executor) toUndo(j job) (effects []schemas.Effect, others []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.book.holds.byName[j.holder()]
	if h == nil {
		return nil, nil
	}
	return h.effects(), h.others(j.holder())
}

func (e *executor) undoAll(ctx context.Context, action string, effects []schemas.Effect) (drift string, failed, stopped error) {
	a, known := e.actions[action]
	if !known {
		return "", WithRemedy(
			fmt.Errorf("%w: the responder at %s no longer knows action %q", ErrPermanent, e.Place, action),
			"start a responder that has the action, or put it back by hand: the plan in the ledger holds the prior state"), nil
	}
	u, can := a.(Undoer)
	if !can {
		return "", nil, nil
	}
	var drifts []string
	for _, eff := range effects {
		d, err, stop := call(ctx, e, "undo", func(ctx context.Context) (string, error) { return u.Undo(ctx, eff) })
		if stop != nil {
			return "", nil, stop
		}
		switch {
		case errors.Is(err, ErrGone):
			drifts = append(drifts, err.Error())
		case err != nil:
			return "", err, nil
		case d != "":
			drifts = append(drifts, d)
		}
	}
	return strings.Join(drifts, "; "), nil, nil
}

// undoFailed keeps trying, and tells people once: a release that does not come
// about must be seen. The task stays releasing.
func (e *executor) undoFailed(ctx context.Context, j job, why error) error {
	e.Log.Error("undo failed; trying again", "task", j.holder(), "action", j.action(), "error", why, "remedy", Remedy(why))
	e.mu.Lock()
	tries := j.t.tries
	e.mu.Unlock()
	tell := tries == 3 || tries == 0 && !errors.Is(why, ErrTransient)
	e.later(j.t, 0)
	if !tell || j.undoTold {
		return nil
	}
	_, out := ended(j, why)
	out.Reason = "the release could not be carried out yet, and is tried again: " + out.Reason
	_, err := e.append(ctx, j.t, schemas.KindFailed, out, fact)
	return err
}
