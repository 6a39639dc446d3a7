package incident

import (
	"time"

	"firebreak/schemas"
)

// View is an incident as people and scripts see it.
type View struct {
	ID       string         `json:"id"`
	Playbook string         `json:"playbook"`
	Severity string         `json:"severity"`
	Opened   time.Time      `json:"opened"`
	State    string         `json:"state"`             // open | closed
	Outcome  string         `json:"outcome,omitempty"` // of a closed one
	Summary  string         `json:"summary,omitempty"`
	Arena    string         `json:"arena,omitempty"`
	Group    string         `json:"group,omitempty"`
	Key      map[string]any `json:"key,omitempty"`
	Mode     string         `json:"mode,omitempty"`
	Recurred int            `json:"recurred,omitempty"`
	Steps    []StepView     `json:"steps"`
}

// StepView is a step with what became of it.
type StepView struct {
	ID      string       `json:"id"`
	Action  string       `json:"action"`
	Targets []TargetView `json:"targets"`
}

// TargetView is a task. Its target's id is "" where the step found none to ask.
type TargetView struct {
	ID       string     `json:"id"`
	State    State      `json:"state"`
	At       time.Time  `json:"at"`
	Error    string     `json:"error"`
	Remedy   string     `json:"remedy,omitempty"`
	Cause    string     `json:"cause,omitempty"`
	Kind     string     `json:"kind,omitempty"`
	Name     string     `json:"name,omitempty"`
	Place    string     `json:"place,omitempty"`
	Held     bool       `json:"held,omitempty"`
	For      string     `json:"for,omitempty"`
	OnExpire string     `json:"onExpire,omitempty"`
	Noticed  *time.Time `json:"noticed,omitempty"`
	Expired  *time.Time `json:"expired,omitempty"`
}

// View of the incident as it stands. Steps of `onFailure` are shown once they
// have begun, all others always.
func (i *Incident) View() View {
	v := View{ID: i.ID, Opened: i.openedAt, State: i.State(), Recurred: i.recurred.count, Steps: []StepView{}}
	byStep := map[string][]*Task{}
	for _, t := range i.Tasks() {
		byStep[t.Step] = append(byStep[t.Step], t)
	}
	if v.State == Closed {
		v.Outcome = i.closed.outcome
	}
	if o := i.opened; o != nil {
		v.Playbook, v.Severity = o.Playbook.Name, o.Playbook.Severity
		v.Summary, v.Arena = o.Playbook.Summary, o.Playbook.Arena
		v.Group, v.Key, v.Mode = o.Group, o.Key, o.Guard.Mode
		v.steps(o.Steps, byStep, false)
	}
	return v
}

func (v *View) steps(steps []schemas.Step, tasks map[string][]*Task, begunOnly bool) {
	for n := range steps {
		s := &steps[n]
		list := tasks[s.ID]
		if s.Do != "" && (len(list) > 0 || !begunOnly) {
			sv := StepView{ID: s.ID, Action: s.Do, Targets: make([]TargetView, 0, len(list))}
			for _, t := range list {
				sv.Targets = append(sv.Targets, t.view())
			}
			v.Steps = append(v.Steps, sv)
		}
		v.steps(s.Parallel, tasks, begunOnly)
		v.steps(s.OnFailure, tasks, true)
	}
}

func (t *Task) view() TargetView {
	o := t.Outcome()
	v := TargetView{
		ID: t.Target.ID, State: t.State(), At: t.At, Error: o.Reason, Remedy: o.Remedy, Cause: o.Cause,
		Kind: t.Target.Kind, Name: t.Target.Name, Place: t.Place, Held: t.held,
		OnExpire: t.Requested.OnExpire, Noticed: at(t.NoticedAt), Expired: at(t.ExpiredAt),
	}
	if t.Requested.For > 0 {
		v.For = t.Requested.For.String()
	}
	return v
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
