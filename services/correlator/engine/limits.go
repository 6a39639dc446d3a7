package engine

import "time"

// sweepEvery is how far the watermark moves between two looks for windows that
// are over.
const sweepEvery = int64(time.Second)

// evict closes the window of a match that was touched longest ago.
func (e *Engine) evict(n *node) {
	e.store.Close(e.store.Oldest(n.index))
	e.reports.overflowed(e, n, e.limits.windows, 1, "")
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
}
