package replay

import (
	"fmt"
	"time"

	"firebreak/schemas"
)

// leap is how far the time of events may go back before the clock does.
// Sources are apart by minutes; a file that was recorded earlier is older by more.
const leap = time.Hour

// place is how far the numbering has come.
type place struct {
	last  uint64    // sequence of the last event
	clock time.Time // when it was stored
}

// number gives the events of a batch their places, as a log would have: the
// sequence is the number of the line, or the next one where a line gave several
// events. An event is stored when it happened, or when the one before it was if
// that is later. Events that were exported from a log keep what it gave them.
func number(b *batch, p *place) {
	for i := range b.events {
		e := &b.events[i]
		if e.Seq > 0 {
			// The reader told it in the place of a message that is no event.
			e.mute = e.Type == schemas.EventsRefused && e.Writer == ""
		} else {
			e.Seq = max(e.line, p.last+1)
			e.Stored = p.clock
			if e.Time.After(p.clock) || p.clock.Sub(e.Time) > leap {
				e.Stored = e.Time
			}
		}
		p.last, p.clock = e.Seq, e.Stored
	}
}

// extent says where a piece lies that can be read again.
type extent struct {
	file     int
	off      int64
	size     int
	line     uint64
	whole    bool
	before   place
	min, max uint64 // sequences
}

// piece is a batch that is at hand.
type piece struct {
	events   []placed
	min, max uint64
}

// mostFresh is how many pieces stay at hand: of what a match joins, most has
// just come.
const mostFresh = 16

// keep remembers a batch, in case the engine recalls one of its events.
func (f *Files) keep(b batch, before place) {
	if !f.Recall || len(b.events) == 0 {
		return
	}
	p := pieceOf(b.events)
	if len(f.fresh) == mostFresh {
		copy(f.fresh, f.fresh[1:])
		f.fresh = f.fresh[:mostFresh-1]
	}
	f.fresh = append(f.fresh, p)
	f.index = append(f.index, extent{
		file: b.file, off: b.off, size: len(b.text), line: b.all, whole: b.whole, before: before, min: p.min, max: p.max,
	})
}

func pieceOf(events []placed) piece {
	p := piece{events: events}
	for i := range events {
		seq := events[i].Seq
		if i == 0 || seq < p.min {
			p.min = seq
		}
		p.max = max(p.max, seq)
	}
	return p
}

func (p *piece) find(seq uint64) (schemas.Event, bool) {
	if seq < p.min || seq > p.max {
		return schemas.Event{}, false
	}
	for i := range p.events {
		if p.events[i].Seq == seq {
			return p.events[i].Event, true
		}
	}
	return schemas.Event{}, false
}

// RecallEvent reads an event again. One that the spool has let go is an error
// of class schemas.ErrAbsent. It is for the handler of [Files.Each].
func (f *Files) RecallEvent(seq uint64) (schemas.Event, error) {
	for i := len(f.fresh) - 1; i >= 0; i-- {
		if e, ok := f.fresh[i].find(seq); ok {
			return e, nil
		}
	}
	if e, ok := f.again.find(seq); ok {
		return e, nil
	}
	for i := len(f.index) - 1; i >= 0; i-- {
		x := &f.index[i]
		if seq < x.min || seq > x.max {
			continue
		}
		if err := f.readAgain(x); err != nil {
			return schemas.Event{}, err
		}
		if e, ok := f.again.find(seq); ok {
			return e, nil
		}
	}
	return schemas.Event{}, fmt.Errorf("event %d: %w", seq, schemas.ErrAbsent)
}

func (f *Files) readAgain(x *extent) error {
	text := make([]byte, x.size)
	in := f.opened[x.file]
	var err error
	if in.regular {
		_, err = in.file.ReadAt(text, x.off)
	} else {
		err = f.spool.read(text, x.off)
	}
	if err != nil {
		return fmt.Errorf("read %s again: %w", f.Names[x.file], err)
	}
	b := f.decode(chunk{file: x.file, all: x.line, text: text, whole: x.whole})
	at := x.before
	number(&b, &at)
	f.again = pieceOf(b.events)
	return nil
}
