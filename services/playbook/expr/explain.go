package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	celast "cel.dev/cel-go/common/ast"
)

// Verdict is what became of one part of a condition.
type Verdict struct {
	Text         string
	Line, Column int    // where it begins in the condition, from 1
	Depth        int    // 0: a part of the whole; 1: a part of the part above it with depth 0; …
	Result       string // true | false | error; of what is no condition its value
	Error        string // why it could not be told
	Reads        []Read // what its fields hold; none of a part that has parts itself
}

// Read is what one field held.
type Read struct {
	Path   string
	Value  string // as JSON, cut when it is long
	Absent bool
}

// longestValue is how much of a value is shown.
const longestValue = 80

// Explain evaluates a condition part by part: what its top-level && or || joins,
// and so on within the parentheses among them.
func (p *Program) Explain(vars map[string]any) []Verdict {
	e := explainer{in: p.language(), vars: vars, text: p.text, result: p.result, parts: &p.parts}
	e.part(span{0, len(p.text)}, 0)
	return e.out
}

// language is what the parts of the program may speak of.
func (p *Program) language() *language { return &language{env: p.env, model: p.model, lookups: true} }

// explainer takes a condition apart.
type explainer struct {
	in     *language
	vars   map[string]any
	text   string
	result Result
	parts  *sync.Map // compiled before: of one program there are few, of events many
	out    []Verdict
}

// piece is a part of the text with what it reads.
type piece struct {
	program *Program
	err     error
	reads   []*Program // by the path, which is their text
}

// compile gives a piece of the text, or a path.
func (e *explainer) compile(text string, result Result, leaf bool) piece {
	type key struct {
		text   string
		result Result
		leaf   bool
	}
	k := key{text, result, leaf}
	if known, done := e.parts.Load(k); done {
		if p, ok := known.(piece); ok {
			return p
		}
	}
	var p piece
	p.program, p.err = compile(text, e.in, result, facts{})
	if leaf {
		p.reads = e.paths(text)
	}
	e.parts.Store(k, p)
	return p
}

// part explains a piece of the text that stands for itself.
func (e *explainer) part(s span, depth int) {
	s = s.trimmed(e.text)
	inner := s
	for {
		within, ok := inner.unwrapped(e.text)
		if !ok {
			break
		}
		inner = within.trimmed(e.text)
	}
	parts, _ := inner.split(e.text)
	switch {
	case len(parts) < 2:
		e.verdict(s, depth, true)
	case depth == 0 && s.whole(e.text) && inner == s:
		for _, one := range parts { // the whole itself is what the reader asked about
			e.part(one, depth)
		}
	default:
		e.verdict(s, depth, false)
		for _, one := range parts {
			e.part(one, depth+1)
		}
	}
}

// verdict evaluates a piece of the text.
func (e *explainer) verdict(s span, depth int, leaf bool) {
	text := e.text[s.from:s.to]
	before := e.text[:s.from]
	v := Verdict{
		Text: text, Depth: depth, Line: 1 + strings.Count(before, "\n"),
		Column: 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:])),
	}
	result := Bool
	if s.whole(e.text) {
		result = e.result
	}
	part := e.compile(text, result, leaf)
	err := part.err
	if err == nil {
		var value any
		if value, err = part.program.Eval(e.vars); err == nil {
			v.Result = show(value)
		}
	}
	if err != nil {
		v.Result, v.Error = "error", strings.TrimPrefix(err.Error(), text+": ")
	}
	for _, path := range part.reads {
		v.Reads = append(v.Reads, e.read(path))
	}
	e.out = append(e.out, v)
}

// paths gives the fields that a piece reads, but those whose key is itself an
// expression.
func (e *explainer) paths(text string) []*Program {
	parsed, issues := e.in.env.Parse(text)
	if issues.Err() != nil {
		return nil
	}
	a := newAnalysis(text, parsed.NativeRep(), e.in.model)
	a.lookups = true
	a.walk(parsed.NativeRep().Expr(), facts{})
	var out []*Program
	seen := map[string]bool{}
	a.readsOf(parsed.NativeRep().Expr(), func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		if p, err := compile(path, e.in, Any, facts{}); err == nil {
			out = append(out, p)
		}
	})
	return out
}

// read looks a field up.
func (e *explainer) read(p *Program) Read {
	value, err := p.Eval(e.vars)
	switch {
	case errors.Is(err, ErrAbsent):
		return Read{Path: p.text, Absent: true}
	case err != nil:
		return Read{Path: p.text, Value: shorten(strings.TrimPrefix(err.Error(), p.text+": "))}
	}
	return Read{Path: p.text, Value: show(value)}
}

// readsOf calls do with every path into the data, the longest ones alone.
func (a *analysis) readsOf(e celast.Expr, do func(path string)) {
	if p := a.paths[e.ID()]; p != nil {
		if !p.nested {
			do(p.text())
		}
		return
	}
	if a.isLookup(e) {
		for _, arg := range e.AsCall().Args() {
			a.readsOf(arg, do)
		}
		return
	}
	a.children(e, func(child celast.Expr) { a.readsOf(child, do) })
}

func show(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return shorten(fmt.Sprint(v))
	}
	return shorten(string(raw))
}

func shorten(text string) string {
	if r := []rune(text); len(r) > longestValue {
		return string(r[:longestValue-1]) + "…"
	}
	return text
}
