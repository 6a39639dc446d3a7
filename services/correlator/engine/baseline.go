package engine

import (
	"math"

	"firebreak/services/correlator/engine/window"
)

const (
	// leastHistory is how many earlier values it takes to know what is usual.
	leastHistory = 10
	// buckets is into how many pieces the history is merged once it is long.
	buckets = 64
	// longHistory is how many values are kept each by itself at most.
	longHistory = 1024
)

// baseline stands at an event whose value is far above the mean of those before
// it. It is decided on arrival, by what is known then.
//
// An entry's Seq is its value. Where old ones were merged it is their sum, and
// its Hash their number.
func (e *Engine) baseline(a arrival) {
	n := a.node
	lane := a.slot.Lanes
	if lane == 0 {
		lane = e.store.AddLane(a.slot, 0)
	}
	mean, values := e.usual(lane, a.hit.at, int64(n.Over))
	entry := window.Entry{At: a.hit.at, Seq: math.Float64bits(a.number), Hash: a.hit.hash}
	if e.store.Insert(a.slot, lane, entry) == 0 {
		e.duplicate(a)
		return
	}
	e.observe(Window, n, a.group, a.hit, values, leastHistory, "earlier values")
	stands := values >= leastHistory && a.number > n.Factor*mean
	if a.slot.N >= max(a.slot.Prune, 2*buckets) {
		e.merge(a.slot, lane, e.done, int64(n.Over))
		if a.slot.N > longHistory {
			e.merge(a.slot, lane, math.MaxInt64, int64(n.Over))
		}
		a.slot.Prune = a.slot.N + buckets
	}
	if stands {
		e.stands(a, a.hit)
	}
}

// usual gives the mean of the values before a time, and how many there are.
func (e *Engine) usual(lane int32, at, over int64) (mean float64, n int) {
	sum := 0.0
	for id := e.store.Lane(lane).Head; id != 0; {
		entry := e.store.Entry(id)
		if entry.At <= at-over {
			break
		}
		if entry.At < at {
			sum += math.Float64frombits(entry.Seq)
			n += valuesOf(entry)
		}
		id = entry.Older
	}
	return sum / float64(max(n, 1)), n
}

// merge makes one entry of all values before a time that lie in the same piece
// of the history, under the latest one's time, and drops what is out of reach.
func (e *Engine) merge(slot *window.Slot, lane int32, before, over int64) {
	piece := max(over/buckets, 1)
	var into *window.Entry
	e.store.Keep(slot, lane, func(entry *window.Entry) bool {
		if entry.At <= e.done-over {
			return false
		}
		if entry.At >= before {
			return true
		}
		if into == nil || into.At/piece != entry.At/piece {
			into = entry
			return true
		}
		into.Seq = math.Float64bits(math.Float64frombits(into.Seq) + math.Float64frombits(entry.Seq))
		into.Hash = uint64(valuesOf(into) + valuesOf(entry)) //nolint:gosec // a number of values
		into.Mark(merged)
		return false
	})
}

// merged marks an entry that stands for several values.
const merged = window.Stood

func valuesOf(entry *window.Entry) int {
	if entry.Has(merged) {
		return int(entry.Hash) //nolint:gosec // a number of values
	}
	return 1
}
