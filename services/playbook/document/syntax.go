package document

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+)(?:, column (\d+))?: )?((?s:.*))$`)

// syntax takes the place from the YAML parser's error.
func syntax(data []byte, err error) *Problem {
	p := &Problem{Place: Place{Line: 1, Column: 1}, Message: "this is no YAML: " + err.Error()}
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m != nil {
		p.Message = "this is no YAML: " + m[3]
		if n, err := strconv.Atoi(m[1]); err == nil {
			p.Line = n
		}
		if n, err := strconv.Atoi(m[2]); err == nil {
			p.Column = n
		} else {
			p.Line = max(p.Line, failing(data, m[3]))
		}
	}
	p.Fix = advice(data, p)
	return p
}

// failing is the line at which the file becomes wrong: the parser names the
// one where what it was in the middle of began, which may be the whole file.
func failing(data []byte, message string) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	return 1 + sort.Search(len(lines)-1, func(n int) bool {
		var node yaml.Node
		err := yaml.Unmarshal(bytes.Join(lines[:n+1], nil), &node)
		if err == nil {
			return false
		}
		m := syntaxLine.FindStringSubmatch(err.Error())
		return m != nil && m[3] == message
	})
}

// advice says what is most often wrong.
func advice(data []byte, p *Problem) string {
	lines := splitLines(data)
	text := lines[min(p.Line, len(lines))-1]
	switch {
	case strings.Contains(text, "\t") && strings.TrimLeft(text, " \t") != strings.TrimLeft(text, " "):
		return "indent with spaces: YAML takes no tabs there"
	case strings.Contains(p.Message, "expected ',' or"):
		return "within braces and brackets, a text that holds a comma, a bracket, a brace or a question mark must stand in quotes; or write the keys below one another"
	default:
		return "look at the line and the one before; a text that begins with ! or a quote, or holds a colon and a space, must stand in quotes"
	}
}

// turned refuses what shows a file in another order than it is read in: who
// reviews it would see another playbook than the one that runs.
func turned(data []byte) *Problem {
	n := bytes.IndexFunc(data, func(r rune) bool {
		return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
	if n < 0 {
		return nil
	}
	r, _ := utf8.DecodeRune(data[n:])
	before := data[:n]
	at := Place{Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])}
	return &Problem{Place: at, Message: fmt.Sprintf("the invisible character U+%04X turns the text behind it around for those who read it", r), Fix: fmt.Sprintf(`take it out, or write \u%04x within double quotes`, r)}
}
