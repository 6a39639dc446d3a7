package replay

import (
	"encoding/json"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/incident"
)

// Step is what one step would do.
type Step struct {
	ID      string   `json:"id"`
	Do      string   `json:"do"`
	Targets []Target `json:"targets"`
}

// Target is a step on one target.
type Target struct {
	Kind   string          `json:"kind,omitempty"`
	ID     string          `json:"id,omitempty"`
	Would  string          `json:"would"` // act | plan | skip | refuse | fail
	Cause  string          `json:"cause,omitempty"`
	Reason string          `json:"reason,omitempty"` // why not
	With   json.RawMessage `json:"with,omitempty"`
}

// What a step would do to a target.
const (
	Act    = "act"    // carry it out
	Plan   = "plan"   // plan it, and stop there: mode observe
	Skip   = "skip"   // not ask for it
	Refuse = "refuse" // by the guard
	Fail   = "fail"   // its parameters cannot be had
)

// mostSpent is how many incidents pass between two looks at what the budget
// need not remember any more.
const mostSpent = 4096

// would decides the steps of an incident as the conductor does, where all goes
// well and the inventory knows nothing.
func (r *Run) would(t telling) ([]Step, error) {
	now := t.stored
	if now.IsZero() {
		now = t.opened.Opened.Trigger.Time
	}
	if r.decided++; r.decided%mostSpent == 0 {
		r.budget.Forget(now)
	}
	w := trail{run: r, inc: incident.New(t.opened.Incident), now: now, asked: map[incident.Key]bool{}}
	if err := w.store(schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, t.opened.Opened); err != nil {
		return nil, err
	}
	for {
		next := w.inc.Next(func(k incident.Key) bool { return w.asked[k] })
		if len(next.Asks) == 0 {
			return w.steps(), nil
		}
		for _, ask := range next.Asks {
			if err := w.ask(ask); err != nil {
				return nil, err
			}
		}
	}
}

// trail is the way of one incident through its steps.
type trail struct {
	run   *Run
	inc   *incident.Incident
	now   time.Time
	asked map[incident.Key]bool
	seq   uint64
}

func (w *trail) store(task, place string, kind schemas.Kind, data any) error {
	rec, err := schemas.NewRecord(w.inc.ID, task, place, kind, 0, w.now, data)
	if err == nil {
		w.seq++
		rec.Seq, rec.Stored = w.seq, w.now
		err = w.inc.Apply(rec)
	}
	if err != nil {
		return fmt.Errorf("incident %s: %w", w.inc.ID, err)
	}
	return nil
}

func (w *trail) ask(ask incident.Ask) error {
	s := decide.Situation{Incident: w.inc, Budget: w.run.budget, Inventory: w.run.empty, Now: w.now}
	for _, t := range w.run.decider.Step(s, ask) {
		if err := w.store(t.ID, t.Place, t.Kind, t.Data()); err != nil {
			return err
		}
		if t.Requested != nil {
			if err := w.answer(t); err != nil {
				return err
			}
		}
	}
	w.asked[incident.Key{Round: ask.Round, Step: ask.Step.ID}] = true
	return nil
}

// answer stores what a place would.
func (w *trail) answer(t decide.Task) error {
	req := t.Requested
	plan := schemas.Plan{Version: 1, Action: req.Action, Target: req.Target, With: req.With, PlannedAt: w.now}
	if req.Mode == incident.ModeObserve {
		return w.store(t.ID, t.Place, schemas.KindObserved, plan)
	}
	if err := w.store(t.ID, t.Place, schemas.KindPlanned, plan); err != nil {
		return err
	}
	if err := w.store(t.ID, t.Place, schemas.KindApplied, schemas.Effect{Version: 1, Plan: plan}); err != nil || req.NoVerify {
		return err
	}
	return w.store(t.ID, t.Place, schemas.KindEnforced, schemas.Verdict{Layers: []schemas.Layer{{Name: req.Action, State: schemas.Contained}}})
}

func (w *trail) steps() []Step {
	out := []Step{}
	for _, t := range w.inc.Tasks() {
		last := len(out) - 1
		if last < 0 || out[last].ID != t.Step {
			out = append(out, Step{ID: t.Step, Do: t.Action})
			last++
		}
		why := t.Outcome()
		to := Target{Would: Act, Cause: why.Cause, Reason: why.Reason, With: t.Requested.With}
		if t.Target.Kind != incident.KindIncident {
			to.Kind, to.ID = t.Target.Kind, t.Target.ID
		}
		switch t.State() {
		case incident.Observed:
			to.Would = Plan
		case incident.Skipped:
			to.Would = Skip
		case incident.Refused:
			to.Would = Refuse
		case incident.Failed:
			to.Would = Fail
		}
		out[last].Targets = append(out[last].Targets, to)
	}
	return out
}
