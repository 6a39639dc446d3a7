package trial

import (
	"encoding/json"
	"slices"
	"strings"

	"firebreak/services/incident"
	"firebreak/services/workshop/testfile"
)

// Happened is an incident as a case brought it about.
type Happened struct {
	ID       string         `json:"id"`
	Group    string         `json:"group"`
	At       string         `json:"at"` // from the beginning of the test on
	Severity string         `json:"severity"`
	Recurred int            `json:"recurred,omitempty"`
	Outcome  string         `json:"outcome"`
	Steps    []StepHappened `json:"steps"`
	file     *file          // for the judge
	key      map[string]any // the fields of `by`
	taken    bool           // an expectation has found it
}

// StepHappened is a step in one round, with all its targets.
type StepHappened struct {
	ID      string           `json:"id"`
	Do      string           `json:"do"`
	Round   int              `json:"round,omitempty"`
	Ran     bool             `json:"ran"` // its place was asked
	Targets []TargetHappened `json:"targets"`
}

// TargetHappened is a step on one target.
type TargetHappened struct {
	ID     string          `json:"id,omitempty"`
	State  string          `json:"state"`
	Cause  string          `json:"cause,omitempty"`
	Reason string          `json:"reason,omitempty"`
	With   json.RawMessage `json:"with,omitempty"`
}

func (w *world) happened(f *file) Happened {
	o := f.inc.Opened()
	n, _ := f.inc.Recurred()
	h := Happened{
		ID: f.inc.ID, Group: o.Group, At: offset(o.Trigger.Time), Severity: o.Playbook.Severity,
		Recurred: n, Outcome: f.inc.Verdict(), Steps: []StepHappened{}, file: f, key: o.Key,
	}
	for _, t := range f.inc.Tasks() {
		last := len(h.Steps) - 1
		if last < 0 || h.Steps[last].ID != t.Step || h.Steps[last].Round != t.Round {
			h.Steps = append(h.Steps, StepHappened{ID: t.Step, Do: t.Action, Round: t.Round})
			last++
		}
		s := &h.Steps[last]
		s.Ran = s.Ran || t.Place != ""
		out := t.Outcome()
		s.Targets = append(s.Targets, TargetHappened{
			ID: targetOf(t), State: string(t.State()), Cause: out.Cause, Reason: out.Reason, With: t.Requested.With,
		})
	}
	return h
}

// targetOf names what a step acted on; nothing where that is the incident itself.
func targetOf(t *incident.Task) string {
	if t.Target.Kind == incident.KindIncident {
		return ""
	}
	return t.Target.ID
}

// is says whether a state that a test speaks of is one that the task has
// reached: what was enforced and let go when its time was over was enforced.
func is(t *incident.Task, state string) bool {
	return string(t.State()) == state || string(t.Reached()) == state
}

// named says whether the step is the one that a test speaks of.
func (s StepHappened) named(n testfile.Name) bool { return s.ID == n.Text || s.Do == n.Text }

// String is the step as a list of steps shows it.
func (s StepHappened) String() string {
	states := []string{}
	for _, t := range s.Targets {
		if !slices.Contains(states, t.State) {
			states = append(states, t.State)
		}
	}
	name := s.Do
	if s.ID != s.Do {
		name = s.ID + " (" + s.Do + ")"
	}
	return name + " " + strings.Join(states, "/")
}
