package engine

import (
	"firebreak/schemas"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// part is an operand that took part, and by which event.
type part struct {
	operand int
	hit     hit
}

// complete hands on that a match stands at entries of a window. What counts
// anew stands once, at the first of them.
func (e *Engine) complete(a arrival, stand []int32) {
	if len(stand) == 0 {
		return
	}
	if a.node.anew() {
		h := e.stored(a.node, 0, stand[0], a.hit)
		if !e.fire(a.node, h, a.group, a.hit, a.operand, []part{{0, h}}) {
			e.store.Close(a.id)
		}
		return
	}
	hits := make([]hit, len(stand))
	for i, id := range stand {
		hits[i] = e.stored(a.node, operandOf(a.node), id, a.hit)
		e.store.ClearNote(id)
	}
	for _, h := range hits {
		e.stands(a, h)
	}
}

// stands hands on that a match stands at a hit.
func (e *Engine) stands(a arrival, h hit) {
	if a.node.root() {
		e.fire(a.node, h, a.group, a.hit, a.operand, e.parts(a, h))
		return
	}
	e.observe(Stands, a.node, a.group, h, 0, 0, "")
	for _, u := range a.node.uses {
		e.arrive(u, h)
	}
}

// operandOf says as which operand the event that completes a match took part:
// what is noted of it depends on that only where the match waits for the watermark.
func operandOf(n *node) int {
	if n.Op == playbook.OpSequence {
		return len(n.Of) - 1
	}
	return 0
}

// parts gives the operands of the playbook's own match by which it stands at a hit.
func (e *Engine) parts(a arrival, h hit) []part {
	switch a.node.Op {
	case playbook.OpAll:
		return e.allParts(a, h)
	case playbook.OpSequence:
		return e.chainParts(a, h)
	default:
		return []part{{0, h}}
	}
}

// duplicate counts an event that a window holds already.
func (e *Engine) duplicate(a arrival) {
	a.node.book.stats.Duplicates++
	e.observe(Duplicate, a.node, a.group, a.hit, 0, 0, "")
}

// prunes says whether it is time to cut what a window needs no more; the more
// it needs, the less often it is looked through. A window that was closed
// meanwhile has nothing to cut.
func (e *Engine) prunes(a arrival) bool {
	return a.slot.N > 0 && a.slot.N >= max(a.slot.Prune, e.limits.prune)
}

// pruned says when to look through a window next.
func (e *Engine) pruned(slot *window.Slot) {
	if e.limits.prune > 0 {
		slot.Prune = 2 * slot.N
	}
}

func ref(h hit) schemas.EventRef {
	r := schemas.EventRef{Source: h.ref.source, ID: h.ref.id, Type: h.ref.typ, Seq: h.seq, Time: instant(h.at)}
	if r.ID != "" {
		r.Time = instant(h.ref.time)
	}
	return r
}
