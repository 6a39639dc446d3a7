package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/responder"
)

// spec: what an action says of itself is what it has.
func spec(t T, c Case) {
	a := c.New(t)
	s := a.Spec()
	if s.Name == "" || s.Summary == "" || s.TargetKind == "" || s.Place == "" {
		t.Errorf("the Spec says too little: %+v", s)
	}
	if !json.Valid(s.Params) {
		t.Errorf("Spec.Params is no JSON: %s", s.Params)
	}
	if _, can := a.(responder.Undoer); s.Undo != "" && !can {
		t.Errorf("Spec.Undo says %q, and there is no Undo", s.Undo)
	}
	if _, can := a.(responder.Verifier); can != (s.Verify != "") {
		t.Errorf("Spec.Verify says %q, and there is a Verify: %v", s.Verify, can)
	}
	if s.Undo == "" && !s.Irreversible && c.Contained != nil {
		t.Errorf("it contains, cannot be undone, and does not say that it is irreversible")
	}
	if s.Verify != "" && (c.Contained == nil || len(c.Break) == 0) {
		t.Errorf("the case needs Contained and Break, since the action verifies")
	}
}

func (c Case) plan(t T, a responder.Action, target schemas.Target) schemas.Plan {
	t.Helper()
	p, err := a.Plan(t.Context(), target, c.With)
	if err != nil {
		t.Fatalf("Plan: %v", err)
	}
	p.Action, p.Holder = a.Spec().Name, "incident/task"
	if p.Target.ID == "" {
		p.Target = target
	}
	if p.With == nil {
		p.With = c.With
	}
	return reread(t, p)
}

func apply(t T, a responder.Action, p schemas.Plan) schemas.Effect {
	t.Helper()
	e, err := a.Apply(t.Context(), p)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if e.Plan.Action == "" {
		e.Plan = p
	}
	return reread(t, e)
}

// reread takes a value through the ledger's form: what does not survive that
// is not there after a crash.
func reread[V any](t T, v V) V {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%T as JSON: %v", v, err)
	}
	var back V
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatalf("%T from JSON: %v", v, err)
	}
	return back
}

func same(t T, what string, before, after any) {
	t.Helper()
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("%s (-before +after):\n%s", what, d)
	}
}

func planWritesNothing(t T, c Case) {
	target := c.Target(t)
	before := c.Snapshot(t, target)
	a := c.New(t)
	first := c.plan(t, a, target)
	same(t, "Plan changed the world", before, c.Snapshot(t, target))
	second := c.plan(t, c.New(t), target)
	second.PlannedAt = first.PlannedAt
	same(t, "two plans of one state differ", first, second)
}

func twice(t T, c Case) {
	target := c.Target(t)
	p := c.plan(t, c.New(t), target)
	apply(t, c.New(t), p)
	once := c.Snapshot(t, target)
	apply(t, c.New(t), p)
	same(t, "a second Apply changed something", once, c.Snapshot(t, target))
	if c.Contained != nil && !c.Contained(t, target) {
		t.Errorf("applied twice, and not contained")
	}
}

func undoRestores(t T, c Case) {
	u, can := c.New(t).(responder.Undoer)
	if !can || c.Stays {
		return
	}
	target := c.Target(t)
	before := c.Snapshot(t, target)
	e := apply(t, c.New(t), c.plan(t, c.New(t), target))
	for n := range 2 { // a crash before `released` means a second time
		if _, err := u.Undo(t.Context(), e); err != nil && !errors.Is(err, responder.ErrGone) {
			t.Fatalf("Undo %d: %v", n+1, err)
		}
		same(t, "Undo did not restore the prior state", before, c.Snapshot(t, target))
	}
	// Only the plan is known when the crash came inside Apply.
	p := c.plan(t, c.New(t), target)
	apply(t, c.New(t), p)
	if _, err := c.New(t).(responder.Undoer).Undo(t.Context(), schemas.Effect{Version: p.Version, Plan: p}); err != nil { // seen above
		t.Fatalf("Undo of an effect of which only the plan is known: %v", err)
	}
	same(t, "Undo with the plan alone did not restore the prior state", before, c.Snapshot(t, target))
}

