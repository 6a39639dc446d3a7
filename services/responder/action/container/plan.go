package container

import (
	"context"
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

// Plan finds the container by its id, widens it to its pod, refuses what must
// not be halted, and notes what each member was before.
func (p *Pause) Plan(ctx context.Context, t schemas.Target, with json.RawMessage) (schemas.Plan, error) {
	scope, err := scopeOf(with)
	if err != nil {
		return schemas.Plan{}, err
	}
	if t.Kind != "container" || t.ID == "" {
		return schemas.Plan{}, fmt.Errorf("%s: target %s %q: %w: want a container's id", Name, t.Kind, t.ID, responder.ErrRefused)
	}
	s := state{Scope: scope}
	facts, err := p.resolve(ctx, t, scope)
	if err != nil {
		return schemas.Plan{}, err
	}
	at := slices.IndexFunc(facts, func(f runtime.Facts) bool { return f.ID == t.ID })
	if at < 0 {
		return schemas.Plan{}, fmt.Errorf("%s: container %s: %w: it has ended", Name, t.ID, responder.ErrGone)
	}
	s.Pod, s.Name = facts[at].PodUID, facts[at].Name
	if s.Members, err = p.members(facts, s); err != nil {
		return schemas.Plan{}, err
	}
	if err := p.refuse(s.Members); err != nil {
		return schemas.Plan{}, err
	}
	prior, err := s.raw()
	if err != nil {
		return schemas.Plan{}, err
	}
	plan := schemas.Plan{Version: version, Action: Name, Target: t, With: with, Prior: prior, Will: p.will(s)}
	for _, m := range s.Members {
		plan.Members = append(plan.Members, m.target(t, s))
		if m.ID == t.ID {
			plan.Target = plan.Members[len(plan.Members)-1]
		}
	}
	return plan, nil
}

// resolve gives the facts of the target, and with scope pod of its pod's other
// containers, as far as they run.
func (p *Pause) resolve(ctx context.Context, t schemas.Target, scope string) ([]runtime.Facts, error) {
	namespace := ""
	if t.Container != nil {
		namespace = t.Container.Namespace
	}
	if facts, ok := p.remembered(namespace, t.ID, scope); ok {
		return facts, nil
	}
	if facts, ok := p.hinted(ctx, t, namespace, scope); ok {
		return facts, nil
	}
	f, err := p.runtime.Container(ctx, namespace, t.ID)
	if err != nil {
		return nil, runtimeError(t.ID, err)
	}
	if !alive(f) {
		return nil, fmt.Errorf("%s: container %s: %w: it has ended", Name, t.ID, responder.ErrGone)
	}
	if scope == scopeContainer || f.PodUID == "" {
		return []runtime.Facts{f}, nil
	}
	return p.pod(ctx, f.Namespace, f.PodUID)
}

// hinted saves one turn to containerd where the target says which pod it
// belongs to: the pod's containers are asked for at once, and the target must
// be one of them.
func (p *Pause) hinted(ctx context.Context, t schemas.Target, namespace, scope string) ([]runtime.Facts, bool) {
	if scope != scopePod || namespace == "" || t.K8s == nil || t.K8s.Pod == nil || t.K8s.Pod.UID == "" {
		return nil, false
	}
	facts, err := p.pod(ctx, namespace, t.K8s.Pod.UID)
	return facts, err == nil && slices.Contains(ids(facts), t.ID)
}

func (p *Pause) pod(ctx context.Context, namespace, uid string) ([]runtime.Facts, error) {
	all, err := p.runtime.Pod(ctx, namespace, uid)
	if err != nil {
		return nil, runtimeError("of pod "+uid, err)
	}
	out := all[:0]
	for _, f := range all {
		if alive(f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// remembered gives what Known says, where the kernel confirms it: each process
// is in a cgroup with its container's id, and the pod's cgroup has no child
// with processes that Known does not know.
func (p *Pause) remembered(namespace, id, scope string) ([]runtime.Facts, bool) {
	if p.known == nil {
		return nil, false
	}
	f, ok := p.known.Container(id)
	if !ok || !alive(f) || namespace != "" && f.Namespace != namespace {
		return nil, false // another one of that id is known, this one not yet
	}
	facts := []runtime.Facts{f}
	if scope == scopePod && f.PodUID != "" {
		other := func(o runtime.Facts) bool { return o.Namespace != f.Namespace }
		facts = slices.DeleteFunc(p.known.Pod(f.PodUID), other)
	}
	found := false
	var parent halt.Cgroup
	for i := range facts {
		at, err := p.host.Locate(facts[i].PID, facts[i].ID)
		if err != nil || p.host.Own(at).Zero() {
			return nil, false
		}
		if facts[i].Status, err = p.status(at); err != nil {
			return nil, false
		}
		if facts[i].ID == id {
			found, parent = true, p.host.Parent(at, f.PodUID)
		}
	}
	if !found || scope == scopePod && f.PodUID != "" && (parent.Zero() || len(strangers(parent, ids(facts))) > 0) {
		return nil, false
	}
	return facts, true
}

// status is what the kernel lets us say of a task's status.
func (p *Pause) status(at halt.Place) (string, error) {
	s, err := halt.ReadStat(at.PID)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(s.Comm, "runc:[") {
		return runtime.Created, nil
	}
	frozen, err := p.host.Own(at).SelfFrozen()
	if frozen {
		return runtime.Paused, err
	}
	return runtime.Running, err
}

func ids(facts []runtime.Facts) []string {
	out := make([]string, len(facts))
	for i := range facts {
		out[i] = facts[i].ID
	}
	return out
}

// strangers lists the children of a pod's cgroup that hold processes and bear
// none of the ids.
func strangers(parent halt.Cgroup, ids []string) []string {
	children, err := parent.Children()
	if err != nil {
		return []string{parent.Path}
	}
	var out []string
next:
	for _, name := range children {
		for _, id := range ids {
			if strings.Contains(name, id) {
				continue next
			}
		}
		if pids, err := parent.Child(name).Procs(); err != nil || len(pids) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// members makes members of facts: where each is, how it can be halted, and
// what it is before.
func (p *Pause) members(facts []runtime.Facts, s state) ([]Member, error) {
	var out []Member
	for _, f := range facts {
		at, err := p.host.Locate(f.PID, f.ID)
		if errors.Is(err, halt.ErrGone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: container %s: %w: %w", Name, f.ID, responder.ErrTransient, err)
		}
		out = append(out, Member{Place: at, Namespace: f.Namespace, Name: f.Name, Sandbox: f.Sandbox, Before: halt.Before{Status: f.Status}})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w: its processes have ended", Name, responder.ErrGone)
	}
	p.chooseHow(out, s)
	for i := range out {
		if err := p.before(&out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// chooseHow chooses the quickest way of halting that is sure for each member.
func (p *Pause) chooseHow(members []Member, s state) {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.ID
	}
	for i := range members {
		m := &members[i]
		parent := p.host.Parent(m.Place, s.Pod)
		switch {
		case p.own(*m).Zero():
			m.How = byRuntime
		case p.side(*m).Exists():
			m.How = bySide
		case s.Scope == scopePod && !parent.Zero() && len(strangers(parent, all)) == 0:
			m.How = byParent
		default:
			m.How = byStop
		}
	}
}

// before notes what a member is now. What we did to it ourselves, for another
// holder or while taking evidence, does not count: the mark says what was.
func (p *Pause) before(m *Member) error {
	c := p.held(*m)
	if was, ok := c.Mark(halt.MarkPause); ok {
		m.Before = was
		return nil
	}
	if m.How == byRuntime {
		return nil
	}
	frozen, err := c.SelfFrozen()
	if err != nil {
		return kernelError(*m, err)
	}
	m.Before.Frozen = frozen
	if was, ok := p.own(*m).Mark(halt.MarkCapture); ok {
		m.Before.Status = was.Status
		if m.How != bySide {
			m.Before.Frozen = was.Frozen
		}
	}
	if m.How != bySide {
		if m.Before.Stopped, err = c.Stopped(); err != nil {
			return kernelError(*m, err)
		}
	}
	return nil
}

// refuse says no to members that hold what must go on.
func (p *Pause) refuse(members []Member) error {
	for _, m := range members {
		pids, err := p.procs(m)
		if err != nil {
			return kernelError(m, err)
		}
		if reason := p.guard.Find(m.PID, pids); reason != "" {
			err := fmt.Errorf("%s: %s: %w: %s", Name, m.label(), responder.ErrRefused, reason)
			return responder.WithRemedy(err, "contain it by other means, such as the network, or stop it by hand")
		}
	}
	return nil
}
