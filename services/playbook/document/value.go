package document

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Place is where something stands in a file.
type Place struct{ Line, Column int }

// Problem is something wrong at a place.
type Problem struct {
	Place
	Message string
	Fix     string
}

// Text is a scalar as it is written.
type Text struct {
	Value string
	At    Place

	lines []string // of the file
	style yaml.Style
}

// Number is a whole number.
type Number struct {
	Value int
	At    Place
}

// Flag is true or false.
type Flag struct {
	Value bool
	At    Place
}

// Duration is a time span such as 15m.
type Duration struct {
	Value time.Duration
	At    Place
}

// Signals are the named signals in the order of the file.
type Signals struct {
	At   Place
	List []Signal
}

// Fraction is a number that need not be whole.
type Fraction struct {
	Value float64
	At    Place
}

// By is the field or the fields of a group: one, a list, or those of each operand.
type By struct {
	At     Place
	Fields []Text      // of every operand; nil when they differ
	Map    []ByOperand // nil when they do not
}

// ByOperand are the fields of one operand.
type ByOperand struct {
	Operand Text
	Fields  []Text
}

// Data is any JSON value, with the places of what is in it.
type Data struct {
	At     Place
	JSON   []byte
	Places map[string]Place // by JSON pointer
	Keys   map[string]Place // of the keys, by the JSON pointer of their values
	Texts  map[string]Text  // every string, by JSON pointer
}

// Locate gives the place in the file of a line and column (from 1) within the
// text. Folding and escapes are followed as far as they can be.
func (t Text) Locate(line, column int) Place {
	value := []rune(t.Value)
	target := offset(value, line, column)
	at := cursor{lines: t.lines, line: t.At.Line - 1, column: t.At.Column - 1}
	switch {
	case t.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		at.line, at.column = at.line+1, 0
		at.skipSpace()
	case t.style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.column++
	}
	for i := 0; i < target; i++ {
		if space(value[i]) {
			at.skipSpace()
			for i+1 < len(value) && space(value[i+1]) {
				i++
			}
			continue
		}
		c, ok := at.peek()
		switch {
		case !ok:
			return t.At
		case c == value[i]:
		case c == '\\' && t.style&yaml.DoubleQuotedStyle != 0:
			at.column++
		default:
			return t.At
		}
		at.column++
		if c == '\'' && t.style&yaml.SingleQuotedStyle != 0 {
			at.column++
		}
	}
	return Place{Line: at.line + 1, Column: at.column + 1}
}

func offset(value []rune, line, column int) int {
	i := 0
	for ; line > 1 && i < len(value); i++ {
		if value[i] == '\n' {
			line--
		}
	}
	return min(i+column-1, len(value))
}

func space(c rune) bool { return c == ' ' || c == '\n' || c == '\t' }

// cursor walks through the lines of a file.
type cursor struct {
	lines        []string
	line, column int // from 0; columns count characters
}

func (c *cursor) peek() (rune, bool) {
	if c.line >= len(c.lines) {
		return 0, false
	}
	row := []rune(c.lines[c.line])
	if c.column >= len(row) {
		return 0, false
	}
	return row[c.column], true
}

func (c *cursor) skipSpace() {
	for c.line < len(c.lines) {
		r, ok := c.peek()
		switch {
		case !ok:
			if c.line+1 >= len(c.lines) {
				return
			}
			c.line, c.column = c.line+1, 0
		case space(r) || r == '\r':
			c.column++
		default:
			return
		}
	}
}

// splitLines cuts a file at its line ends.
func splitLines(data []byte) []string {
	return strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
}

// Place gives where the value at a JSON pointer stands, or else what holds it.
func (v *Data) Place(pointer string) Place {
	for {
		if at, ok := v.Places[pointer]; ok {
			return at
		}
		cut := strings.LastIndexByte(pointer, '/')
		if cut < 0 {
			return v.At
		}
		pointer = pointer[:cut]
	}
}
