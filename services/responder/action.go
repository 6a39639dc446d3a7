package responder

import (
	"context"
	"encoding/json"
	"errors"

	"firebreak/schemas"
)

// Action is one thing a responder can do.
//
// The executor never calls two methods at once for targets that belong
// together (containers of one pod, or the same target), whatever the action;
// for different ones it does, so an action must be safe for concurrent use.
// Every call has a deadline. A panic becomes a failed task.
type Action interface {
	// Spec describes the action; always the same value.
	Spec() schemas.Spec

	// Plan resolves the target by its identity, refuses what must not be
	// touched and notes the prior state. It writes nothing. `with` is the
	// step's parameters with every ${…} substituted; unknown or malformed
	// parameters are ErrRefused. The executor fills Version (when 0), Action,
	// Holder, PriorOf and PlannedAt, and replaces Prior where another holder
	// came first. An effect that reaches beyond the target must say so in
	// Members (itself included): holders are told apart by these.
	Plan(ctx context.Context, t schemas.Target, with json.RawMessage) (schemas.Plan, error)

	// Apply carries the plan out. It is idempotent: it is called again with
	// the same plan after a crash, and with a plan for something that another
	// holder already holds. It fences: what the plan's identity no longer
	// names is ErrGone. When it returns an error it may have touched
	// something; the executor then calls Undo at the release.
	Apply(ctx context.Context, p schemas.Plan) (schemas.Effect, error)
}

// Verifier looks whether the effect is really there. Actions whose
// Spec.Verify is set must have it. Verdict.Again asks for another look later.
type Verifier interface {
	Verify(ctx context.Context, e schemas.Effect) (schemas.Verdict, error)
}

// Keeper holds the effect until it is released: it is called every now and
// then, and at hints. True means that something had slipped and was put back,
// or that what was missing has come about since; the effect returned then
// replaces the old one (members may have been added). The executor verifies it
// again where the verdict may differ by now.
// ErrGone ends the keeping.
type Keeper interface {
	Keep(ctx context.Context, e schemas.Effect) (schemas.Effect, bool, error)
}

// Undoer goes back to Effect.Plan.Prior, and to nothing else: what has changed
// meanwhile is left and told as drift. It is idempotent, and it can meet an
// effect of which only the plan is known (a crash or a failure inside Apply).
// ErrGone counts as done.
//
// An action with Spec.Undo set must have it, and holds its target until
// released. An action that has it without Spec.Undo holds nothing: its Undo is
// called at once after a failed or interrupted Apply, to clean up.
type Undoer interface {
	Undo(ctx context.Context, e schemas.Effect) (drift string, err error)
}

// Classes of errors. An action's errors wrap one of them; any other is taken
// for ErrPermanent.
var (
	ErrGone      = errors.New("gone")           // the target is no more: nothing left to contain, no failure
	ErrRefused   = errors.New("refused")        // must not be done to this target, or not with these parameters
	ErrTransient = errors.New("failed for now") // trying again can help
	ErrPermanent = errors.New("failed")         // trying again changes nothing

)

// WithRemedy attaches what a person can do about an error; it becomes the
// outcome's remedy. A nil error stays nil.
func WithRemedy(err error, remedy string) error {
	if err == nil {
		return nil
	}
	return &remedied{err: err, remedy: remedy}
}

type remedied struct {
	err    error
	remedy string
}

func (r *remedied) Error() string { return r.err.Error() }
func (r *remedied) Unwrap() error { return r.err }

// Remedy gives what [WithRemedy] attached, or "".
func Remedy(err error) string {
	var r *remedied
	if errors.As(err, &r) {
		return r.remedy
	}
	return ""
}
