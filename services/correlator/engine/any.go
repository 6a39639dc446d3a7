package engine

import (
	"slices"
	"strconv"
)

// pass remembers that a match of `any` stands at an event already: it may be
// one of several of its signals.
type pass struct {
	node *node
	hash uint64
	at   int64
}

// any stands at each event of its operands, once.
func (e *Engine) any(u use, h hit) {
	n := u.node
	again := e.stoodBefore(n, h)
	if !n.root() {
		if again {
			return
		}
		e.observe(Stands, n, "", h, 0, 0, "")
		for _, up := range n.uses {
			e.arrive(up, h)
		}
		return
	}
	parts := []part{{u.operand, h}}
	if again {
		for i := range e.work.fires {
			if f := &e.work.fires[i]; f.node == n && f.hit.hash == h.hash && f.hit.at == h.at {
				f.join(parts)
			}
		}
		return
	}
	group, err := groupText(n.by(u.operand), h.data)
	if err != nil {
		n.book.stats.fail(err)
		e.observe(Failed, n, "", h, 0, 0, err.Error())
		return
	}
	e.fire(n, h, group, h, u.operand, parts)
}

// stoodBefore says whether it stands at the event already. An operand that is a
// match may be completed by an event long after another was: what it stood at
// is kept until the watermark has passed it.
func (e *Engine) stoodBefore(n *node, h hit) bool {
	if !n.nests() {
		p := pass{n, h.hash, h.at}
		if slices.Contains(e.work.passed, p) {
			return true
		}
		e.work.passed = append(e.work.passed, p)
		return false
	}
	id, fresh := e.store.Open(n.index, n.key(strconv.FormatUint(h.hash, 16)+"/"+strconv.FormatInt(h.at, 16)))
	if fresh {
		e.store.Slot(id).Newest = h.at
		if e.store.Count(n.index) > e.limits.windows {
			e.store.Close(e.store.Oldest(n.index)) // no group is forgotten by it
		}
	}
	return !fresh
}

// nests says whether an operand is a match.
func (n *node) nests() bool {
	return slices.ContainsFunc(n.Of, func(of int) bool { return n.book.Signals[of].Match != nil })
}
