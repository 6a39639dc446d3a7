package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"firebreak/schemas"
)

// maxLevels is how deep JSON may nest at all: what encoding/json takes, and so
// what an API server can have written.
const maxLevels = 10_000

// maxDigits is how long a number may be for intake.
const maxDigits = 1024

// shape is what intake asks about a JSON value.
type shape struct {
	keys  int    // members of all objects in it
	depth int    // levels of objects and arrays
	twice []byte // a key that an object in it holds twice
	odd   bool   // it has a number that no float64 holds, or half of a surrogate pair
}

func (s *shape) join(t shape) {
	s.keys += t.keys
	s.depth = max(s.depth, t.depth)
	s.odd = s.odd || t.odd
	if s.twice == nil {
		s.twice = t.twice
	}
}

// scanner checks JSON in one pass. What it let pass can be read by each, items
// and the like without looking at errors again.
type scanner struct {
	data  []byte
	pos   int
	level int
	shape shape
	keys  [][]byte // of the objects that are open
}

// document scans a text that is one object and hands on its members.
func (s *scanner) document(visit func(key, value []byte, of shape) error) error {
	s.space()
	if s.pos >= len(s.data) || s.data[s.pos] != '{' {
		return s.fail("want an object")
	}
	if err := s.object(visit); err != nil {
		return err
	}
	return s.end()
}

// whole scans a text that is one value of any kind.
func (s *scanner) whole() error {
	if err := s.value(); err != nil {
		return err
	}
	return s.end()
}

func (s *scanner) end() error {
	if s.space(); s.pos < len(s.data) {
		return s.fail("more follows after the JSON text: hand in one at a time")
	}
	return nil
}

func (s *scanner) fail(what string) error {
	return fmt.Errorf("byte %d: %s: %w", s.pos, what, schemas.ErrInvalid)
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// take moves on when c comes next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) value() error {
	s.space()
	if s.pos >= len(s.data) {
		return s.fail("the text ends where a value is due")
	}
	switch c := s.data[s.pos]; c {
	case '{':
		return s.object(nil)
	case '[':
		return s.array()
	case '"':
		return s.text()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return s.fail("want a JSON value")
	}
	s.pos += len(w)
	return nil
}

func (s *scanner) enter() error {
	s.pos++
	if s.level++; s.level > maxLevels {
		return s.fail("nested deeper than an API server writes")
	}
	s.shape.depth = max(s.shape.depth, s.level)
	return nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		if s.take(']') {
			s.level--
			return nil
		}
		if !first && !s.take(',') {
			return s.fail("want , or ] in an array")
		}
		if err := s.value(); err != nil {
			return err
		}
	}
}

// object scans an object; with visit, whose members are looked at one by one.
func (s *scanner) object(visit func(key, value []byte, of shape) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	known := keyset{from: len(s.keys)}
	for first := true; ; first = false {
		if s.take('}') {
			s.keys = s.keys[:known.from]
			s.level--
			return nil
		}
		if !first && !s.take(',') {
			return s.fail("want , or } in an object")
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if visit == nil {
			s.note(&known, key)
			if err := s.value(); err != nil {
				return err
			}
			continue
		}
		s.shape, s.level = shape{}, 0
		s.space()
		from := s.pos
		if err := s.value(); err != nil {
			return err
		}
		if err := visit(key, s.data[from:s.pos], s.shape); err != nil {
			return err
		}
	}
}

func (s *scanner) key() ([]byte, error) {
	s.space()
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		return nil, s.fail("want a member's name")
	}
	from := s.pos
	if err := s.text(); err != nil {
		return nil, err
	}
	key := plain(s.data[from:s.pos])
	if !s.take(':') {
		return nil, s.fail("want : after a member's name")
	}
	return key, nil
}

func (s *scanner) text() error {
	d := s.data
	for i := s.pos + 1; i < len(d); i++ {
		i = ordinary(d, i)
		if i >= len(d) {
			break
		}
		switch c := d[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c == '\\':
			n := escape(d[i+1:])
			if n == 0 {
				s.pos = i
				return s.fail("no such escape in a text")
			}
			if n == 5 {
				if n = surrogates(d[i+2:]); n == 0 {
					s.shape.odd, n = true, 5
				}
			}
			i += n
		case c < 0x20:
			s.pos = i
			return s.fail("a control character in a text")
		}
	}
	return s.fail("a text without an end")
}

// ordinary passes over bytes of a text that mean themselves, eight at a time: a
// word that has a quote, a backslash or a control character in it is left to the
// caller. Most of an audit log is text.
func ordinary(d []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(d); i += 8 {
		w := binary.LittleEndian.Uint64(d[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		if ((quote-ones)&^quote|(slash-ones)&^slash|(w-ones*0x20)&^w)&tops != 0 {
			break
		}
	}
	return i
}

// escape gives the length of what follows a backslash, 0 when it is no escape.
func escape(d []byte) int {
	if len(d) == 0 {
		return 0
	}
	switch d[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(d) < 5 {
			return 0
		}
		for _, c := range d[1:5] {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return 0
			}
		}
		return 5
	}
	return 0
}

// surrogates gives the length of the escape whose four digits d begins with,
// together with its other half when it is one of a pair; 0 when that is missing.
func surrogates(d []byte) int {
	first := hex4(d)
	if first < 0xd800 || first > 0xdfff {
		return 5
	}
	if first >= 0xdc00 || len(d) < 10 || d[4] != '\\' || escape(d[5:]) != 5 {
		return 0
	}
	if second := hex4(d[6:]); second < 0xdc00 || second > 0xdfff {
		return 0
	}
	return 11
}

func hex4(d []byte) (n int) {
	for _, c := range d[:4] {
		n <<= 4
		switch {
		case c <= '9':
			n += int(c - '0')
		default:
			n += int(c|0x20-'a') + 10
		}
	}
	return n
}

func (s *scanner) digits() bool {
	from := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > from
}

// at tells whether one of the bytes comes next.
func (s *scanner) at(of string) bool {
	return s.pos < len(s.data) && bytes.IndexByte([]byte(of), s.data[s.pos]) >= 0
}

func (s *scanner) number() error {
	from, whole := s.pos, true
	if s.at("-") {
		s.pos++
	}
	if s.at("0") {
		s.pos++
	} else if !s.digits() {
		return s.fail("want a JSON value")
	}
	if s.at(".") {
		s.pos++
		if !s.digits() {
			return s.fail("want a digit in a number")
		}
	}
	if s.at("eE") {
		whole = false
		if s.pos++; s.at("+-") {
			s.pos++
		}
		if !s.digits() {
			return s.fail("want a digit in a number")
		}
	}
	// Only these can leave the range of a float64. What is longer than maxDigits
	// may be a number, but no two programs need agree which.
	if s.pos-from > maxDigits {
		s.shape.odd = true
	} else if !whole || s.pos-from > 300 {
		if _, err := strconv.ParseFloat(string(s.data[from:s.pos]), 64); err != nil {
			s.shape.odd = true
		}
	}
	return nil
}
