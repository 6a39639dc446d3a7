package engine

import (
	"fmt"

	"firebreak/schemas"
	"firebreak/services/correlator/engine/window"
)

// The operands of absent.
const (
	afterLane = iota
	expectLane
)

// absent waits, after an event, for another of its group that does not come.
func (e *Engine) absent(a arrival) {
	if a.operand == afterLane {
		e.after(a)
	} else {
		e.expected(a)
	}
	e.closeEmpty(a.id)
}

// after begins to wait, unless what is expected is there: it may have come before.
func (e *Engine) after(a arrival) {
	end := a.hit.at + int64(a.node.Within)
	came, torn := e.before(e.laneOf(a.slot, expectLane), end)
	if came >= a.hit.at {
		e.observe(Met, a.node, a.group, a.hit, 0, 0, "what is expected has come")
		return
	}
	if torn || e.forgotten(a, end) {
		e.notCome(a, "it came so late that what was expected may be forgotten")
		return
	}
	entry := entryOf(a.hit)
	entry.Mark(window.Pending)
	lane := e.lane(a)
	id := e.store.Insert(a.slot, lane, entry)
	if id == 0 {
		e.duplicate(a)
		return
	}
	e.store.SetNote(a.slot, id, a.node.note(a.operand, a.hit))
	e.due.add(e, deadline{at: end, slot: a.id, entry: id})
	e.observe(Waits, a.node, a.group, a.hit, 0, 0, "for what is expected")
	e.limit(a.node, a.slot, lane)
}

// expected ends the waiting of the events that it follows in time.
func (e *Engine) expected(a arrival) {
	from := a.hit.at - int64(a.node.Within)
	if lane := e.laneOf(a.slot, afterLane); lane != 0 {
		met := e.store.Keep(a.slot, lane, func(entry *window.Entry) bool {
			return entry.At < from || entry.At > a.hit.at
		})
		if met > 0 {
			e.observe(Met, a.node, a.group, a.hit, met, 0, "it was expected")
		}
	}
	lane := e.lane(a)
	if e.store.Insert(a.slot, lane, entryOf(a.hit)) == 0 {
		e.duplicate(a)
		return
	}
	if e.prunes(a) {
		settled := false // the latest one tells those that come late that there was none after it
		e.store.Keep(a.slot, lane, func(entry *window.Entry) bool {
			keep := entry.At >= e.done || !settled
			settled = settled || entry.At < e.done
			return keep
		})
		e.limit(a.node, a.slot, lane)
		e.pruned(a.slot)
	}
}

// decideAbsent decides that what was expected did not come in time, or that
// nobody can tell.
func (e *Engine) decideAbsent(a arrival, until int64) {
	n := a.node
	if why := e.deaf(n, a.hit, until); why != "" {
		e.notCome(a, why)
		return
	}
	h := a.hit
	h.at = until
	e.stands(a, h)
}

// notCome tells that nobody knows whether what was expected came.
func (e *Engine) notCome(a arrival, why string) {
	n := a.node
	e.unknown(a, n.book.Signals[n.Of[expectLane]].Name, fmt.Sprintf("nothing came within %s, but %s", n.Within, why))
}

// unknown tells that nobody knows whether a signal failed to come.
func (e *Engine) unknown(a arrival, signal, why string) {
	n := a.node
	n.book.stats.Unknown++
	e.observe(NotKnown, n, a.group, a.hit, 0, 0, why)
	e.reports.notKnown(e, &schemas.UnknownEvent{
		Playbook: n.book.Name, Signal: signal, Group: a.group, After: a.hit.ref.id, Reason: why,
	})
}

// forgotten says that the watermark had passed an event of `after` before it
// came, so that what is expected may have come and be cut: of what is settled
// the window holds the latest alone, and none that lies `within` back.
func (e *Engine) forgotten(a arrival, end int64) bool {
	if a.hit.at < e.done-int64(a.node.Within) {
		return true
	}
	lane := e.laneOf(a.slot, expectLane)
	if lane == 0 {
		return false
	}
	id := e.latest(lane, e.done-1)
	return id != 0 && e.store.Entry(id).At > end
}

// deaf says why an absence means nothing; "" when it does mean something.
func (e *Engine) deaf(n *node, after hit, until int64) string {
	if e.AssumeAlive {
		return ""
	}
	host, _ := lookUp(after.data, hostName)
	name, _ := host.(string)
	return e.clock.alive(n.expect, name, span{after.at, until})
}
