package responder

import (
	"context"
	"time"
)

// wakeAt notes when a waiting lane is to be picked up again; e.mu is held.
func (e *executor) wakeAt(l *lane, at time.Time) {
	if at.IsZero() {
		delete(e.wakes, l)
		return
	}
	if e.wakes[l].Equal(at) {
		return
	}
	e.wakes[l] = at
	select {
	case e.rewake <- struct{}{}:
	default: // told already
	}
}

// clock wakes lanes: those whose wait is over, those with a hint, and every
// now and then all that hold something.
func (e *executor) clock(ctx context.Context) error {
	keep := time.NewTicker(e.KeepEvery)
	defer keep.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	hints := e.Hints
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-keep.C:
			e.keepAll()
		case hint, open := <-hints:
			if !open {
				hints = nil
				continue
			}
			e.mu.Lock()
			if l := e.book.lanes[e.book.laneKey(hint)]; l != nil && e.live {
				l.keep = true
				e.enqueue(l)
			}
			e.mu.Unlock()
		case <-e.rewake:
			wake.Reset(e.due())
		case <-wake.C:
			wake.Reset(e.due())
		}
	}
}

// due hands on the lanes whose wait is over and says when the next one's will be.
func (e *executor) due() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, next := time.Now(), time.Hour
	for l, at := range e.wakes {
		if wait := at.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		delete(e.wakes, l)
		e.enqueue(l)
	}
	return next
}

// keepAll has everything looked after that is held.
func (e *executor) keepAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.live {
		return
	}
	for holder := range e.book.holds.byName {
		if t := e.book.tasks[holder]; t != nil && t.lane != nil {
			t.lane.keep = true
			e.enqueue(t.lane)
		}
	}
}
