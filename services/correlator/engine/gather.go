package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

// maxValues bounds the values that a window of distinct holds; what is dropped
// is the one that was seen longest ago.
const maxValues = 1024

// gather is all and distinct: both stand at an event when enough lanes, one for
// each operand or value, have one within the time before it.
func (e *Engine) gather(a arrival) {
	value := uint64(a.operand) //nolint:gosec // a position
	if a.node.Op == playbook.OpDistinct {
		value = a.value
	}
	lane := e.store.LaneOf(a.slot, value)
	if lane == 0 {
		lane = e.store.AddLane(a.slot, value)
	}
	id := e.store.Insert(a.slot, lane, entryOf(a.hit))
	if id == 0 {
		e.duplicate(a)
		return
	}
	stand := e.gatherStands(a, id)
	if e.Observe != nil {
		e.observe(Window, a.node, a.group, a.hit, e.lanesAt(a.node, a.slot, a.hit.at, 1<<30), a.node.enough(), "")
	}
	if !e.store.Entry(id).Has(window.Stood) {
		e.remember(a, id)
	}
	e.complete(a, stand)
	if e.prunes(a) {
		e.pruneGather(a.node, a.slot)
	}
}

// enough is how many lanes make it stand.
func (n *node) enough() int {
	if n.Op == playbook.OpAll {
		return len(n.Of)
	}
	return n.AtLeast
}

// low is the earliest time that counts for an event: the span of all holds both
// ends, that of distinct ends with the event alone.
func (n *node) low(at int64) int64 {
	if n.Op == playbook.OpAll {
		return at - int64(n.Within)
	}
	return at - int64(n.Within) + 1
}

// gatherStands gives the entries at which it stands now, the earliest first and
// each event once.
func (e *Engine) gatherStands(a arrival, id int32) []int32 {
	ids := e.work.ids[:0]
	stood := false
	for lane := a.slot.Lanes; lane != 0; lane = e.store.Lane(lane).Next {
		for at := e.store.Lane(lane).Head; at != 0; {
			entry := e.store.Entry(at)
			if entry.At < a.hit.at {
				break
			}
			if entry.At == a.hit.at && entry.Hash == a.hit.hash && entry.Has(window.Stood) {
				stood = true // as another operand
			}
			if e.may(entry, a.hit, int64(a.node.Within)) {
				ids = append(ids, at)
			}
			at = entry.Older
		}
	}
	e.work.ids = ids
	if stood {
		e.store.Entry(id).Mark(window.Stood)
	}
	if len(ids) > 1 {
		slices.SortFunc(ids, func(x, y int32) int {
			a, b := e.store.Entry(x), e.store.Entry(y)
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Hash, b.Hash))
		})
	}
	var stand []int32
	var last window.Entry
	for _, at := range e.reached(a, ids) {
		entry := e.store.Entry(at)
		if entry.Has(window.Stood) {
			continue
		}
		entry.Mark(window.Stood)
		if len(stand) == 0 || last.At != entry.At || last.Hash != entry.Hash {
			stand = append(stand, at)
		}
		last = *entry
	}
	return stand
}

// fewLater is up to how many entries are looked at one by one.
const fewLater = 4

// reached gives those of the entries, the earliest first, at which enough lanes
// have one within the time before. Of many, which only events out of order
// bring about, it is found in one pass over the time that they lie in: whoever
// chooses their times must not make each event cost the square of their number.
func (e *Engine) reached(a arrival, ids []int32) []int32 {
	enough, out := a.node.enough(), ids[:0]
	if len(ids) <= fewLater {
		for _, id := range ids {
			if e.lanesAt(a.node, a.slot, e.store.Entry(id).At, enough) >= enough {
				out = append(out, id)
			}
		}
		return out
	}
	all, lanes := e.span(a, e.store.Entry(ids[len(ids)-1]).At)
	in, have, from, to := make([]int32, lanes), 0, 0, 0
	for _, id := range ids {
		at := e.store.Entry(id).At
		for ; to < len(all) && all[to].at <= at; to++ {
			if in[all[to].lane]++; in[all[to].lane] == 1 {
				have++
			}
		}
		for low := a.node.low(at); from < to && all[from].at < low; from++ {
			if in[all[from].lane]--; in[all[from].lane] == 0 {
				have--
			}
		}
		if have >= enough {
			out = append(out, id)
		}
	}
	return out
}

// lying is when a lane, counted through, has an entry.
type lying struct {
	at   int64
	lane int32
}

