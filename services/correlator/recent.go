package correlator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
)

const (
	recentEvents = 4096     // how many are held, a power of two
	recentBytes  = 16 << 20 // of their data together
	recentData   = 64 << 10 // of one; larger ones are read again
)

// recent holds the last events, for the windows that speak of them: of what a
// match joins, most has just come.
type recent struct {
	ring  []schemas.Event
	from  uint64 // events before this sequence were let go
	last  uint64
	bytes int
}

func (r *recent) add(e schemas.Event) {
	if r.ring == nil {
		r.ring = make([]schemas.Event, recentEvents)
	}
	if len(e.Data) > recentData || e.Writer == "" { // what is nobody's stands for others and has no sequence of its own
		return
	}
	if e.Seq <= r.last { // the log gives its sequences anew
		clear(r.ring)
		r.bytes, r.from = 0, e.Seq
	}
	if e.Seq-r.from >= recentEvents {
		r.drop(e.Seq - recentEvents + 1)
	}
	r.ring[e.Seq%recentEvents] = e
	r.last, r.bytes = e.Seq, r.bytes+len(e.Data)
	for r.bytes > recentBytes {
		r.drop(r.from + 1)
	}
}

// drop lets go of all before a sequence.
func (r *recent) drop(from uint64) {
	if from-r.from >= recentEvents { // a gap: nothing of it is left
		clear(r.ring)
		r.bytes, r.from = 0, from
	}
	for ; r.from < from; r.from++ {
		old := &r.ring[r.from%recentEvents]
		r.bytes -= len(old.Data)
		*old = schemas.Event{}
	}
}

func (r *recent) get(seq uint64) (schemas.Event, bool) {
	if len(r.ring) == 0 || seq == 0 {
		return schemas.Event{}, false
	}
	e := r.ring[seq%recentEvents]
	return e, e.Seq == seq
}

// recall reads an event of the log again, however long that takes, unless the
// log has let it go.
func (c *Correlator) recall(ctx context.Context, seq uint64) (schemas.Event, error) {
	if e, ok := c.recent.get(seq); ok {
		return e, nil
	}
	var e schemas.Event
	var gone error
	err := c.retry(ctx, "read an event again", func() error {
		inner, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		var err error
		e, err = c.cfg.Bus.Event(inner, seq)
		switch {
		case errors.Is(err, schemas.ErrInvalid):
			gone = fmt.Errorf("%w: %w", schemas.ErrAbsent, err)
		case errors.Is(err, schemas.ErrAbsent):
			gone = err
		default:
			return err
		}
		return nil
	})
	if err == nil {
		err = gone
	}
	return e, err
}
