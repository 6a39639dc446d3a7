package container

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// second is the second half for one member, and the first too where it is
// halted by signals or by the runtime itself.
func (p *Pause) second(ctx context.Context, a *attempt) {
	if a.m.How != bySide {
		a.rested.Done() // the pod's freezer has been waited for, or nothing halts it ahead of its pause
	}
	switch {
	case a.m.How == bySide:
		p.pauseBySide(ctx, a)
	case a.m.Sandbox && a.m.How == byParent:
		return // settle moves the halt to its own freezer
	case a.m.Sandbox:
		p.haltSandbox(ctx, a)
	case a.m.How == byStop:
		p.pauseByStop(ctx, a)
	default:
		a.paused, a.gone, a.pauseErr = p.pauseTask(ctx, a.m)
		if a.m.How == byRuntime {
			a.halted = a.paused
		}
	}
}

// pauseBySide pauses while the freezer beside the runtime's comes to its end.
// That one must be the first: in the v2 freezer threads can still die, so that
// a process which is just executing another program comes to rest; the
// runtime's v1 freezer would keep its threads from dying and wait for ever. It
// is the first, by all that the runtime needs to start; and where it is not,
// the runtime gives up, and is asked again when all has come to rest.
func (p *Pause) pauseBySide(ctx context.Context, a *attempt) {
	var pausing sync.WaitGroup
	var paused time.Time
	var gone bool
	var err error
	if !a.m.Sandbox {
		pausing.Go(func() { paused, gone, err = p.pauseTask(ctx, a.m) })
	}
	p.awaitHalt(ctx, a, patience)
	a.ahead = !a.halted.IsZero()
	a.rested.Done()
	if a.m.Sandbox {
		if a.halted.IsZero() && !a.gone {
			p.awaitHalt(ctx, a, rest)
		}
		return
	}
	pausing.Wait()
	a.paused, a.gone, a.pauseErr = paused, gone, err
	if !a.paused.IsZero() || a.gone {
		return
	}
	// The runtime may have looked while a thread was taking its process over by
	// executing a program: the first thread is a zombie then, and the container
	// for the runtime not running. At rest that is over.
	if a.halted.IsZero() {
		p.awaitHalt(ctx, a, rest)
	}
	if !a.halted.IsZero() {
		a.paused, a.gone, a.pauseErr = p.pauseTask(ctx, a.m)
	}
}

// haltSandbox uses the sandbox's own freezer: no pause comes after it.
func (p *Pause) haltSandbox(ctx context.Context, a *attempt) {
	if a.m.How == byRuntime {
		a.haltErr = errNoCgroup
		return
	}
	c := p.own(a.m)
	err := c.Freeze()
	frozen := false
	if err == nil {
		frozen, err = c.AwaitFrozen(ctx, rest)
	}
	switch {
	case errors.Is(err, halt.ErrGone):
		a.gone = true
	case err != nil:
		a.haltErr = err
	case !frozen:
		a.haltErr = errRestless
	default:
		a.halted = time.Now()
	}
}

var errNoCgroup = errors.New("it has no cgroup of its own")

// pauseByStop halts by signals, pauses, and takes the signals back while the
// pause holds. When the pause fails, the freezer holds instead.
func (p *Pause) pauseByStop(ctx context.Context, a *attempt) {
	c := p.own(a.m)
	if frozen, err := c.SelfFrozen(); err == nil && frozen {
		// Paused already; or frozen by ourselves before a crash, which
		// pauseTask deals with.
		if frozen, err := c.AwaitFrozen(ctx, rest); err == nil && frozen {
			a.halted = time.Now()
		}
	} else {
		stopped, err := halt.Stop(ctx, c, patience, rest)
		switch {
		case errors.Is(err, halt.ErrGone):
			a.gone = true
			return
		case err != nil:
			a.haltErr = err
		case stopped:
			a.halted = time.Now()
		default:
			a.haltErr = errRestless
		}
	}
	a.paused, a.gone, a.pauseErr = p.pauseTask(ctx, a.m)
	if a.gone {
		return
	}
	if a.paused.IsZero() {
		if err := c.Freeze(); err != nil {
			a.haltErr = errors.Join(a.haltErr, err)
			return
		}
	}
	if a.m.Before.Status != runtime.Paused { // then none was sent
		p.takeSignalsBack(ctx, a)
	}
}

