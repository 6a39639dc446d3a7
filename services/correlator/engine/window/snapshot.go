package window

import "firebreak/services/correlator/engine/packed"

// Write writes the windows of a match, the one that was touched longest ago first.
func (s *Store) Write(w *packed.Writer, match int32) {
	w.Uint(uint64(s.lists[match].n)) //nolint:gosec // a number of windows
	for id := s.lists[match].oldest; id != 0; id = s.slots.at(id).newer {
		s.writeSlot(w, s.slots.at(id))
	}
}

func (s *Store) writeSlot(w *packed.Writer, slot *Slot) {
	w.Fixed(slot.Key.Hi)
	w.Fixed(slot.Key.Lo)
	w.Int(slot.Newest)
	w.Uint(uint64(slot.Prune)) //nolint:gosec // a number of entries
	lanes := uint64(0)
	for id := slot.Lanes; id != 0; id = s.lanes.at(id).Next {
		lanes++
	}
	w.Uint(lanes)
	for id := slot.Lanes; id != 0; id = s.lanes.at(id).Next {
		l := s.lanes.at(id)
		w.Uint(l.Value)
		w.Uint(uint64(l.N)) //nolint:gosec // a number of entries
		for e := l.Head; e != 0; e = s.entries.at(e).Older {
			s.writeEntry(w, slot, e)
		}
	}
}

func (s *Store) writeEntry(w *packed.Writer, slot *Slot, id int32) {
	e := s.entries.at(id)
	note := s.Note(id)
	marks := uint64(e.aux & (1<<noteShift - 1))
	if note != "" {
		marks |= 1 << noteShift
	}
	w.Uint(marks)
	w.Int(slot.Newest - e.At)
	w.Uint(e.Seq)
	w.Fixed(e.Hash)
	if note != "" {
		w.Text(note)
	}
}

// Read reads what Write wrote as windows of a match; a negative one is read and
// left out. Whoever reads looks at the reader's error.
func (s *Store) Read(r *packed.Reader, match int32) {
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		key := Key{Hi: r.Fixed(), Lo: r.Fixed()}
		slot := &Slot{}
		id := int32(0)
		if match >= 0 {
			id, _ = s.Open(match, key)
			slot = s.slots.at(id)
		}
		slot.Newest = r.Int()
		slot.Prune = int32(r.Uint()) //nolint:gosec // as it was written
		s.readLanes(r, slot, id != 0)
	}
}

func (s *Store) readLanes(r *packed.Reader, slot *Slot, keep bool) {
	last := int32(0)
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		value, entries := r.Uint(), r.Count()
		lane := int32(0)
		if keep {
			lane = s.lanes.take()
			s.lanes.at(lane).Value = value
			if last == 0 {
				slot.Lanes = lane
			} else {
				s.lanes.at(last).Next = lane
			}
			last = lane
		}
		s.readEntries(r, slot, lane, entries)
	}
}

// readEntries reads the entries of a lane, the latest first as they are kept.
func (s *Store) readEntries(r *packed.Reader, slot *Slot, lane int32, n int) {
	last := int32(0)
	for ; n > 0 && !r.Failed(); n-- {
		marks := r.Uint()
		e := Entry{At: slot.Newest - r.Int(), Seq: r.Uint(), Hash: r.Fixed()}
		e.aux = uint32(marks) & (1<<noteShift - 1) //nolint:gosec // marks are few
		note := ""
		if marks>>noteShift != 0 {
			note = r.Text()
		}
		if lane == 0 {
			continue
		}
		id := s.entries.take()
		*s.entries.at(id) = e
		s.SetNote(slot, id, note)
		if e.Has(Pending) {
			s.pending++
		}
		l := s.lanes.at(lane)
		if last == 0 {
			l.Head = id
		} else {
			s.entries.at(last).Older = id
		}
		last = id
		l.N++
		slot.N++
		s.holds(slot.Match, Held{Entries: 1})
	}
}
