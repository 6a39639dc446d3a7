package window

// Key names a window: 128 bits of a hash over the match and its group.
type Key struct{ Hi, Lo uint64 }

// Slot is one window.
type Slot struct {
	Key    Key
	Newest int64 // the latest time of its entries so far
	Match  int32 // whose window it is
	Lanes  int32 // the first of its lanes
	N      int32 // entries
	Prune  int32 // how many entries it may have before it is worth cutting what is not needed

	older, newer int32 // windows of the same match, by when they were last touched
}

// Lane holds what belongs together in a window.
type Lane struct {
	Value uint64 // the operand's position, or the value's hash
	Head  int32  // the latest entry
	Next  int32  // another lane
	N     int32
}

// Entry is an event that takes part.
type Entry struct {
	At    int64 // the time it counts with
	Seq   uint64
	Hash  uint64 // of its writer, source and id
	Older int32
	aux   uint32 // marks, and above them the number of its note
}

// Marks of an entry.
const (
	Stood   = 1 << iota // the match has been completed by it
	Pending             // something is decided about it when its time has come
	Torn                // older ones of its lane were dropped that may be asked for

	noteShift = iota
)

// Has says whether the entry bears a mark.
func (e *Entry) Has(mark uint32) bool { return e.aux&mark != 0 }

// Mark puts a mark on it.
func (e *Entry) Mark(mark uint32) { e.aux |= mark }

// list orders the windows of a match, and counts what they hold.
type list struct {
	oldest, newest int32
	n              int
	Held
}

// Held is how much windows hold.
type Held struct {
	Entries int
	Noted   int // bytes that notes take, with their places
}

func (h *Held) add(more Held) {
	h.Entries += more.Entries
	h.Noted += more.Noted
}

// note is what was written down about an entry.
type note struct {
	text  string
	match int32 // whose window has the entry
}

// place is what a note takes beside its text.
const place = 32

// Store is all windows. It is not for several goroutines at once.
type Store struct {
	slots   arena[Slot]
	lanes   arena[Lane]
	entries arena[Entry]
	table   table
	lists   []list // by match
	notes   arena[note]
	held    Held
	pending int
}

// New gives a store for so many matches.
func New(matches int) *Store {
	return &Store{lists: make([]list, matches)}
}

// Len is how many windows are open.
func (s *Store) Len() int { return s.table.n }

// Count is how many windows of a match are open.
func (s *Store) Count(match int32) int { return s.lists[match].n }

// Held is what all windows hold.
func (s *Store) Held() Held { return s.held }

// HeldBy is what the windows of a match hold.
func (s *Store) HeldBy(match int32) Held { return s.lists[match].Held }

// Pending is how many of them are pending.
func (s *Store) Pending() int { return s.pending }

// Slot gives a window by its number; the pointer stays valid until it is closed.
func (s *Store) Slot(id int32) *Slot { return s.slots.at(id) }

// Lane gives a lane by its number.
func (s *Store) Lane(id int32) *Lane { return s.lanes.at(id) }

// Entry gives an entry by its number.
func (s *Store) Entry(id int32) *Entry { return s.entries.at(id) }

// Find gives the window of a key, or 0.
func (s *Store) Find(key Key) int32 { return s.table.find(&s.slots, key) }

// Open gives the window of a key, made anew when there is none, as the one
// that was touched last.
func (s *Store) Open(match int32, key Key) (id int32, fresh bool) {
	id = s.table.find(&s.slots, key)
	if id == 0 {
		id, fresh = s.slots.take(), true
		slot := s.slots.at(id)
		slot.Key, slot.Match, slot.Newest = key, match, -1<<63
		s.table.add(&s.slots, id)
	} else {
		if s.lists[match].newest == id {
			return id, false
		}
		s.unlink(id)
	}
	s.link(id)
	return id, fresh
}

// Close forgets a window.
func (s *Store) Close(id int32) {
	slot := s.slots.at(id)
	for slot.Lanes != 0 {
		s.DropLane(slot, slot.Lanes)
	}
	s.table.remove(&s.slots, id)
	s.unlink(id)
	s.slots.give(id)
}

func (s *Store) link(id int32) {
	slot := s.slots.at(id)
	l := &s.lists[slot.Match]
	slot.older, slot.newer = l.newest, 0
	if l.newest != 0 {
		s.slots.at(l.newest).newer = id
	} else {
		l.oldest = id
	}
	l.newest = id
	l.n++
}

func (s *Store) unlink(id int32) {
	slot := s.slots.at(id)
	l := &s.lists[slot.Match]
	if slot.older != 0 {
		s.slots.at(slot.older).newer = slot.newer
	} else {
		l.oldest = slot.newer
	}
	if slot.newer != 0 {
		s.slots.at(slot.newer).older = slot.older
	} else {
		l.newest = slot.older
	}
	l.n--
}

// Oldest is the window of a match that was touched longest ago, or 0; Newer
// the one after it.
func (s *Store) Oldest(match int32) int32 { return s.lists[match].oldest }

// Newer is the window of the same match that was touched next, or 0.
func (s *Store) Newer(id int32) int32 { return s.slots.at(id).newer }

// Renumber gives the matches other numbers: to[old] is the new one; windows of
// a match with a negative one are closed.
func (s *Store) Renumber(to []int32, matches int) {
	for match := range s.lists {
		for to[match] < 0 && s.lists[match].oldest != 0 {
			s.Close(s.lists[match].oldest)
		}
	}
	old := s.lists
	s.lists = make([]list, matches)
	for match, l := range old {
		if to[match] >= 0 {
			s.lists[to[match]].Held = l.Held
		}
		for id := l.oldest; id != 0; {
			next := s.slots.at(id).newer
			s.slots.at(id).Match = to[match]
			s.link(id)
			id = next
		}
	}
	for id := int32(1); id < s.notes.n; id++ {
		if n := s.notes.at(id); n.text != "" {
			n.match = to[n.match]
		}
	}
}
