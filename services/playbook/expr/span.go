package expr

import "strings"

// span is a piece of an expression's text, in bytes.
type span struct{ from, to int }

func (s span) whole(text string) bool {
	return s == span{0, len(text)}.trimmed(text)
}

func (s span) trimmed(text string) span {
	const blank = " \t\r\n"
	for s.from < s.to && strings.IndexByte(blank, text[s.from]) >= 0 {
		s.from++
	}
	for s.to > s.from && strings.IndexByte(blank, text[s.to-1]) >= 0 {
		s.to--
	}
	return s
}

// unwrapped takes off parentheses around the whole piece.
func (s span) unwrapped(text string) (span, bool) {
	if s.to-s.from < 2 || text[s.from] != '(' {
		return s, false
	}
	end := -1
	s.scan(text, func(at, depth int) bool {
		if text[at] == ')' && depth == 0 {
			end = at
			return false
		}
		return true
	})
	return span{s.from + 1, s.to - 1}, end == s.to-1
}

// split cuts a piece at its || outside any parentheses, or else at its &&. One
// with a condition a ? b : c on that level, which binds looser, stays whole.
func (s span) split(text string) (parts []span, alternatives bool) {
	var or, and []int
	choice := false
	s.scan(text, func(at, depth int) bool {
		if depth > 0 {
			return true
		}
		switch {
		case text[at] == '?' && (at == 0 || text[at-1] != '.' && text[at-1] != '['):
			choice = true
		case at+1 < s.to && text[at:at+2] == "||":
			or = append(or, at)
		case at+1 < s.to && text[at:at+2] == "&&":
			and = append(and, at)
		}
		return true
	})
	cuts := or
	if len(cuts) == 0 {
		cuts = and
	}
	if choice || len(cuts) == 0 {
		return []span{s}, false
	}
	from := s.from
	for _, at := range append(cuts, s.to) {
		parts = append(parts, span{from, at})
		from = at + 2
	}
	return parts, len(or) > 0
}

// scan goes through what is neither in quotes nor in a comment; depth counts
// the brackets around a byte, its own not among them. do says whether to go on.
func (s span) scan(text string, do func(at, depth int) bool) {
	depth := 0
	for i := s.from; i < s.to; {
		if next := skip(text, i, s.to); next > i {
			i = next
			continue
		}
		switch text[i] {
		case ')', ']', '}':
			depth--
		}
		if !do(i, depth) {
			return
		}
		switch text[i] {
		case '(', '[', '{':
			depth++
		}
		i++
	}
}

// skip gives where the text in quotes or the comment that begins at i ends; i
// when none begins there.
func skip(text string, i, end int) int {
	if strings.HasPrefix(text[i:end], "//") {
		if n := strings.IndexByte(text[i:end], '\n'); n >= 0 {
			return i + n
		}
		return end
	}
	c := text[i]
	if c != '"' && c != '\'' {
		return i
	}
	quote := string(c)
	if strings.HasPrefix(text[i:end], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	raw := i > 0 && (text[i-1] == 'r' || text[i-1] == 'R') && (i < 2 || !letter(text[i-2]))
	for n := i + len(quote); n < end; n++ {
		switch {
		case text[n] == '\\' && !raw:
			n++
		case strings.HasPrefix(text[n:end], quote):
			return n + len(quote)
		}
	}
	return end
}

func letter(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
