package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
)

// Limits of waiting. What is not reached is told, never assumed.
const (
	patience = 25 * time.Millisecond // for a freezer, before other means are tried
	rest     = 3 * time.Second       // for all processes to come to rest
	answer   = 10 * time.Second      // for containerd to pause one task
)

// Apply turns the kernel's switches of all members at once, and has each paused
// as soon as it is at rest.
func (p *Pause) Apply(ctx context.Context, plan schemas.Plan) (schemas.Effect, error) {
	e := schemas.Effect{Version: version, Plan: plan}
	s, err := stateOf(e)
	if err != nil {
		return e, err
	}
	done, err := p.contain(ctx, s)
	if err != nil {
		return e, err
	}
	p.searches.keep(plan.Holder, done.search)
	s.Members = done.members
	if e.Data, err = s.raw(); err != nil {
		return e, err
	}
	if !done.halted.IsZero() {
		e.HaltedAt = &done.halted
	}
	if !done.paused.IsZero() {
		e.PausedAt = &done.paused
	}
	e.Missing = strings.Join(done.missing, "; ")
	return e, nil
}

// done is what came of containing.
type done struct {
	members []Member  // those that were there
	halted  time.Time // zero when something may still run
	paused  time.Time // zero when containerd does not call all of them paused
	missing []string
	search  *search // for strays, begun when all was halted; nil when it was not
}

// attempt is the work on one member. Its fields but m belong to the goroutine
// that works on it until that has been waited for.
type attempt struct {
	m        Member
	halted   time.Time
	paused   time.Time
	gone     bool
	haltErr  error
	pauseErr error

	rested sync.WaitGroup // until its halt has been waited for
	ahead  bool           // it was halted by then; to be read behind rested
}

// contain halts and pauses members. It starts from what it finds, so that it
// can be carried out again after a crash at any point.
func (p *Pause) contain(ctx context.Context, s state) (done, error) {
	var work []*attempt
	for _, m := range s.Members {
		if p.there(m) {
			a := &attempt{m: m}
			a.rested.Add(1)
			work = append(work, a)
		}
	}
	if len(work) == 0 {
		return done{}, fmt.Errorf("%s: %w: all its processes have ended", Name, responder.ErrGone)
	}
	if err := p.refuse(membersOf(work)); err != nil {
		return done{}, err
	}
	parent := p.startHalts(work, s)
	parent = p.awaitParent(ctx, work, parent)
	var wg sync.WaitGroup
	for _, a := range work {
		wg.Go(func() { p.second(ctx, a) })
	}
	found := searchHalted(work)
	wg.Wait()
	p.settle(work, parent)
	d, err := p.sum(work)
	if d.search = <-found; d.search != nil {
		d.search.paused = map[string]bool{}
		for _, a := range work {
			d.search.paused[a.m.ID] = !a.paused.IsZero()
		}
	}
	return d, err
}

func membersOf(work []*attempt) []Member {
	out := make([]Member, len(work))
	for i, a := range work {
		out[i] = a.m
	}
	return out
}

// startHalts turns every switch that halts by itself. Nothing is waited for
// here, so that all members stop at once. It gives the pod's cgroup where that
// was frozen.
func (p *Pause) startHalts(work []*attempt, s state) halt.Cgroup {
	var parent halt.Cgroup
	for _, a := range work {
		p.mark(a)
		switch a.m.How {
		case bySide:
			if err := p.side(a.m).Freeze(); err != nil {
				p.log.Debug("halt: fall back to signals", "container", a.m.ID, "err", err)
				a.m.How = byStop
				p.mark(a)
			}
		case byParent:
			parent = p.freezeParent(a, parent, s)
		}
	}
	return parent
}

// freezeParent freezes the pod's cgroup once, when all its children are still
// members; otherwise the member is halted by signals.
func (p *Pause) freezeParent(a *attempt, frozen halt.Cgroup, s state) halt.Cgroup {
	parent := p.host.Parent(a.m.Place, s.Pod)
	if !frozen.Zero() && frozen == parent {
		return frozen
	}
	all := make([]string, len(s.Members))
	for i, m := range s.Members {
		all[i] = m.ID
	}
	if parent.Zero() || len(strangers(parent, all)) > 0 || !frozen.Zero() {
		a.m.How = byStop
		return frozen
	}
	if err := errors.Join(parent.SetMark(halt.MarkPause, a.m.Before), parent.Freeze()); err != nil {
		p.log.Debug("halt: fall back to signals", "container", a.m.ID, "err", err)
		a.m.How = byStop
		return frozen
	}
	return parent
}

// mark writes down for whom a member is halted, before it is. What bears no
// mark could not be let go after a crash, so there the runtime's pause must do.
func (p *Pause) mark(a *attempt) {
	if a.m.How == byRuntime {
		return
	}
	if err := p.held(a.m).SetMark(halt.MarkPause, a.m.Before); err != nil {
		p.log.Warn("halt: the cgroup takes no mark", "container", a.m.ID, "err", err)
		a.m.How = byRuntime
	}
}

