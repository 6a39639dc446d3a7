package engine

import (
	"cmp"
	"container/heap"

	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// deadline is when something is decided about an entry that is pending.
type deadline struct {
	at          int64
	node        int32
	slot, entry int32
	key         window.Key
	hash        uint64
}

// deadlines are in the order in which they are decided: by time, then by
// playbook and match, then by group. One whose entry is gone stays until most
// are of that kind.
type deadlines struct{ heap byDeadline }

type byDeadline []deadline

func (h byDeadline) Len() int { return len(h) }
func (h byDeadline) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return cmp.Or(cmp.Compare(a.node, b.node), compareKeys(a.key, b.key), cmp.Compare(a.hash, b.hash)) < 0
}
func (h byDeadline) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push and Pop are for container/heap.
func (h *byDeadline) Push(x any) {
	if d, ok := x.(deadline); ok {
		*h = append(*h, d)
	}
}

// Pop takes the last one away.
func (h *byDeadline) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (q *deadlines) add(e *Engine, d deadline) {
	if len(q.heap) > 64 && len(q.heap) > 2*e.store.Pending() {
		q.rebuild(e)
	}
	heap.Push(&q.heap, d)
}

// rebuild makes the deadlines anew from the windows, which may have other
// numbers by now.
func (q *deadlines) rebuild(e *Engine) {
	q.heap = q.heap[:0]
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
	heap.Init(&q.heap)
}

func (q *deadlines) collect(e *Engine, n *node, id int32) {
	slot := e.store.Slot(id)
	lane := e.laneOf(slot, operandOf(n))
	if lane == 0 {
		return
	}
	for at := e.store.Lane(lane).Head; at != 0; at = e.store.Entry(at).Older {
		entry := e.store.Entry(at)
		if entry.Has(window.Pending) {
			q.heap = append(q.heap, deadline{
				at: n.deadline(entry.At), node: n.index, slot: id, entry: at, key: slot.Key, hash: entry.Hash,
			})
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

// decideDue decides what the watermark has passed. At the watermark itself an
// event may still come.
func (e *Engine) decideDue() {
	for len(e.due.heap) > 0 && e.due.heap[0].at < e.clock.mark {
		d, ok := heap.Pop(&e.due.heap).(deadline)
		if ok {
			e.done = max(e.done, d.at)
			e.decide(d)
			e.flush()
		}
	}
	e.done = max(e.done, e.clock.mark)
}

func (e *Engine) decide(d deadline) {
	slot := e.store.Slot(d.slot)
	if slot.Key != d.key {
		return
	}
	n := e.nodes[d.node]
	operand := operandOf(n)
	lane := e.laneOf(slot, operand)
	if lane == 0 || !e.store.Holds(lane, d.entry) || e.store.Entry(d.entry).Hash != d.hash {
		return
	}
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
		e.decideSequence(a)
	}
	e.closeEmpty(d.slot)
}
