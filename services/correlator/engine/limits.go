package engine

import (
	"time"

	"firebreak/services/correlator/engine/window"
)

// sweepEvery is how far the watermark moves between two looks for windows that
// are over.
const sweepEvery = int64(time.Second)

// evict closes the window of a match that was touched longest ago.
func (e *Engine) evict(n *node) {
	e.store.Close(e.store.Oldest(n.index))
	e.reports.overflowed(e, n, e.limits.windows, 1, "")
}

// fit forgets windows until what all of them hold fits: the one that was touched
// longest ago of the match that holds most. It comes when an event is done with,
// so that no window is closed that is worked on.
func (e *Engine) fit() {
	for {
		held := e.store.Held()
		switch {
		case held.Entries > e.limits.held.Entries:
			e.shrink(e.limits.held.Entries, func(h window.Held) int { return h.Entries })
		case held.Noted > e.limits.held.Noted:
			e.shrink(e.limits.held.Noted, func(h window.Held) int { return h.Noted })
		default:
			return
		}
	}
}

func (e *Engine) shrink(limit int, of func(window.Held) int) {
	most := e.nodes[0]
	for _, n := range e.nodes {
		if of(e.store.HeldBy(n.index)) > of(e.store.HeldBy(most.index)) {
			most = n
		}
	}
	e.store.Close(e.store.Oldest(most.index))
	e.reports.overflowed(e, most, limit, 1, "")
}

// sweep closes windows that no event can add to any more. Whether it has done
// so decides nothing but how much is kept.
func (e *Engine) sweep() {
	if e.done < e.swept+sweepEvery {
		return
	}
	e.swept = e.done
	for _, n := range e.nodes {
		for id := e.store.Oldest(n.index); id != 0 && e.store.Slot(id).Newest < e.done-n.reach(); {
			next := e.store.Newer(id)
			e.store.Close(id)
			id = next
		}
	}
	for name, b := range e.books { // of playbooks that are no more: nothing comes that would do it
		if e.known[name] {
			continue
		}
		if e.forgetGroups(name, b); len(b.byKey) == 0 {
			delete(e.books, name)
		}
	}
}
