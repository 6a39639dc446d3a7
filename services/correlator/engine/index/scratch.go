package index

import (
	"fmt"
	"slices"

	"firebreak/schemas/intake"
)

// Scratch is the memory that one caller of [Index.Match] uses again and again,
// with any index. Its zero value is ready. It is not for several goroutines at
// once, nor for Match within yield.
type Scratch struct {
	// Failed, when it is set, is told of the conditions that could not be
	// evaluated and so did not match. One that is ruled out before, such as by
	// an absent field, is not told of.
	Failed func(rule int, err error)

	epoch   uint64   // of the event; what bears another one is from before
	values  []value  // by field
	found   []int32  // fields that the event has
	seen    []uint64 // by condition: the epoch in which it became a candidate
	passed  []int32  // conditions of which no test failed
	matched []int32  // rules
	text    []byte   // texts that were written with escapes
}

// begin forgets the event before.
func (s *Scratch) begin(t *table) {
	s.epoch++
	s.found, s.passed, s.matched, s.text = s.found[:0], s.passed[:0], s.matched[:0], s.text[:0]
	if n := len(t.fields) - len(s.values); n > 0 {
		s.values = append(s.values, make([]value, n)...)
	}
	if n := len(t.conditions) - len(s.seen); n > 0 {
		s.seen = append(s.seen, make([]uint64, n)...)
	}
}

func (s *Scratch) failed(c *condition, err error) {
	if s.Failed == nil {
		return
	}
	for _, rule := range c.rules {
		s.Failed(int(rule), err)
	}
}

// hand yields what matched.
func (s *Scratch) hand(t *table, data []byte, decoded map[string]any, yield func(rule int, decoded map[string]any)) error {
	s.matched = append(s.matched, t.always...)
	if len(s.matched) == 0 {
		return nil
	}
	slices.Sort(s.matched)
	if decoded == nil {
		var err error
		if decoded, err = intake.Decode(data); err != nil {
			return fmt.Errorf("match: %w", err)
		}
	}
	for _, rule := range s.matched {
		yield(int(rule), decoded)
	}
	return nil
}
