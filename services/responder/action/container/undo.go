package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// Undo lets run on what ran before. First containerd resumes each of them,
// which the halt does not let come into effect, then all halts end together.
func (p *Pause) Undo(ctx context.Context, e schemas.Effect) (string, error) {
	s, err := stateOf(e)
	if err != nil {
		return "", err
	}
	members, err := p.marked(ctx, s)
	if err != nil {
		return "", err
	}
	drifts := make([]string, len(members))
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { drifts[i], errs[i] = p.resume(ctx, m) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	for _, m := range members {
		errs = append(errs, p.thaw(m))
	}
	for _, m := range members {
		errs = append(errs, p.thawParent(m, s))
	}
	var said []string
	for _, d := range drifts {
		if d != "" {
			said = append(said, d)
		}
	}
	return strings.Join(said, "; "), errors.Join(errs...)
}

// marked lists what is left of the members, and the containers of the pod that
// were halted later and that this effect does not name.
func (p *Pause) marked(ctx context.Context, s state) ([]Member, error) {
	var out []Member
	known := map[halt.Place]bool{}
	for _, m := range s.Members {
		known[m.Place] = true
		if p.there(m) {
			out = append(out, m)
		}
	}
	if s.Scope != scopePod || s.Pod == "" || len(s.Members) == 0 {
		return out, nil
	}
	facts, err := p.pod(ctx, s.Members[0].Namespace, s.Pod)
	if err != nil {
		return nil, err
	}
	later, err := p.members(facts, s)
	if err != nil && !errors.Is(err, responder.ErrGone) {
		return nil, err
	}
	for _, m := range later {
		if _, ours := p.held(m).Mark(halt.MarkPause); ours && !known[m.Place] {
			out = append(out, m)
		}
	}
	return out, nil
}

// resume has containerd resume a member that ran before and is paused now. What
// somebody else has changed meanwhile is told and left.
func (p *Pause) resume(ctx context.Context, m Member) (drift string, err error) {
	if err := p.goOn(m); err != nil && !errors.Is(err, halt.ErrGone) {
		return "", kernelError(m, err)
	}
	if m.Sandbox {
		return "", nil
	}
	status, err := p.runtime.Status(ctx, m.Namespace, m.ID)
	if errors.Is(err, runtime.ErrGone) || err == nil && (status == runtime.Stopped || status == "") {
		return "", nil
	}
	if err != nil {
		return "", runtimeError(m.ID, err)
	}
	if m.Before.Status == runtime.Paused {
		if status != runtime.Paused {
			drift = m.label() + " was paused before and is not any more: somebody resumed it, and it was left so"
		}
		return drift, nil
	}
	if _, capturing := p.own(m).Mark(halt.MarkCapture); capturing {
		return "", nil // whoever takes evidence resumes it
	}
	_, ours := p.held(m).Mark(halt.MarkPause)
	_, again := p.held(m).Mark(halt.MarkRelease)
	switch {
	case !ours && m.How != byRuntime:
		return "", nil // undone already: a pause that is there now is somebody else's
	case status != runtime.Paused && ours && !again && m.Before.Status == runtime.Running:
		return m.label() + " had been resumed by somebody else already", nil
	case status != runtime.Paused:
		return "", nil
	}
	return "", p.resumeTask(ctx, m)
}

func (p *Pause) resumeTask(ctx context.Context, m Member) error {
	if m.How != byRuntime {
		if err := p.held(m).SetMark(halt.MarkRelease, m.Before); err != nil && !errors.Is(err, halt.ErrGone) {
			return kernelError(m, err)
		}
	}
	err := p.runtime.Resume(ctx, m.Namespace, m.ID)
	if err == nil {
		return nil
	}
	status, e := p.runtime.Status(ctx, m.Namespace, m.ID)
	if errors.Is(e, runtime.ErrGone) || e == nil && status != runtime.Paused {
		return nil
	}
	return fmt.Errorf("%w: it stays halted", runtimeError(m.ID, err))
}

// goOn takes back stop signals that are left of a halt that was interrupted.
// Behind a shut freezer, so that nothing runs before all of it does.
func (p *Pause) goOn(m Member) error {
	if m.How != byStop && m.How != byParent || m.Before.Status == runtime.Paused {
		return nil
	}
	c := p.own(m)
	if _, ours := c.Mark(halt.MarkPause); !ours {
		return nil // undone already: what is stopped now is no work of ours
	}
	_, err := c.Signal(unix.SIGCONT, m.Before.Stopped)
	return err
}

// thaw opens a member's freezer where it was open before, and takes our mark
// away. The runtime's own stays shut while evidence is taken: whoever takes it
// opens it.
func (p *Pause) thaw(m Member) error {
	c := p.held(m)
	if m.How == byRuntime {
		return nil
	}
	_, ours := c.Mark(halt.MarkPause)
	_, capturing := p.own(m).Mark(halt.MarkCapture)
	frozen, err := c.SelfFrozen()
	open := ours && !m.Before.Frozen && (m.How == bySide || !capturing && m.Before.Status != runtime.Paused)
	if err == nil && frozen && open {
		err = c.Thaw()
	}
	if err == nil {
		err = errors.Join(c.ClearMark(halt.MarkPause), c.ClearMark(halt.MarkRelease))
	}
	if err != nil && !errors.Is(err, halt.ErrGone) {
		return kernelError(m, err)
	}
	return nil
}

// thawParent opens the pod's freezer, which only an interrupted halt leaves shut.
func (p *Pause) thawParent(m Member, s state) error {
	parent := p.host.Parent(m.Place, s.Pod)
	if _, ours := parent.Mark(halt.MarkPause); !ours {
		return nil
	}
	if err := errors.Join(parent.Thaw(), parent.ClearMark(halt.MarkPause)); err != nil && !errors.Is(err, halt.ErrGone) {
		return kernelError(m, err)
	}
	return nil
}