// awaitParent waits until the pod's freezer has all members at rest. A process
// with many threads that is just executing another program keeps a v1 freezer
// waiting for ever, and the runtime's too: then it is opened again, and they
// are halted by signals.
func (p *Pause) awaitParent(ctx context.Context, work []*attempt, parent halt.Cgroup) halt.Cgroup {
	if parent.Zero() {
		return parent
	}
	frozen, err := parent.AwaitFrozen(ctx, patience)
	if err == nil && frozen {
		now := time.Now()
		for _, a := range work {
			if a.m.How == byParent {
				a.halted, a.ahead = now, true
			}
		}
		return parent
	}
	p.log.Debug("halt: fall back to signals", "cgroup", parent.Path, "err", err)
	if err := errors.Join(parent.Thaw(), parent.ClearMark(halt.MarkPause)); err != nil {
		p.log.Warn("halt: the pod's cgroup stays frozen", "cgroup", parent.Path, "err", err)
	}
	for _, a := range work {
		if a.m.How == byParent {
			a.m.How = byStop
		}
	}
	return halt.Cgroup{}
}

// awaitHalt waits until a frozen member has come to rest.
func (p *Pause) awaitHalt(ctx context.Context, a *attempt, limit time.Duration) {
	frozen, err := halt.Await(ctx, limit, func() (bool, error) { return p.frozen(a.m) })
	switch {
	case frozen:
		a.halted, a.haltErr = time.Now(), nil
	case err == nil:
		a.haltErr = errRestless
	case errors.Is(err, halt.ErrGone):
		a.gone = true
	default:
		a.haltErr = err
	}
}

// frozen says whether nothing in a member can run. Either freezer is enough,
// and where both are at work the one that comes second never says so: what one
// has frozen does not come to the other.
func (p *Pause) frozen(m Member) (bool, error) {
	if frozen, err := p.own(m).Frozen(); frozen || err != nil || m.How != bySide {
		return frozen, err
	}
	return p.side(m).Frozen()
}

var errRestless = errors.New("not everything in it came to rest in time")

// settle leaves every halt at its member's own cgroup and opens the pod's: a
// container that starts there meanwhile must not hang in its creation.
func (p *Pause) settle(work []*attempt, parent halt.Cgroup) {
	if parent.Zero() {
		return
	}
	for _, a := range work {
		if a.m.How == byParent && a.paused.IsZero() && !a.gone {
			if err := p.own(a.m).Freeze(); err != nil && !errors.Is(err, halt.ErrGone) {
				a.haltErr = err
			}
		}
	}
	if slices.ContainsFunc(work, func(a *attempt) bool { return a.haltErr != nil }) {
		return // the pod's freezer holds what the member's own does not; Undo opens it
	}
	if err := errors.Join(parent.Thaw(), parent.ClearMark(halt.MarkPause)); err != nil {
		p.log.Warn("halt: the pod's cgroup stays frozen", "cgroup", parent.Path, "err", err)
	}
}

// sum puts the members' outcomes together.
func (p *Pause) sum(work []*attempt) (done, error) {
	var d done
	var errs []error
	halted, paused := true, true
	for _, a := range work {
		if a.gone {
			continue
		}
		d.members = append(d.members, a.m)
		if !a.paused.IsZero() && a.halted.IsZero() {
			a.halted, a.haltErr = a.paused, nil // the runtime's own freezer was the quicker one
		}
		if a.halted.IsZero() {
			halted = false
		} else if a.halted.After(d.halted) {
			d.halted = a.halted
		}
		if a.haltErr != nil {
			d.missing = append(d.missing, fmt.Sprintf("%s was not halted: %v", a.m.label(), a.haltErr))
		}
		if a.m.Sandbox {
			continue
		}
		if a.paused.IsZero() {
			paused = false
		} else if a.paused.After(d.paused) {
			d.paused = a.paused
		}
		if a.pauseErr != nil {
			d.missing = append(d.missing, fmt.Sprintf("containerd did not pause %s: %v", a.m.label(), a.pauseErr))
		}
		errs = append(errs, a.pauseErr)
	}
	if len(d.members) == 0 {
		return d, fmt.Errorf("%s: %w: all its processes ended meanwhile", Name, responder.ErrGone)
	}
	if !halted {
		d.halted = time.Time{}
	}
	if !paused {
		d.paused = time.Time{}
	}
	if err := errors.Join(errs...); d.halted.IsZero() && d.paused.IsZero() && err != nil {
		return d, fmt.Errorf("%s: neither halted nor paused: %w: %w", Name, responder.ErrTransient, err)
	}
	return d, nil
}