// takeSignalsBack lets stopped processes go on, once the freezer holds them.
func (p *Pause) takeSignalsBack(ctx context.Context, a *attempt) {
	c := p.own(a.m)
	frozen, err := c.AwaitFrozen(ctx, rest)
	if err == nil && !frozen {
		err = errRestless
	}
	if err == nil {
		if a.haltErr == nil || errors.Is(a.haltErr, errRestless) {
			a.haltErr = nil
			if a.halted.IsZero() {
				a.halted = time.Now()
			}
		}
		_, err = c.Continue(ctx, a.m.Before.Stopped, rest)
	}
	if err != nil && !errors.Is(err, halt.ErrGone) {
		p.log.Warn("halt: stop signals stay until the release", "container", a.m.ID, "err", err)
	}
}

// pauseTask has containerd pause a task. A paused one is as good. Where
// containerd refuses because the runtime's own freezer is on, though it did not
// turn it on itself, signals take the freezer's place for the time of the pause.
func (p *Pause) pauseTask(ctx context.Context, m Member) (at time.Time, gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	if err = p.runtime.Pause(ctx, m.Namespace, m.ID); err == nil {
		return time.Now(), false, nil
	}
	if status, gone, e := p.statusAfter(ctx, m, err); status == runtime.Paused || gone || e != nil {
		return stamp(status), gone, e
	}
	// The freezer beside it is all we turn on bySide: then this one is not ours.
	if frozen, e := p.own(m).SelfFrozen(); e != nil || !frozen || m.How == bySide {
		return time.Time{}, false, err
	}
	return p.pauseFrozen(ctx, m)
}

// pauseFrozen pauses a task whose own freezer we turned on ourselves, in
// evidence.capture or before a crash.
func (p *Pause) pauseFrozen(ctx context.Context, m Member) (at time.Time, gone bool, err error) {
	c := p.own(m)
	if _, err = halt.Stop(ctx, c, patience, rest); err != nil {
		return time.Time{}, errors.Is(err, halt.ErrGone), err
	}
	if err = p.runtime.Pause(ctx, m.Namespace, m.ID); err != nil {
		err = errors.Join(err, c.Freeze())
	} else {
		at = time.Now()
	}
	p.takeSignalsBack(ctx, &attempt{m: m})
	return at, false, err
}

// statusAfter asks what a task is after a call that failed. The error is the
// call's own where the status does not settle it.
func (p *Pause) statusAfter(ctx context.Context, m Member, failed error) (status string, gone bool, err error) {
	if errors.Is(failed, runtime.ErrGone) {
		return "", !p.there(m), stillThere(p.there(m), failed)
	}
	status, err = p.runtime.Status(ctx, m.Namespace, m.ID)
	for err == nil && status == runtime.Pausing && ctx.Err() == nil {
		if e := sleep(ctx, time.Millisecond); e != nil {
			break
		}
		status, err = p.runtime.Status(ctx, m.Namespace, m.ID)
	}
	switch {
	case errors.Is(err, runtime.ErrGone), err == nil && (status == runtime.Stopped || status == ""):
		return status, !p.there(m), stillThere(p.there(m), failed)
	case err != nil:
		return "", false, fmt.Errorf("%w; then %w", failed, err)
	case status == runtime.Created:
		return status, false, errNotStarted
	}
	return status, false, nil
}

var errNotStarted = errors.New("it is not started yet")

// stillThere: containerd says that it has ended, the kernel that it has not.
func stillThere(there bool, err error) error {
	if there {
		return fmt.Errorf("it has ended for containerd, but processes of it are left: %w", err)
	}
	return nil
}

func stamp(status string) time.Time {
	if status == runtime.Paused {
		return time.Now()
	}
	return time.Time{}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // only its being there is looked at
	}
}
