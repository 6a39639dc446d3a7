package responder

import (
	"context"
	"errors"
	"time"

	"firebreak/schemas"
)

// verify looks whether the effect is there and stores the verdict, unless the
// verification wants to look again later and may.
func (e *executor) verify(ctx context.Context, j job) error {
	v := e.actions[j.action()].(Verifier) // next asks for it only where it is one
	eff := *j.effect
	verdict, failed, stopped := call(ctx, e, "verify", func(ctx context.Context) (schemas.Verdict, error) {
		return v.Verify(ctx, eff)
	})
	switch {
	case stopped != nil:
		return stopped
	case errors.Is(failed, ErrGone):
		return e.withdraw(ctx, j, failed)
	case failed != nil:
		verdict = unseen(failed, e.Backoff)
	}
	if verdict.Again > 0 && j.looks+1 < e.Looks {
		e.mu.Lock()
		j.t.looks++
		e.mu.Unlock()
		e.later(j.t, min(max(time.Duration(verdict.Again), time.Millisecond), time.Minute))
		return nil
	}
	verdict.Again = 0
	if eff.Missing != "" {
		verdict.Layers = append(verdict.Layers, schemas.Layer{Name: "plan", State: schemas.Partial, Detail: eff.Missing})
	}
	_, err := e.append(ctx, j.t, verdict.Kind(), verdict, judgement)
	return err
}

// unseen is the verdict of a verification that did not come about.
func unseen(why error, again time.Duration) schemas.Verdict {
	v := schemas.Verdict{Layers: []schemas.Layer{{Name: "verification", State: schemas.Unverified, Detail: why.Error()}}}
	if errors.Is(why, ErrTransient) {
		v.Again = schemas.Duration(again)
	}
	return v
}
