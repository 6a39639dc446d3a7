package window

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/services/correlator/engine/packed"
)

// model is what a store should hold, in plain maps and lists.
type model struct {
	order map[int32][]Key           // windows by match, the one touched longest ago first
	lanes map[Key]map[uint64][]item // the newest entry first
}

type item struct {
	At      int64
	Hash    uint64
	Note    string
	Pending bool
}

func (m *model) match(key Key) int32 {
	for match, keys := range m.order {
		if slices.Contains(keys, key) {
			return match
		}
	}
	return -1
}

func (m *model) close(key Key) {
	match := m.match(key)
	m.order[match] = slices.DeleteFunc(m.order[match], func(k Key) bool { return k == key })
	delete(m.lanes, key)
}

// check compares all that the store tells with the model.
func (m *model) check(t *rapid.T, s *Store) {
	windows, pending := 0, 0
	var all Held
	for match, keys := range m.order {
		var got []Key
		var held Held
		for id := s.Oldest(match); id != 0; id = s.Newer(id) {
			slot := s.Slot(id)
			got = append(got, slot.Key)
			lanes := map[uint64][]item{}
			n := int32(0)
			for lane := slot.Lanes; lane != 0; lane = s.Lane(lane).Next {
				l := s.Lane(lane)
				list := []item{}
				for at := l.Head; at != 0; at = s.Entry(at).Older {
					e := s.Entry(at)
					list = append(list, item{e.At, e.Hash, s.Note(at), e.Has(Pending)})
					if note := s.Note(at); note != "" {
						held.Noted += len(note) + place
					}
					if e.Has(Pending) {
						pending++
					}
				}
				if int(l.N) != len(list) {
					t.Fatalf("a lane says %d, holds %d", l.N, len(list))
				}
				n += l.N
				lanes[l.Value] = list
			}
			if slot.N != n {
				t.Fatalf("a window says %d, holds %d", slot.N, n)
			}
			held.Entries += int(n)
			if d := cmp.Diff(m.lanes[slot.Key], lanes); d != "" {
				t.Fatal(d)
			}
			if s.Find(slot.Key) != id {
				t.Fatal("a window is not found")
			}
		}
		if d := cmp.Diff(keys, got); len(keys)+len(got) > 0 && d != "" {
			t.Fatal(d)
		}
		if s.Count(match) != len(keys) {
			t.Fatal("another number of windows")
		}
		if s.HeldBy(match) != held {
			t.Fatalf("a match says that it holds %v, it holds %v", s.HeldBy(match), held)
		}
		all.Entries += held.Entries
		all.Noted += held.Noted
		windows += len(keys)
	}
	if s.Len() != windows || s.Held() != all || s.Pending() != pending {
		t.Fatalf("%d windows, %v, %d pending; want %d, %v, %d", s.Len(), s.Held(), s.Pending(), windows, all, pending)
	}
}

const matches = 3

func TestStoreAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(matches)
		m := &model{order: map[int32][]Key{0: nil, 1: nil, 2: nil}, lanes: map[Key]map[uint64][]item{}}
		key := func(t *rapid.T) Key {
			// Few cells of the table, so that windows meet there.
			return Key{Hi: rapid.Uint64Range(0, 30).Draw(t, "hi"), Lo: rapid.Uint64Range(0, 2).Draw(t, "lo")}
		}
		known := func(t *rapid.T) (Key, *Slot) {
			k := key(t)
			id := s.Find(k)
			if (id != 0) != (m.match(k) >= 0) {
				t.Fatalf("window %v is %d", k, id)
			}
			if id == 0 {
				return k, nil
			}
			return k, s.Slot(id)
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { m.check(t, s) },
			"open": func(t *rapid.T) {
				k := key(t)
				match := m.match(k)
				is := match >= 0
				if !is {
					match = rapid.Int32Range(0, matches-1).Draw(t, "match")
				}
				if _, fresh := s.Open(match, k); fresh == is {
					t.Fatal("fresh is wrong")
				}
				if !is {
					m.lanes[k] = map[uint64][]item{}
				}
				m.order[match] = append(slices.DeleteFunc(m.order[match], func(o Key) bool { return o == k }), k)
			},
			"close": func(t *rapid.T) {
				k, slot := known(t)
				if slot == nil {
					return
				}
				s.Close(s.Find(k))
				m.close(k)
			},
			"insert": func(t *rapid.T) {
				k, slot := known(t)
				if slot == nil {
					return
				}
				value := rapid.Uint64Range(0, 2).Draw(t, "lane")
				lane := s.LaneOf(slot, value)
				if lane == 0 {
					lane = s.AddLane(slot, value)
				}
				e := item{At: rapid.Int64Range(0, 5).Draw(t, "at"), Hash: rapid.Uint64Range(0, 3).Draw(t, "hash"), Pending: rapid.Bool().Draw(t, "pending")}
				entry := Entry{At: e.At, Hash: e.Hash}
				if e.Pending {
					entry.Mark(Pending)
				}
				id := s.Insert(slot, lane, entry)
				list := m.lanes[k][value]
				if list == nil {
					list = []item{}
				}
				if same := slices.ContainsFunc(list, func(o item) bool { return o.At == e.At && o.Hash == e.Hash }); same != (id == 0) {
					t.Fatal("the same event is taken twice, or another is not")
				} else if !same {
					if e.Note = rapid.SampledFrom([]string{"", "x", "yy"}).Draw(t, "note"); e.Note != "" {
						s.SetNote(slot, id, e.Note)
					}
					i := slices.IndexFunc(list, func(o item) bool { return o.At <= e.At })
					if i < 0 {
						i = len(list)
					}
					list = slices.Insert(list, i, e)
				}
				m.lanes[k][value] = list
			},
			"cut": func(t *rapid.T) {
				k, slot := known(t)
				if slot == nil {
					return
				}
				value := rapid.Uint64Range(0, 2).Draw(t, "lane")
				lane := s.LaneOf(slot, value)
				if lane == 0 {
					return
				}
				list := m.lanes[k][value]
				n := rapid.IntRange(0, len(list)).Draw(t, "after")
				after, id := int32(0), s.Lane(lane).Head
				for range n {
					after, id = id, s.Entry(id).Older
				}
				s.Cut(slot, lane, after)
				m.lanes[k][value] = list[:n:n]
			},
			"remove": func(t *rapid.T) {
				k, slot := known(t)
				if slot == nil {
					return
				}
				value := rapid.Uint64Range(0, 2).Draw(t, "lane")
				lane := s.LaneOf(slot, value)
				list := m.lanes[k][value]
				if len(list) == 0 {
					return
				}
				n := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				id := s.Lane(lane).Head
				for range n {
					id = s.Entry(id).Older
				}
				if !s.Holds(lane, id) {
					t.Fatal("the lane does not hold its entry")
				}
				s.Remove(slot, lane, id)
				if s.Holds(lane, id) {
					t.Fatal("the lane holds an entry that was removed")
				}
				m.lanes[k][value] = slices.Delete(slices.Clone(list), n, n+1)
			},
			"keep": func(t *rapid.T) {
				k, slot := known(t)
				if slot == nil {
					return
				}
				value := rapid.Uint64Range(0, 2).Draw(t, "lane")
				lane := s.LaneOf(slot, value)
				if lane == 0 {
					return
				}
				odd := func(hash uint64) bool { return hash%2 == 1 }
				list := slices.DeleteFunc(slices.Clone(m.lanes[k][value]), func(o item) bool { return !odd(o.Hash) })
				if n := s.Keep(slot, lane, func(e *Entry) bool { return odd(e.Hash) }); n != len(m.lanes[k][value])-len(list) {
					t.Fatalf("%d dropped", n)
				}
				m.lanes[k][value] = list
			},
			"drop lane": func(t *rapid.T) {
				k, slot := known(t)
				if slot == nil {
					return
				}
				value := rapid.Uint64Range(0, 2).Draw(t, "lane")
				lane := s.LaneOf(slot, value)
				if lane == 0 {
					return
				}
				s.DropLane(slot, lane)
				delete(m.lanes[k], value)
			},
			"renumber": func(t *rapid.T) {
				to := rapid.SampledFrom([][]int32{{0, 1, 2}, {2, 0, 1}, {1, -1, 0}}).Draw(t, "to")
				s.Renumber(to, matches)
				old := m.order
				m.order = map[int32][]Key{0: nil, 1: nil, 2: nil}
				for match, keys := range old {
					if to[match] >= 0 {
						m.order[to[match]] = keys
						continue
					}
					for _, k := range keys {
						delete(m.lanes, k)
					}
				}
			},
			"write and read": func(t *rapid.T) {
				var w packed.Writer
				for match := range int32(matches) {
					s.Write(&w, match)
				}
				r, err := packed.Open(w.Seal("TEST", 1), "TEST", 1)
				if err != nil {
					t.Fatal(err)
				}
				s = New(matches)
				for match := range int32(matches) {
					s.Read(r, match)
				}
				if err := r.Err(); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}
