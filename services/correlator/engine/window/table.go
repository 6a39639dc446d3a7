package window

// table finds a slot by its key: open addressing over slot numbers, so that a
// window costs a few bytes here. Keys are cut from SHA-256: nobody can choose
// them so that they meet.
type table struct {
	cells []int32
	n     int
}

func (t *table) find(slots *arena[Slot], key Key) int32 {
	if t.n == 0 {
		return 0
	}
	mask := t.mask()
	for i := key.Lo & mask; ; i = (i + 1) & mask {
		id := t.cells[i]
		if id == 0 || slots.at(id).Key == key {
			return id
		}
	}
}

// mask takes a cell's number from a key: their number is a power of two.
func (t *table) mask() uint64 { return uint64(len(t.cells)) - 1 }

func (t *table) add(slots *arena[Slot], id int32) {
	if (t.n+1)*4 > len(t.cells)*3 {
		t.grow(slots)
	}
	t.put(slots.at(id).Key, id)
	t.n++
}

func (t *table) put(key Key, id int32) {
	mask := t.mask()
	i := key.Lo & mask
	for t.cells[i] != 0 {
		i = (i + 1) & mask
	}
	t.cells[i] = id
}

func (t *table) grow(slots *arena[Slot]) {
	old := t.cells
	t.cells = make([]int32, max(16, 2*len(old)))
	for _, id := range old {
		if id != 0 {
			t.put(slots.at(id).Key, id)
		}
	}
}

// remove closes the hole, so that no mark of what was there is needed.
func (t *table) remove(slots *arena[Slot], id int32) {
	mask := t.mask()
	i := slots.at(id).Key.Lo & mask
	for t.cells[i] != id {
		i = (i + 1) & mask
	}
	t.n--
	hole := i
	for {
		i = (i + 1) & mask
		moved := t.cells[i]
		if moved == 0 {
			t.cells[hole] = 0
			return
		}
		home := slots.at(moved).Key.Lo & mask
		if (i-home)&mask >= (i-hole)&mask {
			t.cells[hole] = moved
			hole = i
		}
	}
}
