package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"firebreak/schemas"
	"firebreak/services/responder"
)

// T is what a check needs of a testing.T.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Case says how an action is tried.
type Case struct {
	// New gives the action as a new process would: remembering nothing.
	New func(T) responder.Action

	// Target makes something new in the real world to act on, and has it taken
	// away by T.Cleanup.
	Target func(T) schemas.Target

	With json.RawMessage

	// Snapshot gives all that the action could change, in a form that
	// cmp.Diff can compare. What changes by itself is left out.
	Snapshot func(T, schemas.Target) any

	// Contained says whether the target is really contained, and finds it out
	// in another way than the action does. Needed with Spec.Verify.
	Contained func(T, schemas.Target) bool

	// Break ends the containment behind the action's back, by name: each in a
	// way of its own. Needed with Spec.Verify.
	Break map[string]func(T, schemas.Target)

	// Foreign contains the target as somebody else would, outside the ledger
	// and without the action. May be nil.
	Foreign func(T, schemas.Target)

	// Sibling gives another target whose containment reaches the same things,
	// such as another container of the pod. May be nil.
	Sibling func(T, schemas.Target) schemas.Target

	// Remove takes the target out of the world, for what is gone. May be nil.
	Remove func(T, schemas.Target)

	// Stays says that undo is not expected to leave the snapshot as it was
	// before, since the action has no undo and leaves something for good.
	Stays bool

	// Rest gives, with Stays, what must be as it was before when the action
	// has ended, and after a crash too. May be nil.
	Rest func(T, schemas.Target) any
}

// rest is what must be as it was when all is over.
func (c Case) rest(t T, target schemas.Target) any {
	switch {
	case c.Rest != nil:
		return c.Rest(t, target)
	case c.Stays:
		return nil
	default:
		return c.Snapshot(t, target)
	}
}

// scope ends what was begun in it before the test ends, so that a check with
// many targets does not keep them all.
type scope struct {
	T
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// Check is one rule.
type Check struct {
	Name string
	Of   func(T, Case)
}

// Checks lists every rule.
func Checks() []Check {
	return []Check{
		{"the spec keeps its word", spec},
		{"a plan writes nothing", planWritesNothing},
		{"a dry run writes nothing", dryRun},
		{"applying twice equals once", twice},
		{"undo restores", undoRestores},
		{"undo leaves alone what it found so", undoOfTheSame},
		{"verify never says contained when it is not", honest},
		{"keep puts back what slipped", keep},
		{"a crash loses no prior state", crash},
		{"two holders let go in either order", holders},
		{"what is gone is gone, not failed", gone},
	}
}

// Run tries an action by every rule.
func Run(t *testing.T, c Case) {
	t.Helper()
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) { check.Of(t, c) })
	}
}