// undoOfTheSame: what was contained before, by somebody else, stays so.
func undoOfTheSame(t T, c Case) {
	u, can := c.New(t).(responder.Undoer)
	if !can || c.Stays || c.Foreign == nil {
		return
	}
	target := c.Target(t)
	c.Foreign(t, target)
	before := c.Snapshot(t, target)
	e := apply(t, c.New(t), c.plan(t, c.New(t), target))
	if _, err := u.Undo(t.Context(), e); err != nil {
		t.Fatalf("Undo: %v", err)
	}
	same(t, "Undo ended what was there before", before, c.Snapshot(t, target))
}

func honest(t T, c Case) {
	v, can := c.New(t).(responder.Verifier)
	if !can {
		return
	}
	target := c.Target(t)
	p := c.plan(t, c.New(t), target)
	judge := func(when string, e schemas.Effect) {
		t.Helper()
		verdict, err := v.Verify(t.Context(), e)
		if err == nil && verdict.Kind() == schemas.KindEnforced && !c.Contained(t, target) {
			t.Errorf("%s: verified as contained, and it is not: %+v", when, verdict)
		}
	}
	judge("before anything was done", schemas.Effect{Version: 1, Plan: p})
	for _, name := range slices.Sorted(maps.Keys(c.Break)) {
		e := apply(t, c.New(t), p)
		if !c.Contained(t, target) {
			t.Errorf("applied, and not contained")
		}
		if got, err := final(t.Context(), v, e); err != nil || got.Kind() != schemas.KindEnforced {
			t.Errorf("contained, and the verification says %s %+v (error %v)", got.Kind(), got.Layers, err)
		}
		c.Break[name](t, target)
		if c.Contained(t, target) {
			t.Errorf("the case's Break %q breaks nothing", name)
		}
		judge("after "+name, e)
	}
}

// final verifies until no other look is wanted.
func final(ctx context.Context, v responder.Verifier, e schemas.Effect) (schemas.Verdict, error) {
	for range 100 {
		got, err := v.Verify(ctx, e)
		if err != nil || got.Again == 0 {
			return got, err
		}
		if err := pause(ctx, got.Again); err != nil {
			return got, err
		}
	}
	return schemas.Verdict{}, errors.New("it wants to look again without end")
}

func keep(t T, c Case) {
	k, can := c.New(t).(responder.Keeper)
	if !can || c.Contained == nil {
		return
	}
	target := c.Target(t)
	e := apply(t, c.New(t), c.plan(t, c.New(t), target))
	if _, back, err := k.Keep(t.Context(), e); err != nil || back {
		t.Errorf("Keep of what holds: put back %v, error %v", back, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Break)) {
		c.Break[name](t, target)
		kept, back, err := k.Keep(t.Context(), e)
		if err != nil || !back {
			t.Errorf("Keep after %s: put back %v, error %v", name, back, err)
		}
		if !c.Contained(t, target) {
			t.Errorf("Keep after %s: not contained", name)
		}
		e = kept
	}
}

func gone(t T, c Case) {
	if c.Remove == nil {
		return
	}
	target := c.Target(t)
	p := c.plan(t, c.New(t), target)
	c.Remove(t, target)
	if _, err := c.New(t).Apply(t.Context(), p); !errors.Is(err, responder.ErrGone) {
		t.Errorf("Apply on what was removed: want ErrGone, got %v", err)
	}
	if _, err := c.New(t).Plan(t.Context(), target, c.With); !errors.Is(err, responder.ErrGone) {
		t.Errorf("Plan on what was removed: want ErrGone, got %v", err)
	}
}
