package index

import (
	"cmp"
	"slices"
)

// postings are the conditions that are filed under one field, by what the
// field must be.
type postings struct {
	texts    map[string][]filed
	numbers  map[float64][]filed
	flags    map[bool][]filed
	prefixes prefixes
	above    []bound // ascending
	below    []bound // descending
	present  []filed
}

type bound struct {
	limit  float64
	strict bool
	filed
}

// filed is a condition, with a test that most events fail which pass the one
// it is filed under: a look at the condition itself costs more.
type filed struct {
	condition int32
	guard
}

// post files a condition under a test.
func (p *postings) post(t test, condition filed) {
	switch t.op {
	case isOne:
		for _, text := range t.texts {
			put(&p.texts, text, condition)
		}
		for _, number := range t.numbers {
			put(&p.numbers, number, condition)
		}
		for _, flag := range t.flags {
			put(&p.flags, flag, condition)
		}
	case isPrefixed:
		p.prefixes.add(t.texts[0], condition)
	case isAbove:
		p.above = append(p.above, bound{t.numbers[0], t.strict, condition})
	case isBelow:
		p.below = append(p.below, bound{t.numbers[0], t.strict, condition})
	default:
		p.present = append(p.present, condition)
	}
}

func put[K comparable](m *map[K][]filed, key K, condition filed) {
	if *m == nil {
		*m = map[K][]filed{}
	}
	(*m)[key] = append((*m)[key], condition)
}

// finish sorts what is searched in order: of equal limits, those that the limit
// itself passes come first.
func (p *postings) finish() {
	p.prefixes.link()
	slices.SortStableFunc(p.above, func(a, b bound) int { return cmp.Or(cmp.Compare(a.limit, b.limit), order(a, b)) })
	slices.SortStableFunc(p.below, func(a, b bound) int { return cmp.Or(cmp.Compare(b.limit, a.limit), order(a, b)) })
}

func order(a, b bound) int {
	switch {
	case a.strict == b.strict:
		return 0
	case b.strict:
		return -1
	default:
		return 1
	}
}

// candidates collects in s.passed the conditions of which no test fails.
func (s *Scratch) candidates(t *table, data []byte) {
	if len(t.fields) > 0 {
		s.read(t, data)
	}
	for _, field := range s.found {
		s.look(t, &t.fields[field], &s.values[field])
	}
	for _, c := range t.open {
		s.consider(t, c)
	}
}

// look finds the conditions that are filed under a field's value.
func (s *Scratch) look(t *table, p *postings, v *value) {
	switch v.kind {
	case text:
		if p.texts != nil {
			s.all(t, p.texts[string(v.text)])
		}
		if len(p.prefixes.list) > 0 {
			for at := p.prefixes.longest(v.text); at >= 0; at = p.prefixes.list[at].shorter {
				s.all(t, p.prefixes.list[at].conditions)
			}
		}
	case number:
		if p.numbers != nil {
			s.all(t, p.numbers[v.number])
		}
		for _, b := range p.above {
			if !above(v.number, b.limit, b.strict) {
				break
			}
			s.consider(t, b.filed)
		}
		for _, b := range p.below {
			if !below(v.number, b.limit, b.strict) {
				break
			}
			s.consider(t, b.filed)
		}
	case yes, no:
		if p.flags != nil {
			s.all(t, p.flags[v.kind == yes])
		}
	}
	s.all(t, p.present)
}

func (s *Scratch) all(t *table, conditions []filed) {
	for _, c := range conditions {
		s.consider(t, c)
	}
}

// consider tries the other tests of a candidate, once for an event.
func (s *Scratch) consider(t *table, f filed) {
	if f.guarded && !f.passes(&s.values[f.field], s.epoch) || s.seen[f.condition] == s.epoch {
		return
	}
	s.seen[f.condition] = s.epoch
	for _, one := range t.conditions[f.condition].rest {
		if !s.holds(one) {
			return
		}
	}
	s.passed = append(s.passed, f.condition)
}

func (s *Scratch) holds(one clause) bool {
	for i := range one {
		if v := &s.values[one[i].field]; v.epoch == s.epoch && one[i].holds(v) {
			return true
		}
	}
	return false
}
