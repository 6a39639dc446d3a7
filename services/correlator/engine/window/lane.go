package window

// LaneOf gives a window's lane of a value, or 0.
func (s *Store) LaneOf(slot *Slot, value uint64) int32 {
	for id := slot.Lanes; id != 0; {
		l := s.lanes.at(id)
		if l.Value == value {
			return id
		}
		id = l.Next
	}
	return 0
}

// AddLane gives a window one more lane. The latest one comes first.
func (s *Store) AddLane(slot *Slot, value uint64) int32 {
	id := s.lanes.take()
	l := s.lanes.at(id)
	l.Value, l.Next = value, slot.Lanes
	slot.Lanes = id
	return id
}

// DropLane forgets a lane with its entries.
func (s *Store) DropLane(slot *Slot, id int32) {
	s.Cut(slot, id, 0)
	l := s.lanes.at(id)
	if slot.Lanes == id {
		slot.Lanes = l.Next
	} else {
		before := s.lanes.at(slot.Lanes)
		for before.Next != id {
			before = s.lanes.at(before.Next)
		}
		before.Next = l.Next
	}
	s.lanes.give(id)
}

// Insert puts an entry at its time's place in a lane, before those of the same
// time. It gives 0 when the lane holds that event at that time already.
func (s *Store) Insert(slot *Slot, lane int32, e Entry) int32 {
	l := s.lanes.at(lane)
	before, next := int32(0), l.Head
	for next != 0 && s.entries.at(next).At > e.At {
		before, next = next, s.entries.at(next).Older
	}
	for same := next; same != 0 && s.entries.at(same).At == e.At; same = s.entries.at(same).Older {
		if s.entries.at(same).Hash == e.Hash {
			return 0
		}
	}
	id := s.entries.take()
	e.Older = next
	*s.entries.at(id) = e
	if before == 0 {
		l.Head = id
	} else {
		s.entries.at(before).Older = id
	}
	if e.Has(Pending) {
		s.pending++
	}
	l.N++
	slot.N++
	slot.Newest = max(slot.Newest, e.At)
	s.holds(slot.Match, Held{Entries: 1})
	return id
}

// holds counts what the windows of a match hold more, or less.
func (s *Store) holds(match int32, more Held) {
	s.held.add(more)
	s.lists[match].add(more)
}

// Cut drops the entries of a lane that come after one of them, all of them
// with 0.
func (s *Store) Cut(slot *Slot, lane, after int32) {
	l := s.lanes.at(lane)
	var id int32
	if after == 0 {
		id, l.Head = l.Head, 0
	} else {
		e := s.entries.at(after)
		id, e.Older = e.Older, 0
	}
	for id != 0 {
		next := s.entries.at(id).Older
		s.release(slot, l, id)
		id = next
	}
}

// Holds says whether an entry is one of a lane.
func (s *Store) Holds(lane, id int32) bool {
	at := s.lanes.at(lane).Head
	for at != 0 && at != id {
		at = s.entries.at(at).Older
	}
	return at != 0
}

// Keep drops the entries of a lane that keep does not hold on to, and says how
// many those were.
func (s *Store) Keep(slot *Slot, lane int32, keep func(*Entry) bool) (dropped int) {
	l := s.lanes.at(lane)
	before := int32(0)
	for id := l.Head; id != 0; {
		e := s.entries.at(id)
		next := e.Older
		switch {
		case keep(e):
			before = id
		case before == 0:
			l.Head = next
		default:
			s.entries.at(before).Older = next
		}
		if before != id {
			s.release(slot, l, id)
			dropped++
		}
		id = next
	}
	return dropped
}

// Remove drops one entry of a lane.
func (s *Store) Remove(slot *Slot, lane, id int32) {
	l := s.lanes.at(lane)
	if l.Head == id {
		l.Head = s.entries.at(id).Older
	} else {
		before := s.entries.at(l.Head)
		for before.Older != id {
			before = s.entries.at(before.Older)
		}
		before.Older = s.entries.at(id).Older
	}
	s.release(slot, l, id)
}

func (s *Store) release(slot *Slot, l *Lane, id int32) {
	s.ClearNote(id)
	if s.entries.at(id).Has(Pending) {
		s.pending--
	}
	s.entries.give(id)
	l.N--
	slot.N--
	s.holds(slot.Match, Held{Entries: -1})
}

// Note is what was written down about an entry; "" when nothing was.
func (s *Store) Note(id int32) string {
	n := s.entries.at(id).note()
	if n == 0 {
		return ""
	}
	return s.notes.at(n).text
}

// note is the number of an entry's note, or 0. One of an arena has 29 bits at
// most: each entry has one note.
func (e *Entry) note() int32 { return int32(e.aux >> noteShift) }

// SetNote writes something down about an entry of a window.
func (s *Store) SetNote(slot *Slot, id int32, text string) {
	s.ClearNote(id)
	if text == "" {
		return
	}
	n := s.notes.take()
	*s.notes.at(n) = note{text, slot.Match}
	s.holds(slot.Match, Held{Noted: len(text) + place})
	e := s.entries.at(id)
	e.aux = e.aux&(1<<noteShift-1) | uint32(n)<<noteShift //nolint:gosec // as above
}

// ClearNote forgets what was written down.
func (s *Store) ClearNote(id int32) {
	e := s.entries.at(id)
	n := e.note()
	if n == 0 {
		return
	}
	is := s.notes.at(n)
	s.holds(is.match, Held{Noted: -len(is.text) - place})
	s.notes.give(n)
	e.aux &= 1<<noteShift - 1
}
