package responder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
)

// executor is one run of [Run].
type executor struct {
	Config
	actions map[string]Action

	mu   sync.Mutex // guards book, all its lanes and tasks, wakes
	book *book
	live bool
	// wakes says when a lane whose tasks are all waiting is to be picked up again.
	wakes map[*lane]time.Time

	ready  chan *lane    // lanes with something to do
	rewake chan struct{} // wakes has changed
	late   atomic.Int32  // lanes that found ready full
	hold   atomic.Pointer[schemas.Hold]
	known  chan struct{} // closed when the hold is known
}

// Run carries out what is asked of the place until ctx ends, which is no error.
//
// It reads its place's records from the start of the ledger, and then acts on
// what they ask for: what a crash had interrupted first.
func Run(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	actions, err := index(c.Actions)
	if err != nil {
		return fmt.Errorf("responder at %s: %w", c.Place, err)
	}
	e := &executor{
		Config: c, actions: actions,
		wakes: map[*lane]time.Time{}, ready: make(chan *lane, c.Queue),
		rewake: make(chan struct{}, 1), known: make(chan struct{}),
	}
	e.book = newBook(c.Place, e.holding)

	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return unending(e.followHold(gctx), "the global hold") })
	group.Go(func() error { return e.clock(gctx) })
	for range c.Workers {
		group.Go(func() error { return e.work(gctx) })
	}
	group.Go(func() error {
		return unending(c.Ledger.FollowLedger(gctx, 0, e.handle, func() error { return e.begin(gctx) }), "the ledger")
	})
	err = group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("responder at %s: %w", c.Place, err)
}

// unending makes an error of an end that has none: a responder that hears
// nothing any more must not look alive.
func unending(err error, what string) error {
	if err == nil {
		return fmt.Errorf("%s is no longer followed", what) // nobody tells it apart
	}
	return err
}

// holding says whether an action's effect is a hold.
func (e *executor) holding(action string) bool {
	a, known := e.actions[action]
	return !known || a.Spec().Undo != ""
}

func (e *executor) verifies(action string) bool {
	_, can := e.actions[action].(Verifier)
	return can
}

// handle takes a record of the stream. The way from here to Apply is one hop
// through a channel.
func (e *executor) handle(r schemas.Record) error {
	if r.Place != e.Place {
		return nil
	}
	if asks := r.Kind == schemas.KindRequested || r.Kind == schemas.KindRelease; asks && !e.Conductor(r.Writer) {
		e.Log.Error("left aside a request that is not the conductor's", "subject", r.Subject(), "seq", r.Seq, "writer", r.Writer)
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.book.fold(r, true)
	if err != nil {
		// One record that cannot be read must not stop the others' containment.
		e.Log.Error("a record cannot be read", "subject", r.Subject(), "seq", r.Seq, "error", err)
	}
	switch {
	case t == nil:
	case t.lane == nil:
		e.book.stray(t, r.Kind)
	case e.live:
		e.enqueue(t.lane)
	default:
		e.book.tidy(t.lane)
	}
	return nil
}

// begin starts the work on what the ledger held at the start.
func (e *executor) begin(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.known:
	}
	e.mu.Lock()
	e.live = true
	for _, l := range e.book.lanes {
		e.enqueue(l)
	}
	e.mu.Unlock()
	e.keepAll() // what is held may have slipped while nobody looked
	e.Live()
	return nil
}

func (e *executor) followHold(ctx context.Context) error {
	first := true
	return e.State.FollowState(ctx, HoldKey, func(value []byte) error {
		h := &schemas.Hold{}
		if len(value) > 0 {
			if err := json.Unmarshal(value, h); err != nil {
				// Who cannot read the kill switch must not act.
				e.Log.Error("the global hold cannot be read and is taken for on", "key", HoldKey, "error", err)
				h = &schemas.Hold{On: true, Why: "the hold's entry cannot be read"}
			}
		}
		was := e.hold.Swap(h)
		if was != nil && was.On != h.On || was == nil && h.On {
			e.Log.Warn("global hold", "on", h.On, "by", h.By, "why", h.Why)
		}
		if first {
			first = false
			close(e.known)
		} else if was != nil && was.On && !h.On {
			e.keepAll()
		}
		return nil
	})
}

// enqueue hands a lane to a worker; e.mu is held. Nothing is lost when the
// queue is full: the lane is marked and picked up when a worker is free.
func (e *executor) enqueue(l *lane) {
	if l.queued || l.running || l.late {
		return
	}
	if what, _, again := l.pick(time.Now(), e.verifies); what == nil && !l.keep {
		e.wakeAt(l, again)
		e.book.tidy(l)
		return
	}
	select {
	case e.ready <- l:
		l.queued = true
	default:
		l.late = true
		if e.late.Add(1) == 1 {
			e.Log.Warn("the queue of targets is full; the rest follows from the ledger as workers get free", "queue", cap(e.ready))
		}
	}
}

// work is one worker.
func (e *executor) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case l := <-e.ready:
			if err := e.run(ctx, l); err != nil {
				return err
			}
			if e.late.Load() > 0 {
				e.pickLate()
			}
		}
	}
}

func (e *executor) pickLate() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.book.lanes {
		if len(e.ready) == cap(e.ready) {
			return
		}
		if l.late {
			l.late = false
			e.late.Add(-1)
			e.enqueue(l)
		}
	}
}

// run works on a lane until it needs nothing more for now.
func (e *executor) run(ctx context.Context, l *lane) error {
	e.mu.Lock()
	l.queued, l.running = false, true
	e.mu.Unlock()
	for {
		e.mu.Lock()
		t, what, again := l.pick(time.Now(), e.verifies)
		keep := t == nil && l.keep
		if keep {
			l.keep = false
		}
		if t == nil && !keep {
			l.running = false
			e.wakeAt(l, again)
			e.book.tidy(l)
			e.mu.Unlock()
			return nil
		}
		var snap task
		if t != nil {
			snap = *t
		}
		e.mu.Unlock()
		var err error
		if keep {
			err = e.keepLane(ctx, l)
		} else {
			err = e.do(ctx, job{t: t, task: snap}, what)
		}
		if err != nil {
			return err
		}
	}
}

// job is a task as it stood when a worker picked it up.
type job struct {
	t *task // the live one; only under e.mu
	task
}

func (e *executor) do(ctx context.Context, j job, what step) error {
	if e.Log.Enabled(ctx, slog.LevelDebug) {
		e.Log.Debug("next", "task", j.holder(), "action", j.action(), "step", int(what), "seq", j.head.Seq)
	}
	switch what {
	case stepPlan:
		return e.plan(ctx, j)
	case stepApply:
		return e.apply(ctx, j)
	case stepVerify:
		return e.verify(ctx, j)
	case stepRelease:
		return e.release(ctx, j)
	case stepUndo:
		return e.undo(ctx, j)
	case stepNone:
	}
	return nil
}

var errStopped = errors.New("stopped")

// at passes a named point, and ends the work there when ctx has ended.
func (e *executor) at(ctx context.Context, point string) error {
	e.At(point)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", point, errStopped)
	}
	return nil
}
