package engine

import (
	"firebreak/services/correlator/engine/window"
)

// sequence stands at an event of its last signal when the others lie before it
// in order. Of those the latest that fit are taken, from the last backwards:
// no other choice begins later.
//
// With until it is decided when the watermark has passed the last event; until
// then its break may still come.
func (e *Engine) sequence(a arrival) {
	n := a.node
	last := len(n.Of) - 1
	if a.operand == last && n.Until < 0 {
		e.sequenceLast(a, last)
		return
	}
	lane := e.lane(a)
	entry := entryOf(a.hit)
	if a.operand == last {
		entry.Mark(window.Pending)
	}
	id := e.store.Insert(a.slot, lane, entry)
	switch {
	case id == 0:
		e.duplicate(a)
		return
	case a.operand == last:
		e.store.SetNote(a.slot, id, n.note(a.operand, a.hit))
		e.due.add(e, deadline{at: a.hit.at, slot: a.id, entry: id})
		e.observe(Waits, n, a.group, a.hit, 0, 0, "until the watermark has passed it")
	case a.operand < last:
		e.observeChain(a)
		if n.Until < 0 {
			e.complete(a, e.sequenceStands(a, last))
		}
	}
	if e.prunes(a) {
		e.pruneSequence(n, a.slot)
	}
}

// lane gives the lane of an arrival's operand.
func (e *Engine) lane(a arrival) int32 {
	lane := e.laneOf(a.slot, a.operand)
	if lane == 0 {
		lane = e.store.AddLane(a.slot, uint64(a.operand)) //nolint:gosec // a position
	}
	return lane
}

// laneOf gives an operand's lane of a window, or 0.
func (e *Engine) laneOf(slot *window.Slot, operand int) int32 {
	return e.store.LaneOf(slot, uint64(operand)) //nolint:gosec // a position
}

// sequenceLast takes an event of the last signal: it is kept only while what
// belongs before it may still come.
func (e *Engine) sequenceLast(a arrival, last int) {
	chain := e.chain(a.node, a.slot, a.hit.at)
	e.observe(Window, a.node, a.group, a.hit, len(chain)+1, last+1, "")
	if len(chain) == last {
		a.slot.Newest = max(a.slot.Newest, a.hit.at)
		e.stands(a, a.hit)
		return
	}
	if a.hit.at >= e.done {
		lane := e.lane(a)
		id := e.store.Insert(a.slot, lane, entryOf(a.hit))
		if id == 0 {
			e.duplicate(a)
			return
		}
		e.remember(a, id)
		if e.prunes(a) {
			e.pruneSequence(a.node, a.slot)
		}
	}
	e.closeEmpty(a.id)
}

// chain gives the entries of the signals before the last that lead to a time,
// the latest first: as many as fit.
func (e *Engine) chain(n *node, slot *window.Slot, at int64) (ids []int32) {
	low := at - int64(n.Within)
	for operand := len(n.Of) - 2; operand >= 0; operand-- {
		id := e.latest(e.laneOf(slot, operand), at)
		if id == 0 || e.store.Entry(id).At < low {
			break
		}
		ids = append(ids, id)
		at = e.store.Entry(id).At
	}
	return ids
}

// sequenceStands gives the waiting events of the last signal that an earlier
// one completes by coming after them, the earliest first.
func (e *Engine) sequenceStands(a arrival, last int) (stand []int32) {
	lane := e.laneOf(a.slot, last)
	if lane == 0 {
		return nil
	}
	for id := e.store.Lane(lane).Head; id != 0; {
		entry := e.store.Entry(id)
		if entry.At < a.hit.at {
			break
		}
		if e.may(entry, a.hit, int64(a.node.Within)) && len(e.chain(a.node, a.slot, entry.At)) == last {
			entry.Mark(window.Stood)
			stand = append([]int32{id}, stand...)
		}
		id = entry.Older
	}
	return stand
}

