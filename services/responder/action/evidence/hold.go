package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// answer is how long containerd may take to pause or resume.
const answer = 10 * time.Second

// Undo lets run on what an interrupted capture has left paused.
func (c *Capture) Undo(ctx context.Context, e schemas.Effect) (string, error) {
	s, err := stateOf(e.Plan)
	if err != nil {
		return "", err
	}
	return c.letGo(ctx, s)
}

// hold pauses the container, unless it is paused already or must not be. The
// note says why it was not; evidence of something that runs is better than none.
func (c *Capture) hold(ctx context.Context, s state) (note string, err error) {
	status, err := c.runtime.Status(ctx, s.Namespace, s.ID)
	switch {
	case err != nil && !c.there(s):
		return "", fmt.Errorf("%s: %s: %w: it has ended", Name, s.label(), responder.ErrGone)
	case err != nil:
		return c.running(err.Error()), nil
	case status == runtime.Paused:
		return "", nil // letGo knows by the mark whether that was us, before a crash
	case status != runtime.Running:
		return c.running("containerd calls it " + status), nil
	}
	if c.paused(s) {
		return "halted in the kernel by container.pause, and not paused by containerd", nil
	}
	if why := c.spared(s); why != "" {
		return c.running(why), nil
	}
	return c.pause(ctx, s), nil
}

func (c *Capture) running(why string) string { return "taken while the container ran: " + why }

// pause marks the container's cgroup and then pauses it.
func (c *Capture) pause(ctx context.Context, s state) (note string) {
	own := c.host.Own(s.Place)
	if own.Zero() {
		return c.running("it has no cgroup of its own")
	}
	// What bears no mark could not be let go after a crash.
	frozen, err := own.SelfFrozen()
	if err == nil {
		err = own.SetMark(halt.MarkCapture, halt.Before{Status: runtime.Running, Frozen: frozen})
	}
	if err != nil {
		return c.running(err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	if err = c.runtime.Pause(ctx, s.Namespace, s.ID); err == nil {
		return ""
	}
	if errors.Is(err, runtime.ErrUnreachable) {
		return c.running(err.Error()) // it may come about yet: the mark stays until letGo has looked
	}
	status, e := c.runtime.Status(ctx, s.Namespace, s.ID)
	if status == runtime.Running && !frozen && c.freeze(ctx, own) {
		return ""
	}
	if e = errors.Join(e, own.ClearMark(halt.MarkCapture)); e != nil && !errors.Is(e, halt.ErrGone) {
		c.log.Warn("evidence: after a pause that failed", "container", s.ID, "err", e)
	}
	if status == runtime.Paused {
		return "" // somebody else was quicker: it is theirs
	}
	return c.running(err.Error())
}

// freeze halts in the kernel what the runtime refuses to pause: runc takes a
// container for ended when its first thread has ended, whoever else runs there.
func (c *Capture) freeze(ctx context.Context, own halt.Cgroup) bool {
	err := own.Freeze()
	done := false
	if err == nil {
		done, err = own.AwaitFrozen(ctx, time.Second)
	}
	if done && err == nil {
		return true
	}
	if e := own.Thaw(); e != nil && !errors.Is(e, halt.ErrGone) {
		c.log.Warn("evidence: a freeze that failed could not be taken back", "cgroup", own.Path, "err", e)
	}
	return false
}

// paused says whether container.pause holds the container.
func (c *Capture) paused(s state) bool {
	return slices.ContainsFunc(append(c.cgroups(s), c.host.Parent(s.Place, s.PodUID)), func(g halt.Cgroup) bool {
		_, held := g.Mark(halt.MarkPause)
		return held
	})
}

// letGo lets the container run on where the mark says that we have paused it.
// What container.pause holds by now stays paused. It can be called again.
func (c *Capture) letGo(ctx context.Context, s state) (drift string, err error) {
	own := c.host.Own(s.Place)
	was, ours := own.Mark(halt.MarkCapture)
	if !ours {
		return "", nil
	}
	// Letting go must happen even when the time for capturing has run out.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answer)
	defer cancel()
	if !c.paused(s) {
		if drift, err = c.resume(ctx, s, was); err != nil {
			return "", err
		}
	}
	if err := own.ClearMark(halt.MarkCapture); err != nil && !errors.Is(err, halt.ErrGone) {
		return "", kernelError(s.ID, err)
	}
	return drift, nil
}

func (c *Capture) resume(ctx context.Context, s state, was halt.Before) (drift string, err error) {
	status, err := c.runtime.Status(ctx, s.Namespace, s.ID)
	for err == nil && status == runtime.Pausing && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
		status, err = c.runtime.Status(ctx, s.Namespace, s.ID)
	}
	switch {
	case errors.Is(err, runtime.ErrGone), err == nil && (status == "" || status == runtime.Stopped):
		return s.label() + " has ended meanwhile", nil
	case err != nil:
		return "", c.stays(s, err)
	case status != runtime.Paused:
		if own := c.host.Own(s.Place); !was.Frozen {
			if frozen, err := own.SelfFrozen(); err == nil && frozen {
				return "", c.thaw(s, own)
			}
		}
		return s.label() + " was resumed by somebody else meanwhile, or its pause had failed", nil
	}
	if err = c.runtime.Resume(ctx, s.Namespace, s.ID); err == nil {
		return "", nil
	}
	status, e := c.runtime.Status(ctx, s.Namespace, s.ID)
	if errors.Is(e, runtime.ErrGone) || e == nil && status != runtime.Paused {
		return "", nil
	}
	return "", c.stays(s, err)
}

// thaw lets run on what freeze has halted.
func (c *Capture) thaw(s state, own halt.Cgroup) error {
	if err := own.Thaw(); err != nil && !errors.Is(err, halt.ErrGone) {
		return c.stays(s, err)
	}
	return nil
}

func (c *Capture) stays(s state, err error) error {
	err = fmt.Errorf("%s: let %s run on: %w: it may still be paused: %w", Name, s.label(), responder.ErrTransient, err)
	return responder.WithRemedy(err, "look whether containerd answers; `ctr task resume` lets it run on by hand")
}
