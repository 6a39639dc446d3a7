package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

// Signal says how an event stands to a signal of a playbook.
type Signal struct {
	Name    string    `json:"signal"`
	Matched bool      `json:"matched"`
	Reason  string    `json:"reason,omitempty"` // why not, when no condition says it
	Parts   []Verdict `json:"conditions,omitempty"`
}

// Verdict is how one part of a condition came out.
type Verdict struct {
	Text   string `json:"text"`
	Line   int    `json:"line,omitempty"` // within the condition
	Column int    `json:"column,omitempty"`
	Depth  int    `json:"depth,omitempty"` // how deep within the parts above it
	Result string `json:"result"`          // true | false | error
	Error  string `json:"error,omitempty"`
	Reads  []Read `json:"reads,omitempty"`
}

// Read is a field that a part of a condition looked at.
type Read struct {
	Path   string `json:"path"`
	Value  string `json:"value,omitempty"`
	Absent bool   `json:"absent,omitempty"`
}

// Signals says how an event stands to each signal of its type.
func Signals(p *playbook.Playbook, e schemas.Event) []Signal {
	var data map[string]any
	err := json.Unmarshal(e.Data, &data)
	var out []Signal
	for _, s := range p.Signals {
		if s.Match != nil || s.Type != e.Type {
			continue
		}
		one := Signal{Name: s.Name}
		switch {
		case err != nil:
			one.Reason = "its data cannot be read: " + err.Error()
		case s.When == nil:
			one.Matched = true
		default:
			one.condition(s.When, data)
		}
		out = append(out, one)
	}
	return out
}

func (s *Signal) condition(when *expr.Program, data map[string]any) {
	s.Parts = Verdicts(when, data)
	ok, err := when.Bool(data)
	s.Matched = ok && err == nil
	if err != nil {
		s.Reason = err.Error()
	}
}

// Verdicts evaluates a condition part by part.
func Verdicts(p *expr.Program, vars map[string]any) []Verdict {
	// JSON is written for web pages too; people read command lines.
	legible := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	var out []Verdict
	for _, v := range p.Explain(vars) {
		one := Verdict{Text: v.Text, Line: v.Line, Column: v.Column, Depth: v.Depth, Result: v.Result, Error: v.Error}
		for _, r := range v.Reads {
			one.Reads = append(one.Reads, Read{Path: r.Path, Value: legible.Replace(r.Value), Absent: r.Absent})
		}
		out = append(out, one)
	}
	return out
}

// String tells in one line how the event stands to the signal: the parts that
// kept it from matching, with what they looked at.
func (s Signal) String() string {
	if s.Matched {
		return "matches " + s.Name
	}
	var parts []string
	for n, v := range s.Parts {
		if v.Result == "true" || v.Depth > 0 {
			continue
		}
		for _, within := range s.Parts[n+1:] { // a part that has parts has read nothing itself
			if within.Depth == 0 {
				break
			}
			v.Reads = append(v.Reads, within.Reads...)
		}
		parts = append(parts, v.short())
	}
	if len(parts) == 0 && s.Reason != "" {
		parts = []string{s.Reason}
	}
	return "does not match " + s.Name + ": " + strings.Join(parts, "; ")
}

// short is the part in a line among others.
func (v Verdict) short() string {
	const most, fields = 120, 4
	if r := []rune(oneLine(v.Text)); len(r) > most {
		v.Text = string(r[:most]) + "…"
	}
	var seen []Read
	for _, r := range v.Reads {
		if !slices.Contains(seen, r) && len(seen) < fields {
			seen = append(seen, r)
		}
	}
	v.Reads = seen
	return v.String()
}

// String is the part with its result and the fields it looked at.
func (v Verdict) String() string {
	text := fmt.Sprintf("%s is %s", oneLine(v.Text), v.Result)
	if v.Error != "" {
		text += ": " + v.Error
	}
	var reads []string
	for _, r := range v.Reads {
		reads = append(reads, r.String())
	}
	if len(reads) > 0 {
		text += " (" + strings.Join(reads, ", ") + ")"
	}
	return text
}

// String is a field with its value.
func (r Read) String() string {
	if r.Absent {
		return r.Path + " is absent"
	}
	return r.Path + " = " + r.Value
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
