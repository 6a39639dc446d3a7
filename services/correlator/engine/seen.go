package engine

// generation is how many matched events each half of the memory for
// duplicates holds.
const generation = 1 << 16

// twice knows the last events that matched: at least one generation of them,
// at most two.
type twice struct {
	young, old map[uint64]struct{}
	order      [2][]uint64 // of young and old, as they came
}

// before says whether an event was seen, and remembers it.
func (t *twice) before(hash uint64) bool {
	if _, ok := t.young[hash]; ok {
		return true
	}
	if _, ok := t.old[hash]; ok {
		return true
	}
	t.add(hash)
	return false
}

func (t *twice) add(hash uint64) {
	if t.young == nil {
		t.young = map[uint64]struct{}{}
	}
	t.young[hash] = struct{}{}
	t.order[0] = append(t.order[0], hash)
	if len(t.young) >= generation {
		t.old, t.young = t.young, make(map[uint64]struct{}, generation)
		t.order[0], t.order[1] = t.order[1][:0], t.order[0]
	}
}
