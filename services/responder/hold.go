package responder

import (
	"cmp"
	"slices"

	"firebreak/schemas"
)

// holds is who holds what: a fold over the records of one place, told by the
// book in the ledger's order.
//
// Two plans of one action whose members overlap are one hold. Usually they are
// the same targets, and the first holder's prior state serves all. When a
// later plan reaches further than what is held, its own prior state is kept as
// a layer on top: its prior for what was already held is our own effect, so
// undo goes through the layers from the newest to the first and ends in the
// first prior state for every member.
type holds struct {
	byName   map[string]*hold // holder → hold
	byMember map[member]*hold
}

type member struct {
	action string
	name   name
}

type hold struct {
	action  string
	layers  []*layer  // in the order they came
	holders []*holder // in the order they came
}

// layer is a plan whose prior state counts. Its owner may have let go already.
type layer struct {
	seq    uint64 // of its record
	owner  string
	plan   schemas.Plan
	effect *schemas.Effect // the owner's, or what Keep made of it; nil when only the plan is known
}

type holder struct {
	name      string
	effect    *schemas.Effect
	weak      bool // failed after its plan: may have touched something, but keeps nothing from being undone
	releasing bool
}

func newHolds() *holds {
	return &holds{byName: map[string]*hold{}, byMember: map[member]*hold{}}
}

func (l *layer) covers(want []name) bool {
	have := namesIn(l.plan)
	if l.effect != nil {
		have = append(have, namesIn(l.effect.Plan)...)
	}
	for _, n := range want {
		if !slices.Contains(have, n) {
			return false
		}
	}
	return true
}

// claim completes a fresh plan with the prior state that counts.
func (hs *holds) claim(p schemas.Plan) schemas.Plan {
	p.PriorOf = ""
	want := namesIn(p)
	for _, n := range want {
		h := hs.byMember[member{p.Action, n}]
		if h == nil {
			continue
		}
		for _, l := range h.layers {
			if !l.covers(want) {
				continue
			}
			p.Prior = l.plan.Prior
			if l.owner != p.Holder {
				p.PriorOf = l.owner
			}
			return p
		}
	}
	return p
}

// join takes a stored plan in: its holder holds from now on.
func (hs *holds) join(p schemas.Plan, seq uint64) {
	h := &hold{action: p.Action}
	want := namesIn(p)
	for _, n := range want {
		if other := hs.byMember[member{p.Action, n}]; other != nil && other != h {
			h = hs.merge(other, h)
		}
	}
	if who := h.holder(p.Holder); who != nil {
		who.weak, who.releasing = false, false
	} else {
		h.holders = append(h.holders, &holder{name: p.Holder})
	}
	if !slices.ContainsFunc(h.layers, func(l *layer) bool { return l.owner == p.Holder || l.covers(want) }) {
		h.layers = append(h.layers, &layer{seq: seq, owner: p.Holder, plan: p})
	}
	hs.index(h, want)
}

// merge makes one hold of two that a plan has brought together.
func (hs *holds) merge(a, b *hold) *hold {
	if len(b.holders) == 0 {
		return a
	}
	b.layers = append(b.layers, a.layers...)
	slices.SortFunc(b.layers, func(x, y *layer) int { return cmp.Compare(x.seq, y.seq) })
	b.holders = append(b.holders, a.holders...)
	for m, h := range hs.byMember {
		if h == a {
			hs.byMember[m] = b
		}
	}
	for name, h := range hs.byName {
		if h == a {
			hs.byName[name] = b
		}
	}
	return b
}

func (hs *holds) index(h *hold, names []name) {
	for _, n := range names {
		hs.byMember[member{h.action, n}] = h
	}
	for _, who := range h.holders {
		hs.byName[who.name] = h
	}
}

// applied notes what was done, or put back, for a holder.
func (hs *holds) applied(name string, e schemas.Effect, kept bool) {
	h := hs.byName[name]
	if h == nil {
		return
	}
	owner := name
	if kept {
		owner = e.Plan.Holder // Keep is given a layer's effect, and its owner may have let go
	} else {
		h.holder(name).effect = &e
	}
	for _, l := range h.layers {
		if l.owner == owner {
			l.effect = &e
		}
	}
	hs.index(h, namesIn(e.Plan))
}

// weaken notes that a holder failed.
func (hs *holds) weaken(name string) {
	if h := hs.byName[name]; h != nil {
		h.holder(name).weak = true
	}
}

func (hs *holds) releasing(name string) {
	if h := hs.byName[name]; h != nil {
		h.holder(name).releasing = true
	}
}

// leave takes a holder out; the hold ends with its last holder, or when it was undone.
func (hs *holds) leave(name string, undone bool) {
	h := hs.byName[name]
	if h == nil {
		return
	}
	delete(hs.byName, name)
	h.holders = slices.DeleteFunc(h.holders, func(w *holder) bool { return w.name == name })
	if !undone && len(h.holders) > 0 {
		return
	}
	for _, w := range h.holders {
		delete(hs.byName, w.name)
	}
	for m, other := range hs.byMember {
		if other == h {
			delete(hs.byMember, m)
		}
	}
}

func (h *hold) holder(name string) *holder {
	for _, w := range h.holders {
		if w.name == name {
			return w
		}
	}
	return nil
}

// others are the holders that keep the effect from being undone when name lets go.
func (h *hold) others(name string) []string {
	var out []string
	for _, w := range h.holders {
		if w.name != name && !w.weak && !w.releasing {
			out = append(out, w.name)
		}
	}
	return out
}

// effects gives what undo has to go through, newest layer first.
func (h *hold) effects() []schemas.Effect {
	out := make([]schemas.Effect, 0, len(h.layers))
	for _, l := range slices.Backward(h.layers) {
		out = append(out, h.effectOf(l))
	}
	return out
}

// effectOf gives a layer's effect. Where the owner never came to record one,
// another holder's does, with the owner's plan: the prior state is the plan's.
func (h *hold) effectOf(l *layer) schemas.Effect {
	if l.effect != nil {
		return *l.effect
	}
	e := schemas.Effect{Version: l.plan.Version}
	for _, w := range h.holders {
		if w.effect != nil {
			e = *w.effect
		}
	}
	e.Plan = l.plan
	return e
}
