package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// Keep halts and pauses again what somebody let run, and the containers that
// have come into the pod since.
func (p *Pause) Keep(ctx context.Context, e schemas.Effect) (schemas.Effect, bool, error) {
	s, err := stateOf(e)
	if err != nil {
		return e, false, err
	}
	facts, err := p.now(ctx, s)
	if err != nil {
		// Without containerd the kernel's half can still be held.
		return e, p.shutAgain(s), err
	}
	slipped, err := p.slipped(facts, s)
	if err != nil || len(slipped) == 0 {
		return came(e, facts, err)
	}
	again := s
	again.Members = slipped
	d, err := p.contain(ctx, again)
	if err != nil {
		if errors.Is(err, responder.ErrGone) {
			return e, false, nil // it ended meanwhile; others are still held
		}
		return e, false, err
	}
	return p.merge(e, s, d)
}

// came takes back what was missing where it is there by now: a pause that
// containerd did not answer in time can still have been carried out.
func came(e schemas.Effect, facts []runtime.Facts, err error) (schemas.Effect, bool, error) {
	if err != nil || e.Missing == "" {
		return e, false, err
	}
	now := time.Now()
	if e.HaltedAt == nil {
		e.HaltedAt = &now
	}
	if e.PausedAt == nil && !slices.ContainsFunc(facts, func(f runtime.Facts) bool { return !f.Sandbox && f.Status != runtime.Paused }) {
		e.PausedAt = &now
	}
	e.Missing = ""
	return e, true, nil
}

// now gives what of the effect's containers runs.
func (p *Pause) now(ctx context.Context, s state) ([]runtime.Facts, error) {
	if len(s.Members) == 0 {
		return nil, fmt.Errorf("%s: %w: no container is held", Name, responder.ErrGone)
	}
	first := s.Members[0]
	if s.Pod == "" {
		f, err := p.runtime.Container(ctx, first.Namespace, first.ID)
		if err != nil {
			return nil, runtimeError(first.ID, err)
		}
		if !alive(f) {
			return nil, fmt.Errorf("%s: container %s: %w: it has ended", Name, first.ID, responder.ErrGone)
		}
		return []runtime.Facts{f}, nil
	}
	all, err := p.pod(ctx, first.Namespace, s.Pod)
	if err != nil {
		return nil, err
	}
	facts := all[:0]
	for _, f := range all {
		if s.Scope == scopePod || f.Name == s.Name && !f.Sandbox {
			facts = append(facts, f)
		}
	}
	if len(facts) == 0 {
		return nil, fmt.Errorf("%s: pod %s: %w: none of its containers runs", Name, s.Pod, responder.ErrGone)
	}
	return facts, nil
}

// slipped are those that are not held as they should be. A member keeps what
// was noted of it before the first halt.
func (p *Pause) slipped(facts []runtime.Facts, s state) ([]Member, error) {
	current, err := p.members(facts, s)
	if err != nil {
		return nil, err
	}
	var out []Member
	for i, m := range current {
		known := false
		for _, old := range s.Members {
			if old.Place == m.Place {
				m, known = old, true
			}
		}
		shut := true
		if m.How != byRuntime {
			if shut, err = p.shut(m); errors.Is(err, halt.ErrGone) {
				continue
			}
		}
		status := statusOf(facts, current[i].ID)
		if !known || !shut || !m.Sandbox && status == runtime.Running {
			out = append(out, m)
		}
	}
	return out, nil
}

// shut says whether our switch is on, and everything at rest.
func (p *Pause) shut(m Member) (bool, error) {
	on, err := p.held(m).SelfFrozen()
	if err != nil || !on {
		return false, err
	}
	return p.frozen(m)
}

func statusOf(facts []runtime.Facts, id string) string {
	for _, f := range facts {
		if f.ID == id {
			return f.Status
		}
	}
	return ""
}

// shutAgain freezes members whose freezer was opened, and says whether there were any.
func (p *Pause) shutAgain(s state) bool {
	put := false
	for _, m := range s.Members {
		if m.How != bySide {
			continue // it needs containerd's help
		}
		if frozen, err := p.held(m).SelfFrozen(); err == nil && !frozen && p.held(m).Freeze() == nil {
			put = true
		}
	}
	return put
}

// merge adds what Keep did to the effect.
func (p *Pause) merge(e schemas.Effect, s state, d done) (schemas.Effect, bool, error) {
	for _, m := range d.members {
		known := false
		for i, old := range s.Members {
			if old.Place == m.Place {
				s.Members[i], known = m, true
			}
		}
		if !known {
			s.Members = append(s.Members, m)
			e.Plan.Members = append(e.Plan.Members[:len(e.Plan.Members):len(e.Plan.Members)], m.target(e.Plan.Target, s))
		}
	}
	var err error
	if e.Data, err = s.raw(); err != nil {
		return e, true, err
	}
	e.Missing = strings.Join(d.missing, "; ")
	if !d.halted.IsZero() {
		e.HaltedAt = &d.halted
	}
	if !d.paused.IsZero() {
		e.PausedAt = &d.paused
	}
	return e, true, nil
}
