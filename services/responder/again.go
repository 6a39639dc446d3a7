package responder

import (
	"context"
	"errors"
	"slices"

	"firebreak/schemas"
)

// again is a task whose verdict may be true no longer, and what is held for it.
type again struct {
	job

	effect schemas.Effect
}

// verifyAgain looks once more at what is held in a lane and was not all there,
// or has been put back since: what people read of it must not stay at the
// trouble of its beginning. What is found is stored when it differs.
func (e *executor) verifyAgain(ctx context.Context, l *lane, unclear map[*hold]bool) error {
	for _, a := range e.doubtful(l, unclear) {
		v := e.actions[a.action()].(Verifier) // doubtful gives only those
		verdict, failed, stopped := call(ctx, e, "verify", func(ctx context.Context) (schemas.Verdict, error) {
			return v.Verify(ctx, a.effect)
		})
		switch {
		case stopped != nil:
			return stopped
		case errors.Is(failed, ErrGone):
			continue // Keep says so, and ends it for all holders
		case failed != nil:
			verdict = unseen(failed, e.Backoff)
		}
		verdict, final := e.judge(a.job, a.effect, verdict)
		if !final {
			continue // the next round looks again
		}
		if same(verdict, *a.verdict) {
			e.mu.Lock()
			a.t.recheck = false
			e.mu.Unlock()
			continue
		}
		if _, err := e.append(ctx, a.t, verdict.Kind(), verdict, judgement); err != nil {
			return err
		}
	}
	return nil
}

// doubtful gives the tasks of a lane to verify again.
func (e *executor) doubtful(l *lane, unclear map[*hold]bool) []again {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []again
	for _, t := range l.tasks {
		h := e.book.holds.byName[t.holder()]
		if h == nil || unclear[h] || t.stage != stageDone || t.verdict == nil || t.effect == nil || t.release != nil || !e.verifies(t.action()) {
			continue
		}
		if w := h.holder(t.holder()); w.weak || w.releasing {
			continue
		}
		if t.recheck || t.verdict.Kind() != schemas.KindEnforced {
			out = append(out, again{job{t: t, task: *t}, h.latest(t.holder(), *t.effect)})
		}
	}
	return out
}

// latest gives what a holder's effect has become: Keep tells of it in the layer
// that reaches as far.
func (h *hold) latest(holder string, own schemas.Effect) schemas.Effect {
	want := namesIn(own.Plan)
	for _, l := range h.layers {
		if l.effect != nil && (l.owner == holder || l.covers(want)) {
			e := *l.effect
			e.Plan.Holder = holder
			return e
		}
	}
	return own
}

// same says that a verdict tells nothing new. Details are left aside: they name
// processes and count them, which changes all the time.
func same(a, b schemas.Verdict) bool {
	return a.Kind() == b.Kind() && slices.EqualFunc(a.Layers, b.Layers, func(x, y schemas.Layer) bool {
		return x.Name == y.Name && x.State == y.State
	})
}
