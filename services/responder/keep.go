package responder

import (
	"context"
	"errors"

	"firebreak/schemas"
)

// keeping is one layer of a hold to look after.
type keeping struct {
	hold   *hold
	task   *task // whose chain tells of it: the first that still holds
	owner  string
	effect schemas.Effect
}

// keepLane looks after what is held in a lane. It rests while the global hold
// is on, as every automatic act does; releases do not.
func (e *executor) keepLane(ctx context.Context, l *lane) error {
	if e.held() != nil {
		return nil
	}
	unclear := map[*hold]bool{} // a verification would wait in vain as Keep did
	for _, k := range e.kept(l) {
		keeper := e.actions[k.effect.Plan.Action].(Keeper) // kept gives only those
		type result struct {
			effect schemas.Effect
			back   bool
		}
		r, failed, stopped := call(ctx, e, "keep", func(ctx context.Context) (result, error) {
			eff, back, err := keeper.Keep(ctx, k.effect)
			return result{eff, back}, err
		})
		if stopped != nil {
			return stopped
		}
		if err := e.keptOne(ctx, k, r.effect, r.back, failed); err != nil {
			return err
		}
		unclear[k.hold] = unclear[k.hold] || failed != nil
	}
	return e.verifyAgain(ctx, l, unclear)
}

func (e *executor) keptOne(ctx context.Context, k keeping, eff schemas.Effect, back bool, failed error) error {
	switch {
	case errors.Is(failed, ErrGone):
		return e.lost(ctx, k, failed)
	case failed != nil:
		e.Log.Warn("what is held could not be looked after; trying again", "task", k.task.holder(), "every", e.KeepEvery, "error", failed)
		return nil
	case !back:
		return nil
	}
	if eff.Plan.Action == "" {
		eff.Plan = k.effect.Plan
	}
	eff.Plan.Holder, eff.Plan.PriorOf = k.owner, k.effect.Plan.PriorOf
	e.Log.Info("put back what had slipped", "task", k.task.holder(), "action", eff.Plan.Action, "target", eff.Plan.Target.ID)
	_, err := e.append(ctx, k.task, schemas.KindKept, eff, fact)
	return err
}

// lost tells every holder that there is nothing left to hold; with the last of
// them goes what is left of it.
func (e *executor) lost(ctx context.Context, k keeping, why error) error {
	e.mu.Lock()
	var whose []job
	if h := e.book.holds.byName[k.task.holder()]; h != nil {
		for _, w := range h.holders {
			if t := e.book.tasks[w.name]; !w.weak && !w.releasing && t != nil {
				whose = append(whose, job{t: t, task: *t})
			}
		}
	}
	e.mu.Unlock()
	for _, j := range whose {
		if err := e.withdraw(ctx, j, why); err != nil {
			return err
		}
	}
	return nil
}

// kept gives what is held in a lane and can be looked after.
func (e *executor) kept(l *lane) []keeping {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []keeping
	done := map[*hold]bool{}
	for _, t := range l.tasks {
		h := e.book.holds.byName[t.holder()]
		if h == nil || done[h] {
			continue
		}
		w := h.holder(t.holder())
		if w.weak || w.releasing || t.release != nil || t.stage != stageApplied && t.stage != stageDone {
			continue
		}
		done[h] = true
		if _, can := e.actions[h.action].(Keeper); !can {
			continue
		}
		for _, layer := range h.layers {
			if eff := h.effectOf(layer); layer.effect != nil || w.effect != nil {
				out = append(out, keeping{hold: h, task: t, owner: layer.owner, effect: eff})
			}
		}
	}
	return out
}
