package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// version of the form of Plan.Prior and Effect.Data.
const version = 1

// state is the form of Plan.Prior and Effect.Data.
type state struct {
	Scope   string   `json:"scope"`
	Pod     string   `json:"pod,omitempty"`  // UID; "" for a container without one
	Name    string   `json:"name,omitempty"` // the target's name in its pod
	Members []Member `json:"members"`
}

// Member is one container that is halted.
type Member struct {
	halt.Place

	Namespace string      `json:"namespace"` // containerd's
	Name      string      `json:"name,omitempty"`
	Sandbox   bool        `json:"sandbox,omitempty"` // halted, never paused
	How       how         `json:"how"`
	Before    halt.Before `json:"before"`
}

// how a container is halted in front of the runtime's pause; see package halt.
type how string

const (
	bySide    how = "side"    // the freezer that the runtime does not look at
	byParent  how = "parent"  // the pod's freezer
	byStop    how = "stop"    // signals
	byRuntime how = "runtime" // it has no cgroup of its own: the runtime's pause is all
)

func (p *Pause) own(m Member) halt.Cgroup  { return p.host.Own(m.Place) }
func (p *Pause) side(m Member) halt.Cgroup { return p.host.Side(m.Place) }

// held is the cgroup whose switch we turn and that bears our mark.
func (p *Pause) held(m Member) halt.Cgroup {
	if m.How == bySide {
		return p.side(m)
	}
	return p.own(m)
}

// procs lists a member's processes, in whichever of its cgroups they are.
func (p *Pause) procs(m Member) ([]int, error) {
	pids, err := p.own(m).Procs()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Place, err)
	}
	more, err := p.side(m).Procs()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Place, err)
	}
	if slices.Equal(pids, more) {
		more = nil
	}
	pids = append(pids, more...)
	if p.own(m).Zero() && m.Alive() {
		// Whatever shares its cgroup is paused with it.
		at, err := p.host.At(m.PID)
		if err == nil {
			more, err = at.Procs()
		}
		if err != nil && !errors.Is(err, halt.ErrGone) {
			return nil, fmt.Errorf("%s: %w", m.Place, err)
		}
		pids = append(append(pids, more...), m.PID)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// there says whether there is anything left of a member to contain.
func (p *Pause) there(m Member) bool {
	if m.Alive() {
		return true
	}
	pids, err := p.procs(m)
	return err == nil && len(pids) > 0
}

func (s state) raw() (json.RawMessage, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return b, nil
}

// stateOf reads what an effect or its plan holds: Data when Apply came that far.
func stateOf(e schemas.Effect) (state, error) {
	raw := e.Data
	if len(raw) == 0 {
		raw = e.Plan.Prior
	}
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%s: the plan's prior state: %w: %w", Name, responder.ErrPermanent, err)
	}
	return s, nil
}

// target is a member as plans name it.
func (m Member) target(of schemas.Target, s state) schemas.Target {
	t := schemas.Target{Kind: "container", ID: m.ID, Place: of.Place, Name: m.Name}
	if m.ID == of.ID {
		t = of
	}
	c := schemas.Container{ID: m.ID, Name: m.Name, Runtime: "containerd"}
	if t.Container != nil {
		c = *t.Container
	}
	c.Namespace, c.PID, c.Sandbox = m.Namespace, m.PID, m.Sandbox
	if c.Cgroup = m.V1; c.Cgroup == "" {
		c.Cgroup = m.V2
	}
	t.Container = &c
	if t.K8s == nil && s.Pod != "" {
		t.K8s = &schemas.K8s{Pod: &schemas.Pod{UID: s.Pod}}
	}
	return t
}

// label names a member for people.
func (m Member) label() string {
	var b strings.Builder
	b.WriteString("container ")
	if m.Sandbox {
		b.Reset()
		b.WriteString("sandbox ")
	}
	if m.Name != "" && m.Name != m.ID {
		fmt.Fprintf(&b, "%q (%s)", m.Name, m.ID)
	} else {
		b.WriteString(m.ID)
	}
	return b.String()
}

// alive says whether the runtime counts it as something to contain.
func alive(f runtime.Facts) bool { return f.PID > 0 && f.Status != "" && f.Status != runtime.Stopped }