// decideSequence decides a sequence with until at an event of its last signal.
// Where that came late, what broke it off may be forgotten.
func (e *Engine) decideSequence(a arrival, late bool) {
	n := a.node
	chain := e.chain(n, a.slot, a.hit.at)
	if len(chain) < len(n.Of)-1 {
		return
	}
	first := a.hit.at
	if len(chain) > 0 {
		first = e.store.Entry(chain[len(chain)-1]).At
	}
	switch breaks, torn := e.before(e.laneOf(a.slot, len(n.Of)), a.hit.at); {
	case breaks > first:
		e.observe(Broken, n, a.group, a.hit, 0, 0, "until came in between")
	case torn || late && first < e.done-int64(n.Within):
		until := n.book.Signals[n.Until].Name
		e.unknown(a, until, "the sequence came so late that a "+until+" in between may be forgotten")
	default:
		e.stands(a, a.hit)
	}
}

// before gives the time of a lane's latest entry that is not later than a time,
// and says whether a later one of those may be forgotten: of what is settled a
// lane may hold the latest alone.
func (e *Engine) before(lane int32, at int64) (is int64, torn bool) {
	if lane == 0 {
		return earliest, false
	}
	for id := e.store.Lane(lane).Head; id != 0; id = e.store.Entry(id).Older {
		entry := e.store.Entry(id)
		if entry.At <= at {
			return entry.At, torn
		}
		torn = entry.Has(window.Torn)
	}
	return earliest, torn
}

func (e *Engine) chainParts(a arrival, h hit) []part {
	parts := []part{{len(a.node.Of) - 1, h}}
	for i, id := range e.chain(a.node, a.slot, h.at) {
		operand := len(a.node.Of) - 2 - i
		part := part{operand, e.stored(a.node, operand, id, h)}
		parts = append(parts, part)
	}
	return parts
}

// pruneSequence cuts what no sequence can begin or go on with. Of what the
// watermark has passed, a signal needs the latest one, and the latest before
// each one that the next signal needs.
func (e *Engine) pruneSequence(n *node, slot *window.Slot) {
	last := len(n.Of) - 1
	low := e.done - int64(n.Within)
	needed := []int64{e.done - 1}
	for operand := last - 1; operand >= 0; operand-- {
		lane := e.laneOf(slot, operand)
		if lane == 0 {
			needed = needed[:1]
			continue
		}
		kept := needed[:1:1]
		bounds := needed
		e.store.Keep(slot, lane, func(entry *window.Entry) bool {
			if entry.At >= e.done {
				return true
			}
			if entry.At < low || len(bounds) == 0 || entry.At > bounds[0] {
				return false
			}
			for len(bounds) > 0 && entry.At <= bounds[0] {
				bounds = bounds[1:]
			}
			kept = append(kept, entry.At)
			return true
		})
		e.limit(n, slot, lane)
		needed = kept
	}
	for _, operand := range []int{last, last + 1} {
		lane := e.laneOf(slot, operand)
		if lane == 0 {
			continue
		}
		var settled *window.Entry // of until, the last one that is decided counts too
		e.store.Keep(slot, lane, func(entry *window.Entry) bool {
			switch {
			case entry.At >= e.done || entry.Has(window.Pending):
				return !entry.Has(window.Stood)
			case operand == last:
				return false
			case settled == nil:
				settled = entry
				return true
			}
			settled.Mark(window.Torn)
			return false
		})
		e.limit(n, slot, lane)
	}
	e.pruned(slot)
}

// limit cuts the oldest of a lane that has too many.
func (e *Engine) limit(n *node, slot *window.Slot, lane int32) {
	if int(e.store.Lane(lane).N) <= n.limit {
		return
	}
	id := e.store.Lane(lane).Head
	for range n.limit*3/4 - 1 {
		id = e.store.Entry(id).Older
	}
	before := e.store.Pending()
	e.store.Entry(id).Mark(window.Torn)
	e.store.Cut(slot, lane, id)
	if lost := before - e.store.Pending(); lost > 0 {
		e.reports.overflowed(e, n, n.limit, lost, "")
	}
}

// closeEmpty closes a window that holds nothing.
func (e *Engine) closeEmpty(id int32) {
	if e.store.Slot(id).N == 0 {
		e.store.Close(id)
	}
}
