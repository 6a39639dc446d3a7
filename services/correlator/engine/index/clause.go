package index

import (
	"bytes"
	"slices"

	"firebreak/services/playbook/expr"
)

// op is a kind of test.
type op int8

const (
	isOne        op = iota // equal to one of some values
	isPrefixed             // a text that begins with another
	isAbove                // a number from, or above, a limit
	isBelow                // a number up to, or below, a limit
	isPresent              // there at all
	isContaining           // a list that has a text in one of its own
)

// few is how many values are compared one by one.
const few = 8

// test is a witness made ready.
type test struct {
	field   int32
	op      op
	strict  bool // of a bound: the limit itself does not pass
	texts   []string
	numbers []float64 // of a bound: the limit
	flags   []bool
	many    map[string]struct{} // texts, when they are more than a few
	part    []byte              // of isContaining: the text
}

func newTest(field int32, w expr.Witness) test {
	t := test{field: field}
	switch w.Op {
	case expr.WitnessPrefix:
		t.op = isPrefixed
	case expr.WitnessGe, expr.WitnessGt:
		t.op, t.strict = isAbove, w.Op == expr.WitnessGt
	case expr.WitnessLe, expr.WitnessLt:
		t.op, t.strict = isBelow, w.Op == expr.WitnessLt
	case expr.WitnessPresent:
		t.op = isPresent
	case expr.WitnessContains:
		t.op = isContaining
	}
	for _, v := range w.Values {
		switch v := v.(type) {
		case string:
			if !slices.Contains(t.texts, v) {
				t.texts = append(t.texts, v)
			}
		case float64:
			if !slices.Contains(t.numbers, v) {
				t.numbers = append(t.numbers, v)
			}
		case bool:
			if !slices.Contains(t.flags, v) {
				t.flags = append(t.flags, v)
			}
		}
	}
	if t.op == isContaining {
		t.part = []byte(t.texts[0])
	}
	if len(t.texts) > few {
		t.many = map[string]struct{}{}
		for _, text := range t.texts {
			t.many[text] = struct{}{}
		}
	}
	return t
}

// holds tells whether a value passes. There is one: absence passes no test.
func (t *test) holds(v *value) bool {
	switch t.op {
	case isOne:
		return t.equals(v)
	case isPrefixed:
		return v.kind == text && len(v.text) >= len(t.texts[0]) && string(v.text[:len(t.texts[0])]) == t.texts[0]
	case isAbove:
		return v.kind == number && above(v.number, t.numbers[0], t.strict)
	case isBelow:
		return v.kind == number && below(v.number, t.numbers[0], t.strict)
	case isContaining:
		return v.kind != list || bytes.Contains(v.text, t.part)
	default:
		return true
	}
}

func above(v, limit float64, strict bool) bool { return v > limit || v == limit && !strict }
func below(v, limit float64, strict bool) bool { return v < limit || v == limit && !strict }

func (t *test) equals(v *value) bool {
	switch v.kind {
	case text:
		if t.many != nil {
			_, in := t.many[string(v.text)]
			return in
		}
		for _, one := range t.texts {
			if string(v.text) == one {
				return true
			}
		}
	case number:
		return slices.Contains(t.numbers, v.number)
	case yes, no:
		return slices.Contains(t.flags, v.kind == yes)
	}
	return false
}
