package document

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is a file by its lines, in characters, as YAML counts them.
type source struct{ lines [][]rune }

// position is a place counted from zero.
type position struct{ line, column int }

func newSource(data []byte) source {
	var s source
	for _, l := range splitLines(data) {
		s.lines = append(s.lines, []rune(l))
	}
	return s
}

func (s source) start(n *yaml.Node) position { return position{n.Line - 1, n.Column - 1} }

func (s source) column(n *yaml.Node) int { return n.Column - 1 }

func (s source) blank(line int) bool { return strings.TrimSpace(string(s.lines[line])) == "" }

func (s source) indentOf(line int) int {
	text := string(s.lines[line])
	return len(text) - len(strings.TrimLeft(text, " "))
}

// text gives what stands from one place to another on the same line.
func (s source) text(from, to position) string {
	if from.line != to.line || from.line >= len(s.lines) || to.column > len(s.lines[from.line]) || from.column > to.column {
		return ""
	}
	return string(s.lines[from.line][from.column:to.column])
}

// comments gives the lines from one to before another, which hold nothing but
// comments, indented anew.
func (s source) comments(from, to, indent int) []string {
	var out []string
	for l := max(from, 0); l < min(to, len(s.lines)); l++ {
		text := strings.TrimSpace(string(s.lines[l]))
		if text != "" {
			text = strings.Repeat(" ", indent) + text
		}
		out = append(out, text)
	}
	return out
}

// shifted moves a line by so many characters, though not beyond its own ones.
func (s source) shifted(line, by int) string {
	text := string(s.lines[line])
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if by >= 0 {
		return strings.Repeat(" ", by) + text
	}
	return text[min(-by, s.indentOf(line)):]
}

// contentIndent is how far the text of a block (| or >) is indented whose
// header stands on that line; 0 when it is empty.
func (s source) contentIndent(header int) int {
	for l := header + 1; l < len(s.lines); l++ {
		if !s.blank(l) {
			return s.indentOf(l)
		}
	}
	return 0
}

// end gives where a node's text ends.
func (s source) end(n *yaml.Node) position {
	at := s.start(n)
	switch {
	case n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle != 0:
		for _, c := range n.Content {
			at = s.end(c)
		}
		if len(n.Content) == 0 {
			at.column++ // past the opening bracket
		}
		return s.closing(at)
	case n.Kind != yaml.ScalarNode:
		if len(n.Content) > 0 {
			return s.end(n.Content[len(n.Content)-1])
		}
		return at
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.blockEnd(at)
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return s.quoteEnd(at)
	default:
		return s.plainEnd(at, n.Value)
	}
}

// next gives the place behind another; the end of a line is one of its own.
func (s source) next(p position) position {
	if p.column++; p.column > len(s.lines[p.line]) {
		return position{p.line + 1, 0}
	}
	return p
}

// at gives the character at a place; a newline at the end of a line, 0 at the
// end of the file.
func (s source) at(p position) rune {
	switch {
	case p.line >= len(s.lines):
		return 0
	case p.column >= len(s.lines[p.line]):
		return '\n'
	default:
		return s.lines[p.line][p.column]
	}
}

// closing finds the bracket that ends what has no more entries.
func (s source) closing(p position) position {
	for {
		switch s.at(p) {
		case 0:
			return p
		case ']', '}':
			return position{p.line, p.column + 1}
		case '#':
			p = position{p.line + 1, 0}
		default:
			p = s.next(p)
		}
	}
}

func (s source) blockEnd(header position) position {
	within := s.contentIndent(header.line)
	if s.indicated(header) && within > 0 { // its first line may be indented deeper than the others
		within = s.indentOf(header.line) + 1
	}
	last := header.line
	for l := header.line + 1; within > 0 && l < len(s.lines); l++ {
		if s.blank(l) {
			continue
		}
		if s.indentOf(l) < within {
			break
		}
		last = l
	}
	return position{last, len(s.lines[last])}
}

// indicated says whether a block's header says how far it is indented: |2.
func (s source) indicated(header position) bool {
	word := firstWord(string(s.lines[header.line][header.column:]))
	return strings.ContainsAny(word, "123456789")
}

func (s source) quoteEnd(p position) position {
	quote := s.at(p)
	for p = s.next(p); s.at(p) != 0; p = s.next(p) {
		switch s.at(p) {
		case '\\':
			if quote == '"' {
				p = s.next(p)
			}
		case quote:
			behind := position{p.line, p.column + 1}
			if quote == '"' || s.at(behind) != quote {
				return behind
			}
			p = behind
		}
	}
	return p
}

// plainEnd follows the characters of a text without quotes, which stand in the
// file as they are, with other spaces and line ends between them.
func (s source) plainEnd(p position, value string) position {
	end := p
	for _, c := range value {
		if space(c) {
			continue
		}
		for space(s.at(p)) {
			p = s.next(p)
		}
		if s.at(p) != c {
			return end
		}
		end = position{p.line, p.column + 1}
		p = s.next(p)
	}
	return end
}
