package engine

import (
	"cmp"
	"container/heap"

	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// maxDue is how many deadlines are decided at one record of the log: a million
// that are due at once must not hold up all else. The others are decided at the
// next records; ticks come as long as something is pending.
const maxDue = 4096

// deadline is when something is decided about an entry that is pending. A
// million of them may be open, so it holds nothing that its window knows.
type deadline struct {
	at          int64
	slot, entry int32
}

// ripe is a deadline that is decided next, with what puts it in order.
type ripe struct {
	deadline
	node int32
	key  window.Key
	hash uint64
}

// deadlines are in the order in which they are decided: by time, then by
// playbook and match, then by group. Their windows tell that order, and may be
// gone when it matters; so only those of the next time are looked up, and put
// in order by what was found. One whose entry is gone stays until most are of
// that kind.
type deadlines struct {
	later byTime
	ripe  byRank
}

type byTime []deadline

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].at < h[j].at }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are for container/heap.
func (h *byTime) Push(x any) { *h = pushed(*h, x) }

// Pop takes the last one away.
func (h *byTime) Pop() any { return popped((*[]deadline)(h)) }

type byRank []ripe

func (h byRank) Len() int { return len(h) }
func (h byRank) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return cmp.Or(cmp.Compare(a.node, b.node), compareKeys(a.key, b.key), cmp.Compare(a.hash, b.hash)) < 0
}
func (h byRank) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push and Pop are for container/heap.
func (h *byRank) Push(x any) { *h = pushed(*h, x) }

// Pop takes the last one away.
func (h *byRank) Pop() any { return popped((*[]ripe)(h)) }

func pushed[T any](list []T, x any) []T {
	if one, ok := x.(T); ok {
		list = append(list, one)
	}
	return list
}

func popped[T any](list *[]T) T {
	last := (*list)[len(*list)-1]
	*list = (*list)[:len(*list)-1]
	return last
}

func (q *deadlines) add(e *Engine, d deadline) {
	if n := len(q.later); n > 64 && n > 2*e.store.Pending() {
		q.rebuild(e)
	}
	heap.Push(&q.later, d)
}

// rebuild makes the deadlines anew from the windows, which may have other
// numbers by now.
func (q *deadlines) rebuild(e *Engine) {
	q.later, q.ripe = q.later[:0], nil
	if e.store.Pending() == 0 {
		return
	}
	for _, n := range e.nodes {
		if !n.deferred() {
			continue
		}
		for id := e.store.Oldest(n.index); id != 0; id = e.store.Newer(id) {
			q.collect(e, n, id)
		}
	}
	heap.Init(&q.later)
}

func (q *deadlines) collect(e *Engine, n *node, id int32) {
	lane := e.laneOf(e.store.Slot(id), operandOf(n))
	if lane == 0 {
		return
	}
	for at := e.store.Lane(lane).Head; at != 0; at = e.store.Entry(at).Older {
		if entry := e.store.Entry(at); entry.Has(window.Pending) {
			q.later = append(q.later, deadline{at: n.deadline(entry.At), slot: id, entry: at})
		}
	}
}

// deadline is when an entry that was pending since a time is decided about.
func (n *node) deadline(at int64) int64 {
	if n.Op == playbook.OpAbsent {
		return at + int64(n.Within)
	}
	return at
}

// next gives the first deadline that the watermark has passed. At the watermark
// itself an event may still come.
func (q *deadlines) next(e *Engine) (r ripe, ok bool) {
	for len(q.later) > 0 && q.later[0].at < e.clock.mark && (len(q.ripe) == 0 || q.later[0].at <= q.ripe[0].at) {
		if d, is := heap.Pop(&q.later).(deadline); is {
			q.ripen(e, d)
		}
	}
	if len(q.ripe) == 0 {
		return r, false
	}
	r, ok = heap.Pop(&q.ripe).(ripe)
	return r, ok
}

// ripen looks up what puts a deadline in order. A place that was given up may
// be another's by now, which has a deadline of its own.
func (q *deadlines) ripen(e *Engine, d deadline) {
	slot, entry := e.store.Slot(d.slot), e.store.Entry(d.entry)
	n := e.nodes[slot.Match]
	if slot.N > 0 && n.deferred() && entry.Has(window.Pending) && n.deadline(entry.At) == d.at {
		heap.Push(&q.ripe, ripe{d, n.index, slot.Key, entry.Hash})
	}
}

// decideDue decides what the watermark has passed, as much as one record may.
func (e *Engine) decideDue() {
	for n := 0; n < e.limits.due; {
		d, ok := e.due.next(e)
		if !ok {
			e.done = max(e.done, e.clock.mark)
			return
		}
		if e.decide(d) {
			n++
		}
	}
}

// decide decides about an entry, unless that is gone.
func (e *Engine) decide(d ripe) bool {
	slot := e.store.Slot(d.slot)
	if slot.Key != d.key {
		return false
	}
	n := e.nodes[d.node]
	operand := operandOf(n)
	lane := e.laneOf(slot, operand)
	if lane == 0 || !e.store.Holds(lane, d.entry) {
		return false
	}
	if entry := e.store.Entry(d.entry); entry.Hash != d.hash || !entry.Has(window.Pending) || n.deadline(entry.At) != d.at {
		return false
	}
	e.at = n.book
	late := e.done > d.at
	e.done = max(e.done, d.at)
	a := arrival{node: n, operand: operand, hit: e.stored(n, operand, d.entry, hit{}), id: d.slot, slot: slot}
	group, err := groupText(n.by(operand), a.hit.data)
	a.group = group
	e.store.Remove(slot, lane, d.entry)
	switch {
	case err != nil:
		n.book.stats.fail(err)
	case n.Op == playbook.OpAbsent:
		e.decideAbsent(a, d.at)
	default:
		e.decideSequence(a, late)
	}
	e.closeEmpty(d.slot)
	e.flush()
	return true
}
