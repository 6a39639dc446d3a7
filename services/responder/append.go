package responder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
)

const longestWait = 30 * time.Second

// nature says what to do when another record was stored first.
type nature bool

const (
	judgement nature = false // decided on what was known: decide anew
	fact      nature = true  // it has happened: store it behind whatever came
)

// append stores a record and folds it. False means that another record came
// first and all is to be decided anew. It tries until it is stored or ctx
// ends: what was done to the world must come to be known.
func (e *executor) append(ctx context.Context, t *task, kind schemas.Kind, data any, n nature) (bool, error) {
	if err := e.at(ctx, "before "+string(kind)); err != nil {
		return false, err
	}
	for {
		e.mu.Lock()
		head, count := t.head, t.counts[kind]
		e.mu.Unlock()
		// The count makes the id: the same fact tried again after a lost answer has the same one.
		r, err := schemas.NewRecord(t.incident, t.id, e.Place, kind, count, time.Now(), data)
		if err != nil {
			return false, fmt.Errorf("task %s: %w", t.holder(), err)
		}
		stored, err := e.store(ctx, r, head)
		if err == nil {
			e.take(stored)
			return true, e.at(ctx, "after "+string(kind))
		}
		if errors.Is(err, schemas.ErrInvalid) {
			return e.unstorable(ctx, t, kind, err)
		}
		if !errors.Is(err, schemas.ErrConflict) {
			return false, err
		}
		if err := e.catchUp(ctx, t); err != nil {
			return false, err
		}
		if err := e.breathe(ctx, t, head); err != nil {
			return false, err
		}
		if n == judgement {
			return false, nil
		}
	}
}

// store appends one record, however long the bus is away.
func (e *executor) store(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	return patient(ctx, e, "store "+r.Subject(), func() (schemas.Record, error) {
		return e.Ledger.Append(ctx, r, after)
	})
}

// catchUp folds the record that came first.
func (e *executor) catchUp(ctx context.Context, t *task) error {
	last, err := patient(ctx, e, "read the last record of "+t.holder(), func() (schemas.Record, error) {
		return e.Ledger.Last(ctx, t.incident, t.id, e.Place)
	})
	if err != nil {
		return err
	}
	if asks := last.Kind == schemas.KindRequested || last.Kind == schemas.KindRelease; asks && !e.Conductor(last.Writer) {
		e.mu.Lock()
		t.head = last.Head() // not to be obeyed, but the chain goes on behind it
		e.mu.Unlock()
		return nil
	}
	e.take(last)
	return nil
}

// breathe waits a little where catching up has found nothing new, as when
// somebody has taken the task's records out of the ledger: a conflict without
// an end must not become a busy loop.
func (e *executor) breathe(ctx context.Context, t *task, before schemas.Head) error {
	e.mu.Lock()
	moved := t.head != before
	e.mu.Unlock()
	if moved {
		return nil
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("task %s: %w", t.holder(), ctx.Err())
	case <-time.After(e.Backoff):
		return nil
	}
}

func (e *executor) take(r schemas.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.book.fold(r, false); err != nil {
		e.Log.Error("a record cannot be read", "subject", r.Subject(), "seq", r.Seq, "error", err)
	}
}

// unstorable ends a task whose record the ledger will never take, such as an
// effect larger than a message may be. What was done stays owed for release.
func (e *executor) unstorable(ctx context.Context, t *task, kind schemas.Kind, why error) (bool, error) {
	e.Log.Error("the ledger refuses a record for good", "task", t.holder(), "kind", kind, "error", why)
	if kind == schemas.KindFailed {
		e.later(t, longestWait) // nothing smaller can be said; people read of it in the log
		return false, nil
	}
	e.mu.Lock()
	step, action := "", t.action()
	if t.req != nil {
		step = t.req.Step
	}
	e.mu.Unlock()
	out := schemas.Outcome{
		Reason: fmt.Sprintf("%s: the ledger takes no record %q of it: %v", action, kind, why),
		Remedy: "look at the target by hand: what was done to it stays until the release", Cause: causeError, Step: step, Action: action,
	}
	return e.append(ctx, t, schemas.KindFailed, out, fact)
}

// patient tries until it works, ctx ends, or trying again is of no use.
func patient[T any](ctx context.Context, e *executor, what string, try func() (T, error)) (T, error) {
	wait := min(e.Backoff, 50*time.Millisecond)
	for first := true; ; first = false {
		v, err := try()
		if err == nil || errors.Is(err, schemas.ErrConflict) || errors.Is(err, schemas.ErrInvalid) {
			return v, err
		}
		if ctx.Err() != nil {
			return v, fmt.Errorf("%s: %w", what, ctx.Err())
		}
		if first {
			e.Log.Warn("the ledger does not answer; trying again until it does", "what", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("%s: %w", what, ctx.Err())
		case <-time.After(wait):
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// later puts a task off; the wait grows with its failed tries.
func (e *executor) later(t *task, wait time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if wait == 0 {
		wait = min(e.Backoff<<min(t.tries, 20), longestWait)
		t.tries++
	}
	t.wait = time.Now().Add(wait)
}
