package intake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"firebreak/schemas"
)

// wideFrom is how many keys of an object are compared one by one; where there
// are more, they go into a map, so that no object costs the square of its keys.
const wideFrom = 24

// key is a key of an open object, as it is decoded: a part of the data, or of
// what was decoded.
type key struct {
	mark     uint64 // its length and first bytes: most keys differ there
	from, to int32
	decoded  bool
}

func (s *scanner) name(k key) []byte {
	if k.decoded {
		return s.decoded[k.from:k.to]
	}
	return s.data[k.from:k.to]
}

func markOf(name []byte) uint64 {
	var first uint64
	if len(name) >= 8 {
		first = binary.LittleEndian.Uint64(name)
	} else {
		for i, c := range name {
			first |= uint64(c) << (8 * i)
		}
	}
	return first ^ uint64(len(name))<<56
}

// key takes the key of an object's member and refuses one that was there before.
func (s *scanner) key() string {
	if s.peek() != '"' {
		return "want a key in quotes"
	}
	if s.total++; s.total > MaxKeys {
		return fmt.Sprintf("more than %d keys", MaxKeys)
	}
	s.pos++
	start := s.pos
	escaped, reason := s.str()
	if reason != "" {
		return reason
	}
	k := key{from: int32(start), to: int32(s.pos - 1), decoded: escaped} //nolint:gosec // data is short
	if escaped {
		k.from = int32(len(s.decoded)) //nolint:gosec // shorter than data
		s.decoded = Unescape(s.decoded, s.data[start:s.pos-1])
		k.to = int32(len(s.decoded)) //nolint:gosec // shorter than data
	}
	name := s.name(k)
	k.mark = markOf(name)
	l := &s.levels[s.depth-1]
	twice := false
	if s.open-l.start < wideFrom {
		for i := l.start; i < s.open; i++ {
			known := s.at(i)
			twice = twice || known.mark == k.mark && bytes.Equal(s.name(*known), name)
		}
	} else {
		twice = s.again(l, name)
	}
	s.push(k)
	if twice {
		return "the key stands in its object twice"
	}
	return ""
}

// at gives a key of the open objects.
func (s *scanner) at(i int) *key {
	if i < len(s.few) {
		return &s.few[i]
	}
	return &s.more[i-len(s.few)]
}

func (s *scanner) push(k key) {
	switch i := s.open - len(s.few); {
	case i < 0:
		s.few[s.open] = k
	case i < len(s.more):
		s.more[i] = k
	default:
		s.more = append(s.more, k)
	}
	s.open++
}

// again says whether an object with many keys has the key already.
func (s *scanner) again(l *level, name []byte) bool {
	if l.wide == nil {
		l.wide = make(map[string]struct{}, 4*wideFrom)
		for i := l.start; i < s.open; i++ {
			l.wide[string(s.name(*s.at(i)))] = struct{}{}
		}
	}
	before := len(l.wide)
	l.wide[string(name)] = struct{}{}
	return len(l.wide) == before
}

// fail says where the scanner stands, for people: the byte, and the keys that
// lead there.
func (s *scanner) fail(reason string) error {
	const most = 8
	var path []string
	for i := range s.depth {
		end := s.open
		if i+1 < s.depth {
			end = s.levels[i+1].start
		}
		switch l := s.levels[i]; {
		case l.list:
			path = append(path, "[…]")
		case end > l.start:
			path = append(path, fmt.Sprintf("%q", cut(string(s.name(*s.at(end - 1))))))
		}
	}
	if len(path) > most {
		path = append(path[:most], "…")
	}
	at := ""
	if len(path) > 0 {
		at = " at " + strings.Join(path, ".")
	}
	return fmt.Errorf("data: byte %d%s: %w: %s", s.pos, at, schemas.ErrInvalid, reason)
}
