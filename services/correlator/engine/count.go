package engine

import (
	"firebreak/services/correlator/engine/window"
)

// count stands at an event when it is at least the atLeast-th of its group
// within the time before it. An event that comes out of order may make those
// after it stand.
func (e *Engine) count(a arrival) {
	lane := a.slot.Lanes
	if lane == 0 {
		lane = e.store.AddLane(a.slot, 0)
	}
	id := e.store.Insert(a.slot, lane, entryOf(a.hit))
	if id == 0 {
		e.duplicate(a)
		return
	}
	var stand []int32
	if int(a.slot.N) >= a.node.AtLeast {
		stand = e.countStands(a, lane, id)
	}
	if e.Observe != nil {
		have := e.countAt(a.slot, lane, a.hit.at, int64(a.node.Within))
		e.observe(Window, a.node, a.group, a.hit, have, a.node.AtLeast, "")
	}
	if !e.store.Entry(id).Has(window.Stood) {
		e.remember(a, id)
	}
	e.complete(a, stand)
	if e.prunes(a) {
		e.pruneCount(a.node, a.slot, lane)
	}
}

// countStands gives the entries at which the number is reached now, the
// earliest first.
func (e *Engine) countStands(a arrival, lane, id int32) (stand []int32) {
	need, within := a.node.AtLeast, int64(a.node.Within)
	ids, later := e.work.ids[:0], 0
	for at := e.store.Lane(lane).Head; at != 0 && len(ids) < later+need; {
		entry := e.store.Entry(at)
		if ids = append(ids, at); entry.At >= a.hit.at {
			later = len(ids)
		}
		at = entry.Older
	}
	e.work.ids = ids
	first := 0 // of those of the same time: they all lie not later than one another
	for i, at := range ids[:later] {
		entry := e.store.Entry(at)
		if entry.At != e.store.Entry(ids[first]).At {
			first = i
		}
		last := first + need - 1
		if last >= len(ids) {
			break
		}
		if !e.may(entry, a.hit, within) || e.store.Entry(ids[last]).At <= entry.At-within {
			continue
		}
		entry.Mark(window.Stood)
		stand = append(stand, at)
	}
	for i, j := 0, len(stand)-1; i < j; i, j = i+1, j-1 {
		stand[i], stand[j] = stand[j], stand[i]
	}
	return stand
}

// may says whether an arrival can make an entry stand that did not before.
func (e *Engine) may(entry *window.Entry, z hit, within int64) bool {
	return !entry.Has(window.Stood) && entry.At <= z.at+within && (entry.At >= e.done || entry.Hash == z.hash)
}

// countAt is how many entries lie within a time.
func (e *Engine) countAt(slot *window.Slot, lane int32, at, within int64) (n int) {
	for id := e.store.Lane(lane).Head; id != 0; {
		entry := e.store.Entry(id)
		if entry.At <= at-within {
			break
		}
		if entry.At <= at {
			n++
		}
		id = entry.Older
	}
	return n
}

// pruneCount cuts what no event can count any more: those that come now are
// not older than what is decided, and count at most so many back.
func (e *Engine) pruneCount(n *node, slot *window.Slot, lane int32) {
	last, kept, old := int32(0), 0, 0
	for id := e.store.Lane(lane).Head; id != 0 && kept < n.limit; {
		entry := e.store.Entry(id)
		if entry.At < e.done {
			if old++; old >= n.AtLeast || entry.At <= e.done-int64(n.Within) {
				break
			}
		}
		last = id
		kept++
		id = entry.Older
	}
	e.store.Cut(slot, lane, last)
	e.pruned(slot)
}
