package index

import (
	"encoding/binary"
	"slices"
)

// guard is a clause made small: a text has one of 64 marks, and the guard
// holds those that pass. It lets some through that the clause does not.
type guard struct {
	guarded bool
	starts  bool // the mark of the first byte, instead of the whole text's
	field   int32
	marks   uint64
}

// guardOf finds among clauses one of which a guard can be made.
func guardOf(clauses []clause) guard {
	for _, one := range clauses {
		g := guard{guarded: true, field: one[0].field, starts: one[0].op == isPrefixed}
		if slices.ContainsFunc(one, func(t test) bool { return !g.takes(&t) }) {
			continue
		}
		for _, t := range one {
			for _, text := range t.texts {
				g.marks |= g.mark(text)
			}
		}
		return g
	}
	return guard{}
}

// takes says whether a test is one of texts, of the guard's field and kind.
func (g *guard) takes(t *test) bool {
	if t.field != g.field || len(t.texts) == 0 {
		return false
	}
	if g.starts {
		return t.op == isPrefixed && t.texts[0] != ""
	}
	return t.op == isOne && len(t.numbers) == 0 && len(t.flags) == 0
}

func (g *guard) mark(text string) uint64 {
	if g.starts {
		return startMark([]byte(text))
	}
	return wholeMark([]byte(text))
}

func (g *guard) passes(v *value, epoch uint64) bool {
	if v.epoch != epoch || v.kind != text {
		return false
	}
	if g.starts {
		return g.marks&v.start != 0
	}
	return g.marks&v.whole != 0
}

// startMark is the mark of a text's first byte; an empty one has none.
func startMark(text []byte) uint64 {
	if len(text) == 0 {
		return 0
	}
	return 1 << (text[0] & 63)
}

// wholeMark is the mark of a text: its length, beginning and end make it.
func wholeMark(text []byte) uint64 {
	sum := uint64(len(text))
	if n := len(text); n >= 8 {
		sum += binary.LittleEndian.Uint64(text) ^ binary.LittleEndian.Uint64(text[n-8:])*31
	} else {
		for _, c := range text {
			sum = sum*31 + uint64(c)
		}
	}
	return 1 << (sum * 0x9e3779b97f4a7c15 >> 58)
}
