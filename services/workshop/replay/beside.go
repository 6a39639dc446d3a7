package replay

import (
	"sync/atomic"
	"time"

	"firebreak/services/correlator/engine"
)

// telling is an incident that is to be told.
type telling struct {
	opened engine.Opened
	stored time.Time // the event that brought it about
}

// beside tells of incidents in a goroutine of its own.
type beside struct {
	queue  chan telling
	done   chan struct{}
	err    error // valid after done
	failed atomic.Bool
}

// mostTelling is how many incidents may wait to be told; then the engine waits.
const mostTelling = 1024

func newBeside(tell func(telling) error) *beside {
	b := &beside{queue: make(chan telling, mostTelling), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		for t := range b.queue {
			if b.err != nil {
				continue // so that nobody waits
			}
			if b.err = tell(t); b.err != nil {
				b.failed.Store(true)
			}
		}
	}()
	return b
}

// add hands an incident over, and says if it is of no use any more.
func (b *beside) add(t telling) error {
	if b.failed.Load() {
		return errEnd // close says why
	}
	b.queue <- t
	return nil
}

func (b *beside) close() error {
	close(b.queue)
	<-b.done
	return b.err
}
