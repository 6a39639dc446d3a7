package intake

import (
	"fmt"
	"strconv"
)

// number takes a number as JSON writes it, and refuses one that is not finite
// as a fraction of 64 bits.
func (s *scanner) number() string {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	whole := s.pos
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case c >= '1' && c <= '9':
		s.digits()
	default:
		s.pos = start
		return "want a value"
	}
	// The largest number has 309 digits: one of 200, with an exponent of two, is
	// surely smaller.
	doubtful := s.pos-whole > 200
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return "want a digit after the point"
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		digits := s.digits()
		if digits == 0 {
			return "want a digit in the exponent"
		}
		doubtful = doubtful || digits > 2
	}
	if s.pos-start > MaxDigits {
		s.pos = start
		return fmt.Sprintf("a number of more than %d characters", MaxDigits)
	}
	if doubtful {
		if _, err := strconv.ParseFloat(string(s.data[start:s.pos]), 64); err != nil {
			s.pos = start
			return "the number is too large"
		}
	}
	return ""
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos - start
}
