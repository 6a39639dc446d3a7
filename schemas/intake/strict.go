package intake

import (
	"fmt"

	"firebreak/schemas"
)

// Strict checks the data of an event: one JSON object in valid UTF-8, within
// the limits; no key twice in one object, however it is written; no half of a
// surrogate pair; every number finite. What it lets pass, encoding/json
// decodes without an error. It takes one pass, and its time is bounded by the
// length of the data.
//
// The error wraps schemas.ErrInvalid and says where it is: the byte, and the
// keys that lead there.
func Strict(data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("data: %w: %d bytes, at most %d are taken", schemas.ErrInvalid, len(data), MaxBytes)
	}
	s := scanner{data: data}
	if reason := s.document(); reason != "" {
		return s.fail(reason)
	}
	return nil
}

// level is an object or a list that is open.
type level struct {
	list  bool
	start int                 // its first key among the open ones
	wide  map[string]struct{} // its keys, once they are many
}

// scanner walks over the data once. Its methods give the reason why it is
// refused, or "".
type scanner struct {
	data    []byte
	pos     int
	few     [32]key // keys of the objects that are open: an array, so that most events need no memory
	more    []key   // the rest of them
	open    int     // how many they are
	decoded []byte  // keys that were written with escapes
	total   int     // keys met
	depth   int
	levels  [MaxLevels]level
}

// document takes one object and nothing after it.
//
// A loop with its own stack: what is nested deeply costs no stack of ours.
func (s *scanner) document() string {
	s.space()
	if s.peek() != '{' {
		return "want an object"
	}
	if reason := s.enter(false); reason != "" {
		return reason
	}
	for s.depth > 0 {
		if reason := s.member(); reason != "" {
			return reason
		}
	}
	if s.space(); s.pos < len(s.data) {
		return "something follows the object"
	}
	return ""
}

// member takes the next value of the innermost open object or list, with its
// key, and the comma or the end behind it.
func (s *scanner) member() string {
	if !s.levels[s.depth-1].list {
		if reason := s.key(); reason != "" {
			return reason
		}
		if s.space(); s.peek() != ':' {
			return "want a colon after the key"
		}
		s.pos++
		s.space()
	}
	switch c := s.peek(); c {
	case '{':
		return s.enter(false)
	case '[':
		return s.enter(true)
	case '"':
		s.pos++
		if _, reason := s.str(); reason != "" {
			return reason
		}
	default:
		if reason := s.scalar(c); reason != "" {
			return reason
		}
	}
	return s.after()
}

// enter opens an object or a list; an empty one is left at once.
func (s *scanner) enter(list bool) string {
	if s.depth == MaxLevels {
		return fmt.Sprintf("more than %d levels", MaxLevels)
	}
	l := &s.levels[s.depth]
	l.list, l.start, l.wide = list, s.open, nil
	s.depth++
	s.pos++
	s.space()
	if s.peek() == closer(list) {
		s.leave()
		return s.after()
	}
	return ""
}

func (s *scanner) leave() {
	s.pos++
	s.depth--
	s.open = s.levels[s.depth].start
}

func closer(list bool) byte {
	if list {
		return ']'
	}
	return '}'
}

// after takes what follows a value: all ends that come now, or a comma.
func (s *scanner) after() string {
	for s.depth > 0 {
		list := s.levels[s.depth-1].list
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
			return ""
		case closer(list):
			s.leave()
		default:
			if list {
				return "want a comma or ] in the list"
			}
			return "want a comma or } in the object"
		}
	}
	return ""
}

// peek gives the next byte, 0 at the end: no JSON holds a 0 outside of texts.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
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

// scalar takes a number, true, false or null.
func (s *scanner) scalar(first byte) string {
	word := ""
	switch first {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return s.number()
	}
	if end := s.pos + len(word); end <= len(s.data) && string(s.data[s.pos:end]) == word {
		s.pos = end
		return ""
	}
	return "want a value"
}
