package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// Verify looks at three layers: what containerd says, what the kernel lets run,
// and whether something got away.
func (p *Pause) Verify(ctx context.Context, e schemas.Effect) (schemas.Verdict, error) {
	s, err := stateOf(e)
	if err != nil {
		return schemas.Verdict{}, err
	}
	var members []Member
	for _, m := range s.Members {
		if p.there(m) {
			members = append(members, m)
		}
	}
	if len(members) == 0 {
		return schemas.Verdict{}, fmt.Errorf("%s: %w: all its processes have ended", Name, responder.ErrGone)
	}
	var told schemas.Layer
	var search search
	var wg sync.WaitGroup
	ahead := p.searches.take(e.Plan.Holder)
	wg.Go(func() { told = p.verifyRuntime(ctx, members, ahead) })
	if ahead != nil {
		search = *ahead
	} else {
		wg.Go(func() { search = searchStrays(members) })
	}
	kernel, held := p.verifyKernel(members, s)
	wg.Wait()
	return schemas.Verdict{Layers: []schemas.Layer{told, kernel, p.verifyStrays(members, held, search)}}, nil
}

// finding collects what is wrong in a layer; the worst state counts.
type finding struct {
	state   string
	details []string
}

func (f *finding) add(state, format string, args ...any) {
	rank := map[string]int{schemas.Contained: 0, schemas.Unverified: 1, schemas.Partial: 2, schemas.Ineffective: 3}
	if rank[state] > rank[f.state] {
		f.state = state
	}
	f.details = append(f.details, fmt.Sprintf(format, args...))
}

func (f *finding) layer(name, good string) schemas.Layer {
	l := schemas.Layer{Name: name, State: f.state, Detail: strings.Join(f.details, "; ")}
	if l.State == "" {
		l.State = schemas.Contained
	}
	if l.Detail == "" {
		l.Detail = good
	}
	return l
}

// verifyRuntime looks what containerd says of each member.
func (p *Pause) verifyRuntime(ctx context.Context, members []Member, ahead *search) schemas.Layer {
	status := make([]string, len(members))
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		if !m.Sandbox {
			wg.Go(func() { status[i], errs[i] = p.told(ctx, m, ahead) })
		}
	}
	wg.Wait()
	var f finding
	n := 0
	for i, m := range members {
		switch {
		case m.Sandbox, status[i] == runtime.Paused:
			n++
		case errors.Is(errs[i], runtime.ErrGone), errs[i] == nil && status[i] == runtime.Stopped:
			f.add(schemas.Partial, "containerd says that %s has ended, but processes of it are left", m.label())
		case errs[i] != nil:
			f.add(schemas.Unverified, "%s: %v", m.label(), errs[i])
		default:
			f.add(schemas.Partial, "containerd says %q of %s", status[i], m.label())
		}
	}
	return f.layer("runtime", fmt.Sprintf("paused: all %d", n))
}

// told gives what containerd says of a member: what it answered to the pause
// that has just been made, if the runtime's own freezer bears that out, or else
// what it answers now.
func (p *Pause) told(ctx context.Context, m Member, ahead *search) (string, error) {
	if ahead != nil && ahead.paused[m.ID] {
		if frozen, err := p.own(m).SelfFrozen(); err == nil && frozen {
			return runtime.Paused, nil
		}
	}
	return p.runtime.Status(ctx, m.Namespace, m.ID)
}

// verifyKernel looks whether the freezers are shut and whether any process
// behind them has run between two looks. It gives the processes that are held.
func (p *Pause) verifyKernel(members []Member, s state) (schemas.Layer, map[int]bool) {
	var f finding
	held := map[int]bool{}
	first := map[int]halt.Activity{}
	shut := 0
	for _, m := range members {
		closed := false
		own := p.own(m)
		if own.Zero() {
			var err error
			if own, err = p.host.At(m.PID); err != nil {
				f.add(schemas.Unverified, "%s: %v", m.label(), err)
			}
		}
		for _, c := range []halt.Cgroup{own, p.side(m)} {
			if frozen, err := c.Frozen(); err != nil || !frozen {
				continue
			}
			pids, err := c.Procs()
			if err != nil {
				f.add(schemas.Unverified, "%s: %v", m.label(), err)
				continue
			}
			closed = true
			p.look(pids, held, first)
		}
		if !closed {
			f.add(schemas.Ineffective, "no freezer of %s is shut", m.label())
			continue
		}
		shut++
	}
	if shut > 0 && shut < len(members) {
		f.state = schemas.Partial
	}
	p.lookAgain(&f, first)
	p.verifyPod(&f, members, s)
	return f.layer("kernel", fmt.Sprintf("frozen: %d containers with %d processes", shut, len(held))), held
}

// look notes what each process has used so far.
func (p *Pause) look(pids []int, held map[int]bool, seen map[int]halt.Activity) {
	for _, pid := range pids {
		if held[pid] {
			continue
		}
		held[pid] = true
		if a, err := halt.ReadActivity(pid); err == nil {
			seen[pid] = a
		}
	}
}

// looks is how often a process is looked at that seems to run. A signal, or a
// thread that dies, wakes a frozen one for a moment within the kernel; what
// really runs is found again and again.
const looks = 4

func (p *Pause) lookAgain(f *finding, seen map[int]halt.Activity) {
	for n := range looks {
		moved := map[int]halt.Activity{}
		for pid, before := range seen {
			now, err := halt.ReadActivity(pid)
			if err == nil && (now.State == 'R' || now != before) { // an error: it ended, as SIGKILL works in a freezer
				moved[pid] = now
			}
		}
		if seen = moved; len(seen) == 0 {
			return
		}
		time.Sleep(time.Duration(n) * time.Millisecond)
	}
	for pid := range seen {
		f.add(schemas.Partial, "pid %d runs though its freezer is shut", pid)
	}
}

// verifyPod looks for containers of the pod that are no members: they came later.
func (p *Pause) verifyPod(f *finding, members []Member, s state) {
	if s.Scope != scopePod || s.Pod == "" {
		return
	}
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.ID
	}
	for _, m := range members {
		parent := p.host.Parent(m.Place, s.Pod)
		if parent.Zero() {
			continue
		}
		for _, name := range strangers(parent, all) {
			f.add(schemas.Partial, "in the pod's cgroup %s runs something that is not held", name)
		}
		return
	}
	f.add(schemas.Unverified, "the pod's cgroup cannot be told from others: containers that came later are not seen")
}

// verifyStrays looks for processes of the members that no shut freezer holds.
func (p *Pause) verifyStrays(members []Member, held map[int]bool, found search) schemas.Layer {
	f := found.finding
	seen := map[int]bool{}
	for _, m := range members {
		pids, err := p.procs(m)
		if err != nil {
			f.add(schemas.Unverified, "%s: %v", m.label(), err)
		}
		for _, pid := range pids {
			if !held[pid] && !seen[pid] && living(pid) {
				seen[pid] = true
				f.add(schemas.Partial, "pid %d of %s is in no shut freezer", pid, m.label())
			}
		}
	}
	for _, pid := range found.pids {
		if !held[pid] && !seen[pid] && living(pid) {
			f.add(schemas.Partial, "pid %d shares the container's namespaces and is in no shut freezer", pid)
		}
	}
	return f.layer("strays", "none")
}

func living(pid int) bool {
	s, err := halt.ReadStat(pid)
	return err == nil && !s.Dead()
}
