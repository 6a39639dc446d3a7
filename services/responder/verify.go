package responder

import (
	"context"
	"errors"
	"time"

	"firebreak/schemas"
)

// look is a first verification, taken while the effect was being stored.
type look struct {
	after   uint64 // sequence of the record it belongs behind
	taken   time.Time
	verdict schemas.Verdict
	failed  error
}

// lookAhead begins to verify an effect that is not stored yet: a look changes
// nothing, so it need not wait, and people need not wait for it. What it sees
// is stored behind the effect or not at all.
func (e *executor) lookAhead(ctx context.Context, a Action, eff schemas.Effect) <-chan *look {
	seen := make(chan *look, 1)
	v, can := a.(Verifier)
	if !can {
		seen <- nil
		return seen
	}
	go func() { // whoever asked waits for it
		verdict, err := guarded(ctx, e, "verify", func(ctx context.Context) (schemas.Verdict, error) { return v.Verify(ctx, eff) })
		seen <- &look{taken: time.Now(), verdict: verdict, failed: err}
	}()
	return seen
}

// verify looks whether the effect is there and stores the verdict, unless the
// verification wants to look again later and may.
func (e *executor) verify(ctx context.Context, j job) error {
	v := e.actions[j.action()].(Verifier) // next asks for it only where it is one
	eff := *j.effect
	verdict, failed, stopped := call(ctx, e, "verify", func(ctx context.Context) (schemas.Verdict, error) {
		if l := e.takeLook(j.t); l != nil && l.after == j.head.Seq && time.Since(l.taken) < stale {
			return l.verdict, l.failed
		}
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
	verdict, final := e.judge(j, eff, verdict)
	if !final {
		e.later(j.t, min(max(time.Duration(verdict.Again), time.Millisecond), time.Minute))
		return nil
	}
	_, err := e.append(ctx, j.t, verdict.Kind(), verdict, judgement)
	return err
}

// judge completes a verdict; false means that it is worth another look first.
func (e *executor) judge(j job, eff schemas.Effect, verdict schemas.Verdict) (schemas.Verdict, bool) {
	if verdict.Again > 0 && j.looks+1 < e.Looks {
		e.mu.Lock()
		j.t.looks++
		e.mu.Unlock()
		return verdict, false
	}
	verdict.Again = 0
	if eff.Missing != "" {
		verdict.Layers = append(verdict.Layers, schemas.Layer{Name: "plan", State: schemas.Partial, Detail: eff.Missing})
	}
	return verdict, true
}

// unseen is the verdict of a verification that did not come about.
func unseen(why error, again time.Duration) schemas.Verdict {
	v := schemas.Verdict{Layers: []schemas.Layer{{Name: "verification", State: schemas.Unverified, Detail: why.Error()}}}
	if errors.Is(why, ErrTransient) {
		v.Again = schemas.Duration(again)
	}
	return v
}

// stale is when a look says too little of what is: the ledger was away.
const stale = time.Second

// takeLook gives the look taken ahead; it counts once.
func (e *executor) takeLook(t *task) *look {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := t.look
	t.look = nil
	return l
}
