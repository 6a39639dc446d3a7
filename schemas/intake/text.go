package intake

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// str takes a text up to its closing quote; the opening one was taken.
func (s *scanner) str() (escaped bool, reason string) {
	data, i := s.data, s.pos
	for {
		i = plainRun(data, i)
		if i >= len(data) {
			s.pos = i
			return escaped, "the text has no end"
		}
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return escaped, ""
		case c == '\\':
			escaped = true
			n := escapeLen(data[i:])
			if n == 0 {
				s.pos = i
				return escaped, "no escape that can be read, or half of a surrogate pair"
			}
			i += n
		case c < ' ':
			s.pos = i
			return escaped, "a control character within a text"
		default:
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n < 2 {
				s.pos = i
				return escaped, "it is not UTF-8"
			}
			i += n
		}
	}
}

// Every byte of a word set to one, and their highest bits.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainRun gives the place of the first byte from i on that is no ordinary
// character of ASCII: eight are looked at together.
func plainRun(data []byte, i int) int {
	for i+8 <= len(data) {
		w := binary.LittleEndian.Uint64(data[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A byte's highest bit is set where it is special; above the first such
		// byte it may be set wrongly, which does not matter.
		special := (w | (w - ones*' ') | (quote - ones) | (slash - ones)) & highs
		if special != 0 {
			i += bits.TrailingZeros64(special) / 8
			if c := data[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
				return i
			}
			i++
			continue
		}
		i += 8
	}
	for i < len(data) {
		if c := data[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			return i
		}
		i++
	}
	return i
}

// escapeLen gives the length of the escape that data begins with, both halves
// of a surrogate pair together; 0 when it is none.
func escapeLen(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	r := hex4(data)
	switch {
	case r < 0:
		return 0
	case !utf16.IsSurrogate(r):
		return 6
	case utf16.DecodeRune(r, hex4(data[6:])) == utf8.RuneError:
		return 0
	}
	return 12
}

// hex4 reads \uXXXX; -1 when there is none.
func hex4(data []byte) rune {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range data[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// Unescape appends to dst the text that stands between the quotes of a JSON
// string of data which has passed [Strict].
func Unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		n := escapeLen(raw[i:])
		switch n {
		case 0: // what has passed holds none
			return append(dst, raw[i:]...)
		case 2:
			dst = append(dst, short(raw[i+1]))
		case 6:
			dst = utf8.AppendRune(dst, hex4(raw[i:]))
		default:
			dst = utf8.AppendRune(dst, utf16.DecodeRune(hex4(raw[i:]), hex4(raw[i+6:])))
		}
		i += n
	}
	return dst
}

// short gives what an escape of one letter stands for.
func short(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}
