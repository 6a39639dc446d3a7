package engine

import (
	"errors"
	"fmt"

	"firebreak/services/correlator/engine/packed"
	"firebreak/services/correlator/engine/window"
)

// ErrSnapshot is wrapped where a snapshot cannot be used: it is damaged, or
// another version's.
var ErrSnapshot = errors.New("the snapshot cannot be used")

const (
	snapshotMagic   = "FBEN"
	snapshotVersion = 3
	maxRoom         = 256 << 20 // that is made beforehand
)

// Snapshot gives all that the engine has seen and still needs. An engine with
// the same set that restores it decides on from here as this one does.
func (e *Engine) Snapshot() []byte {
	w := &packed.Writer{}
	w.Grow(min(64*e.store.Len()+32*e.store.Held().Entries, maxRoom) + 1<<16)
	w.Text(e.set.Digest)
	e.clock.write(w)
	w.Int(e.done)
	w.Int(e.swept)
	e.seen.write(w)
	e.writeGroups(w)
	e.reports.write(w)
	w.Uint(uint64(len(e.nodes)))
	for _, n := range e.nodes {
		w.Fixed(n.print.Hi)
		w.Fixed(n.print.Lo)
		e.store.Write(w, n.index)
	}
	return w.Seal(snapshotMagic, snapshotVersion)
}

// Restore takes a snapshot over, in place of all that the engine has seen.
// Windows of matches that the set in force does not have are left out. An
// error is of class [ErrSnapshot] and leaves the engine as it was.
func (e *Engine) Restore(snapshot []byte) error {
	r, err := packed.Open(snapshot, snapshotMagic, snapshotVersion)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	_ = r.Text() // the set's digest, for whoever looks into a snapshot
	s := state{clock: newClock()}
	s.clock.read(r)
	s.done, s.swept = r.Int(), r.Int()
	s.seen.read(r)
	s.books, s.incidents = readGroups(r)
	s.reports.read(r)
	s.store = window.New(len(e.nodes))
	known := e.byPrint()
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		match := int32(-1)
		if n := known[window.Key{Hi: r.Fixed(), Lo: r.Fixed()}]; n != nil {
			match = n.index
		}
		s.store.Read(r, match)
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	e.state = s
	e.plan = e.compile(e.set) // its books know the groups
	e.due.rebuild(e)
	e.fresh.rebuild(e)
	return nil
}
