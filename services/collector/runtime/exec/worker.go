package exec

import (
	"context"
	"log/slog"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/exec/decode"
)

// worker turns the kernel's events into ours, all in one goroutine.
type worker struct {
	*Source
	emit     func(context.Context, schemas.Event) error
	identify identifier
	adopters adopters
	roots    roots
	clock    clock
	waiting  []waiting
	pause    time.Duration // before the waiting ones are looked at again
	again    time.Time
}

// waiting is an exec in a container that the runtime does not know yet.
type waiting struct {
	exec  decode.Exec
	until time.Time
}

const (
	maxWaiting = 1024 // more are emitted with what is known
	minPause   = 2 * time.Millisecond
	maxPause   = 50 * time.Millisecond
)

func (s *Source) worker(emit func(context.Context, schemas.Event) error) *worker {
	return &worker{
		Source: s, emit: emit,
		identify: newIdentifier(s.c.Lookup),
		adopters: adopters{}, roots: roots{},
	}
}

// due is when retry wants to be called; zero for not at all.
func (w *worker) due() time.Time {
	if len(w.waiting) == 0 {
		return time.Time{}
	}
	return w.again
}

func (w *worker) handle(ctx context.Context, e decode.Exec) {
	// While another one waits for that container, asking again would only cost
	// time: the runtime may be slow just now.
	if w.awaited(e.Cgroups) && len(w.waiting) < maxWaiting {
		w.wait(e)
		return
	}
	full := len(w.waiting) >= maxWaiting
	if !w.settle(ctx, &e, full) {
		w.wait(e)
	}
}

func (w *worker) awaited(c decode.Cgroups) bool {
	for i := range w.waiting {
		if w.waiting[i].exec.Cgroups == c {
			return true
		}
	}
	return false
}

func (w *worker) wait(e decode.Exec) {
	now := time.Now()
	if len(w.waiting) == 0 {
		w.pause = minPause
		w.again = now.Add(w.pause)
	}
	w.waiting = append(w.waiting, waiting{e, now.Add(w.c.Wait)})
}

// retry looks at those again that wait for their container, now and then. It
// asks once for each container and not for longer than a pause.
func (w *worker) retry(ctx context.Context) {
	now := time.Now()
	if len(w.waiting) == 0 || now.Before(w.again) {
		return
	}
	unknown := map[decode.Cgroups]bool{}
	rest := w.waiting[:0]
	for i := range w.waiting {
		x := &w.waiting[i]
		last := !now.Before(x.until)
		skip := !last && (unknown[x.exec.Cgroups] || time.Since(now) > maxPause)
		if skip || !w.settle(ctx, &x.exec, last) {
			unknown[x.exec.Cgroups] = true
			rest = append(rest, *x)
		}
	}
	clear(w.waiting[len(rest):])
	w.waiting = rest
	w.pause = min(2*w.pause, maxPause)
	w.again = time.Now().Add(w.pause)
}

// settle emits or drops an exec. It is false while its container may still
// become known; last says that it has been waited for long enough.
func (w *worker) settle(ctx context.Context, e *decode.Exec, last bool) bool {
	f := w.identify.find(e)
	if f.in.ID != "" && w.adopters.setUp(e, f.in) {
		w.c.Log.Debug("set-up of a container", "container", f.in.ID, "pid", e.PID)
		return true
	}
	if !f.sure && f.maybe {
		if !last {
			return false
		}
		w.identify.giveUp(e, f.torn)
	}
	switch {
	case f.sure:
		w.adopters.note(e, f.in)
	case f.in.Hex:
		f.container = schemas.Container{ID: f.in.ID, Cgroup: f.in.Path}
		w.adopters.note(e, f.in)
	case f.torn:
		w.lose(f)
		return true
	case !w.c.Host:
		return true
	}
	w.publish(ctx, e, f)
	return true
}

// lose counts an exec of which it cannot be told whose it is: to name one of
// them could halt the wrong container.
func (w *worker) lose(f found) {
	w.mu.Lock()
	w.torn++
	w.mu.Unlock()
	w.c.Log.Debug("an exec in one of several containers of the same id", "container", f.in.ID, "cgroup", f.in.Path)
}

func (w *worker) publish(ctx context.Context, e *decode.Exec, f found) {
	event, err := w.event(e, f)
	if err == nil {
		err = w.emit(ctx, event)
	}
	if err != nil && ctx.Err() == nil {
		w.c.Log.LogAttrs(ctx, slog.LevelError, "an exec could not be emitted",
			slog.String("container", f.in.ID), slog.Int("pid", e.PID), slog.Any("error", err))
	}
}