// span gives the entries that count for those from an arrival to a time, in
// the order of time, and how many lanes there are.
func (e *Engine) span(a arrival, to int64) (all []lying, lanes int32) {
	low := a.node.low(a.hit.at)
	for lane := a.slot.Lanes; lane != 0; lane = e.store.Lane(lane).Next {
		for id := e.latest(lane, to); id != 0 && e.store.Entry(id).At >= low; id = e.store.Entry(id).Older {
			all = append(all, lying{e.store.Entry(id).At, lanes})
		}
		lanes++
	}
	slices.SortFunc(all, func(x, y lying) int { return cmp.Compare(x.at, y.at) })
	return all, lanes
}

// lanesAt counts the lanes that have an entry within the time before an event.
func (e *Engine) lanesAt(n *node, slot *window.Slot, at int64, enough int) (lanes int) {
	low := n.low(at)
	for lane := slot.Lanes; lane != 0 && lanes < enough; {
		l := e.store.Lane(lane)
		if id := e.latest(lane, at); id != 0 && e.store.Entry(id).At >= low {
			lanes++
		}
		lane = l.Next
	}
	return lanes
}

// latest gives a lane's latest entry that is not later than a time, or 0.
func (e *Engine) latest(lane int32, at int64) int32 {
	if lane == 0 {
		return 0
	}
	id := e.store.Lane(lane).Head
	for id != 0 && e.store.Entry(id).At > at {
		id = e.store.Entry(id).Older
	}
	return id
}

func (e *Engine) allParts(a arrival, h hit) (parts []part) {
	for operand := range a.node.Of {
		id := e.latest(e.laneOf(a.slot, operand), h.at)
		for same := id; same != 0 && e.store.Entry(same).At == h.at; same = e.store.Entry(same).Older {
			if e.store.Entry(same).Hash == h.hash {
				id = same // itself, not another of the same time
			}
		}
		if id != 0 {
			parts = append(parts, part{operand, e.stored(a.node, operand, id, h)})
		}
	}
	return parts
}

// pruneGather cuts each lane after the latest entry that is decided, and drops
// lanes that have none in reach.
func (e *Engine) pruneGather(n *node, slot *window.Slot) {
	low, lanes := n.low(e.done), 0
	for lane := slot.Lanes; lane != 0; {
		next := e.store.Lane(lane).Next
		last, kept := int32(0), 0
		for id := e.store.Lane(lane).Head; id != 0 && kept < n.limit; {
			entry := e.store.Entry(id)
			if entry.At < low {
				break
			}
			last = id
			kept++
			if entry.At < e.done {
				break
			}
			id = entry.Older
		}
		if last == 0 {
			e.store.DropLane(slot, lane)
		} else {
			e.store.Cut(slot, lane, last)
			lanes++
		}
		lane = next
	}
	if n.Op == playbook.OpDistinct && lanes > max(maxValues, 2*n.AtLeast) {
		e.dropOldest(slot, lanes/4)
	}
	e.pruned(slot)
}

// dropOldest drops the lanes whose latest entry is oldest.
func (e *Engine) dropOldest(slot *window.Slot, n int) {
	ids := e.work.ids[:0]
	for lane := slot.Lanes; lane != 0; lane = e.store.Lane(lane).Next {
		ids = append(ids, lane)
	}
	e.work.ids = ids
	slices.SortFunc(ids, func(x, y int32) int {
		a, b := e.store.Lane(x), e.store.Lane(y)
		return cmp.Or(cmp.Compare(e.store.Entry(a.Head).At, e.store.Entry(b.Head).At), cmp.Compare(a.Value, b.Value))
	})
	for _, lane := range ids[:n] {
		e.store.DropLane(slot, lane)
	}
}

// readField reads the field of distinct and baseline.
func (a *arrival) readField() error {
	n := a.node
	if len(n.Field) == 0 {
		return nil
	}
	v, ok := lookUp(a.hit.data, n.Field)
	if !ok {
		return fmt.Errorf("field %s: %w", strings.Join(n.Field, "."), expr.ErrAbsent)
	}
	if n.Op == playbook.OpBaseline {
		if a.number, ok = v.(float64); !ok {
			return fmt.Errorf("field %s: %w: it is no number", strings.Join(n.Field, "."), schemas.ErrInvalid)
		}
		return nil
	}
	v = kept(v)
	words, err := text(v)
	if err != nil {
		return err
	}
	kind := "json"
	if _, ok := v.(string); ok {
		kind = "text" // "7" is another value than 7
	}
	a.value = identity(kind, "", words)
	return nil
}
