package index

import (
	"bytes"
	"strconv"

	"firebreak/schemas/intake"
)

// kind is what a field holds.
type kind int8

const (
	other kind = iota // an object, or a list that is not searched
	list              // one that is
	text
	number
	yes
	no
)

// value is a field of the event at hand.
type value struct {
	epoch  uint64
	text   []byte // decoded; of a list: its JSON, decoded
	start  uint64 // marks of the text: see guard
	whole  uint64
	number float64
	kind   kind
}

// member is an object's member on the way to the fields that are tested.
type member struct {
	field int32 // its number from 1; 0: nothing tests it
	names []string
	below []*member
	many  map[string]*member // the same, when they are more than a few
}

// child gives a member by its name, making it where there is none.
func (m *member) child(name string) *member {
	if c := m.get([]byte(name)); c != nil {
		return c
	}
	c := &member{}
	m.names, m.below = append(m.names, name), append(m.below, c)
	if len(m.names) > few && m.many == nil {
		m.many = map[string]*member{}
		for i, n := range m.names {
			m.many[n] = m.below[i]
		}
	}
	if m.many != nil {
		m.many[name] = c
	}
	return c
}

func (m *member) get(name []byte) *member {
	if m.many != nil {
		return m.many[string(name)]
	}
	for i, n := range m.names {
		if n == string(name) {
			return m.below[i]
		}
	}
	return nil
}

// reader walks once over data that has passed intake: it looks for ends, and
// checks nothing. On other data it ends somewhere, at the latest at its end.
type reader struct {
	*Scratch
	data []byte
	pos  int
}

// read finds the fields that the table's conditions test.
func (s *Scratch) read(t *table, data []byte) {
	r := reader{Scratch: s, data: data}
	if r.space() == '{' {
		r.members(&t.root) // what comes after the last that is tested does not matter
	}
}

// space gives the next byte that is none; 0 at the end.
func (r *reader) space() byte {
	for ; r.pos < len(r.data); r.pos++ {
		if c := r.data[r.pos]; c > ' ' {
			return c
		}
	}
	r.pos = len(r.data) // an escape at the end leads beyond
	return 0
}

// object reads the members of an object that is known below m, and steps
// behind its end.
func (r *reader) object(m *member) {
	if !r.members(m) {
		r.leave(1)
	}
}

// members reads an object up to the last member that m knows: no key stands
// twice. ended tells that it is behind the object's end.
func (r *reader) members(m *member) (ended bool) {
	r.pos++
	for missing := len(m.names); missing > 0; {
		if r.space() != '"' {
			r.pos++
			return true
		}
		name := r.quoted()
		if r.space() != ':' {
			r.pos = len(r.data)
			return true
		}
		r.pos++
		c := r.space()
		if child := m.get(name); child != nil {
			missing--
			r.value(child, c)
		} else {
			r.skip(c)
		}
		if r.space() == ',' {
			r.pos++
		}
	}
	return false
}

// value takes the value of a member that is known, which begins with c.
func (r *reader) value(m *member, c byte) {
	v := value{epoch: r.epoch}
	switch c {
	case '"':
		v.kind, v.text = text, r.quoted()
		v.start, v.whole = startMark(v.text), wholeMark(v.text)
	case '{':
		if len(m.names) > 0 {
			r.object(m)
		} else {
			r.skip(c)
		}
	case 't':
		v.kind = yes
		r.skip(c)
	case 'f':
		v.kind = no
		r.skip(c)
	case 'n':
		r.skip(c)
		return // null is absent
	case '[':
		start := r.pos
		r.skip(c)
		if raw := r.data[start:r.pos]; len(raw) <= maxSearched {
			v.kind, v.text = list, r.unescaped(raw)
		}
	default:
		start := r.pos
		r.skip(c)
		var err error
		if v.number, err = strconv.ParseFloat(string(r.data[start:r.pos]), 64); err != nil {
			return
		}
		v.kind = number
	}
	if m.field > 0 {
		r.values[m.field-1] = v
		r.found = append(r.found, m.field-1)
	}
}

// maxSearched bounds a list that is searched, by each of many conditions.
const maxSearched = 16 << 10

// unescaped gives JSON with its escapes decoded: a text that is in one of a
// list's is in that, too.
func (r *reader) unescaped(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	from := len(r.text)
	r.text = intake.Unescape(r.text, raw)
	return r.text[from:]
}

// quoted gives the text that begins here, decoded.
func (r *reader) quoted() []byte {
	r.pos++
	start, escaped := r.pos, false
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case '"':
			raw := r.data[start:r.pos]
			r.pos++
			if !escaped {
				return raw
			}
			return r.unescaped(raw)
		case '\\':
			escaped = true
			r.pos++
		}
		r.pos++
	}
	return nil
}

// skip steps over a value that begins with c.
func (r *reader) skip(c byte) {
	switch c {
	case '"':
		r.skipText()
	case '{', '[':
		r.pos++
		r.leave(1)
	default:
		for r.pos < len(r.data) {
			switch r.data[r.pos] {
			case ',', '}', ']', ' ', '\t', '\n', '\r':
				return
			}
			r.pos++
		}
	}
}

// leave steps behind the end of so many objects and lists.
func (r *reader) leave(depth int) {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case '"':
			r.skipText()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		r.pos++
		if depth == 0 {
			return
		}
	}
}

// skipText steps over a text. A quote ends it unless the number of backslashes
// before it is odd.
func (r *reader) skipText() {
	r.pos++
	for start := r.pos; ; r.pos++ {
		n := bytes.IndexByte(r.data[r.pos:], '"')
		if n < 0 {
			r.pos = len(r.data)
			return
		}
		r.pos += n
		slashes := 0
		for at := r.pos - 1; at >= start && r.data[at] == '\\'; at-- {
			slashes++
		}
		if slashes%2 == 0 {
			r.pos++
			return
		}
	}
}
