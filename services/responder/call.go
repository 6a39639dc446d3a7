package responder

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"firebreak/schemas"
	"firebreak/services/responder/guardrail"
)

// Causes of an outcome that the executor gives.
const (
	causeHold    = "hold"
	causeTarget  = "target"
	causeUnknown = "unknown-action"
	causeError   = "error"
)

// call runs one method of an action between its two points, with a deadline; a
// panic becomes an error. The second error ends the executor: ctx has ended.
func call[T any](ctx context.Context, e *executor, point string, do func(context.Context) (T, error)) (v T, failed, stopped error) {
	if err := e.at(ctx, "before "+point); err != nil {
		return v, nil, err
	}
	v, failed = guarded(ctx, e, point, do)
	return v, failed, e.at(ctx, "after "+point)
}

func guarded[T any](ctx context.Context, e *executor, point string, do func(context.Context) (T, error)) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			e.Log.Error("an action panicked", "in", point, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: %w: it panicked: %v", point, ErrPermanent, p)
		}
	}()
	v, err = do(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = WithRemedy(fmt.Errorf("%w: not done within %s: %w", ErrTransient, e.Timeout, err), Remedy(err))
	}
	return v, err
}

// ended gives the record that an action's error ends in.
func ended(j job, err error) (schemas.Kind, schemas.Outcome) {
	out := schemas.Outcome{Reason: err.Error(), Remedy: Remedy(err), Cause: causeError, Step: j.req.Step, Action: j.req.Action}
	var no *guardrail.Refusal
	switch {
	case errors.As(err, &no):
		out.Reason, out.Remedy, out.Cause = no.Reason, no.Remedy, no.Cause
		return schemas.KindRefused, out
	case errors.Is(err, ErrGone):
		out.Cause = causeTarget
		return schemas.KindGone, out
	case errors.Is(err, ErrRefused):
		out.Cause = causeTarget
		return schemas.KindRefused, out
	default:
		out.Transient = errors.Is(err, ErrTransient)
		return schemas.KindFailed, out
	}
}

// held is the refusal while the global hold is on.
func (e *executor) held() error {
	h := e.hold.Load()
	if h == nil || !h.On {
		return nil
	}
	who, why := h.By, h.Why
	if who == "" {
		who = "somebody"
	}
	if why == "" {
		why = "no reason given"
	}
	return &guardrail.Refusal{
		Cause:  causeHold,
		Reason: fmt.Sprintf("automatic acts are on hold since %s by %s: %s", h.Since.UTC().Format("2006-01-02 15:04:05 UTC"), who, why),
		Remedy: "`firebreak resume` lifts the hold; then ask for the step again",
	}
}
