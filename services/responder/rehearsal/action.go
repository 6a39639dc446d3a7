package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"firebreak/schemas"
	"firebreak/services/responder"
)

// Name of the world's action.
const Name = "rehearsal.pause"

// Faults can be put into the action. The zero value has none.
type Faults struct {
	// Before is called with the method ("plan", "apply", "verify", "keep",
	// "undo") and the target's id; "half" is called in Apply after the first
	// member. An error becomes the method's; it may panic or wait for ctx.
	Before func(ctx context.Context, method, id string) error

	PlanWrites    bool // Plan pauses already
	ForgetsPrior  bool // Undo goes by what the action remembers, not by the plan
	PausesTwice   bool // a second Apply changes something again
	VerifyLies    bool // Verify always says contained
	VerifyLater   int  // so many verifications ask for another look
	UndoNothing   bool // Undo says done and does nothing
	UndoRunsAll   bool // Undo sets running what was paused before
	WritesOutside bool // Apply touches things that are no members
}

// Action of the world; each call gives a new one, which remembers nothing.
func (w *World) Action(f Faults) *Pause { return &Pause{world: w, faults: f} }

// Pause pauses a thing, with its pod unless `with` says {"scope":"container"}.
type Pause struct {
	world   *World
	faults  Faults
	looks   atomic.Int64
	applied atomic.Bool
}

var (
	_ responder.Action   = (*Pause)(nil)
	_ responder.Verifier = (*Pause)(nil)
	_ responder.Keeper   = (*Pause)(nil)
	_ responder.Undoer   = (*Pause)(nil)
)

// Spec describes the action.
func (p *Pause) Spec() schemas.Spec {
	return schemas.Spec{
		Name: Name, Summary: "Pauses a thing of the rehearsal's world", TargetKind: "container", Place: "node",
		Params: json.RawMessage(`{"type":"object","properties":{"scope":{"enum":["pod","container"],"description":"how far it reaches"}},"additionalProperties":false}`),
		Undo:   "sets running what ran before", Verify: "the state of each member",
	}
}

func (p *Pause) enter(ctx context.Context, method, id string) error {
	if method != "half" {
		p.world.mu.Lock()
		p.world.calls[method]++
		p.world.mu.Unlock()
	}
	if p.faults.Before == nil {
		return nil
	}
	return p.faults.Before(ctx, method, id)
}

// Plan notes the states of the members.
func (p *Pause) Plan(ctx context.Context, t schemas.Target, with json.RawMessage) (schemas.Plan, error) {
	if err := p.enter(ctx, "plan", t.ID); err != nil {
		return schemas.Plan{}, err
	}
	var params struct{ Scope string }
	if len(with) > 0 {
		if err := json.Unmarshal(with, &params); err != nil {
			return schemas.Plan{}, fmt.Errorf("parameters: %w: %w", responder.ErrRefused, err)
		}
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.states[t.ID] == "" {
		return schemas.Plan{}, fmt.Errorf("plan a pause of %s: %w", t.ID, responder.ErrGone)
	}
	plan := schemas.Plan{Target: t, With: with, Will: []string{"pause " + t.ID}}
	prior := map[string]string{}
	members := []string{t.ID}
	if params.Scope != "container" {
		members = w.podOf(t.ID)
	}
	for _, id := range members {
		prior[id] = w.states[id]
		plan.Members = append(plan.Members, w.target(id))
		if p.faults.PlanWrites {
			w.states[id] = Paused
		}
	}
	raw, err := json.Marshal(prior)
	plan.Prior = raw
	return plan, err
}

// Apply pauses every member.
func (p *Pause) Apply(ctx context.Context, plan schemas.Plan) (schemas.Effect, error) {
	if err := p.enter(ctx, "apply", plan.Target.ID); err != nil {
		return schemas.Effect{}, err
	}
	w := p.world
	for n, m := range plan.Members {
		w.mu.Lock()
		if w.states[m.ID] == "" && m.ID == plan.Target.ID {
			w.mu.Unlock()
			return schemas.Effect{}, fmt.Errorf("pause %s: %w", m.ID, responder.ErrGone)
		}
		if w.states[m.ID] != "" {
			if w.states[m.ID] == Paused && p.faults.PausesTwice {
				w.states[m.ID] = "paused twice"
			} else {
				w.pause(m.ID)
			}
		}
		if p.faults.WritesOutside {
			w.states["bystander"] = Paused
		}
		w.mu.Unlock()
		if n == 0 {
			if err := p.enter(ctx, "half", plan.Target.ID); err != nil {
				return schemas.Effect{}, err
			}
		}
	}
	p.applied.Store(true)
	return schemas.Effect{Plan: plan}, nil
}

// Verify looks at every member.
func (p *Pause) Verify(ctx context.Context, e schemas.Effect) (schemas.Verdict, error) {
	if err := p.enter(ctx, "verify", e.Plan.Target.ID); err != nil {
		return schemas.Verdict{}, err
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	l := schemas.Layer{Name: "state", State: schemas.Contained}
	for _, m := range e.Plan.Members {
		if s := w.states[m.ID]; s != "" && s != Paused && !p.faults.VerifyLies {
			l = schemas.Layer{Name: "state", State: schemas.Ineffective, Detail: m.ID + " is " + s}
		}
	}
	v := schemas.Verdict{Layers: []schemas.Layer{l}}
	if p.looks.Add(1) <= int64(p.faults.VerifyLater) {
		v.Again = schemas.Duration(1)
	}
	return v, nil
}

// Keep pauses again what runs.
func (p *Pause) Keep(ctx context.Context, e schemas.Effect) (schemas.Effect, bool, error) {
	if err := p.enter(ctx, "keep", e.Plan.Target.ID); err != nil {
		return e, false, err
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	back, there := false, false
	for _, m := range e.Plan.Members {
		s := w.states[m.ID]
		there = there || s != ""
		if s == Running {
			w.pause(m.ID)
			back = true
		}
	}
	if !there {
		return e, false, fmt.Errorf("keep %s paused: %w", e.Plan.Target.ID, responder.ErrGone)
	}
	return e, back, nil
}

// Undo sets running what ran before and is paused now.
func (p *Pause) Undo(ctx context.Context, e schemas.Effect) (string, error) {
	if err := p.enter(ctx, "undo", e.Plan.Target.ID); err != nil {
		return "", err
	}
	if p.faults.UndoNothing || p.faults.ForgetsPrior && !p.applied.Load() {
		return "", nil
	}
	var prior map[string]string
	if err := json.Unmarshal(e.Plan.Prior, &prior); err != nil {
		return "", fmt.Errorf("prior state: %w: %w", responder.ErrPermanent, err)
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	drift := ""
	ids := make([]string, 0, len(prior))
	for id := range prior {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		switch {
		case w.states[id] == "":
			drift = id + " is gone"
		case prior[id] == Running && w.states[id] == Paused, p.faults.UndoRunsAll:
			w.states[id] = Running
			w.undone[id]++
		}
	}
	return drift, nil
}
