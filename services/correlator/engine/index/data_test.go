package index_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Trees are the members that events can have; a word says what is drawn there.
var processTree = map[string]any{
	"host": map[string]any{"name": "text"},
	"k8s": map[string]any{
		"namespace": map[string]any{"name": "text", "labels": map[string]any{"a.b/c": "text", "app": "text"}},
		"pod":       map[string]any{"name": "text", "labels": map[string]any{"é": "text"}},
	},
	"container": map[string]any{
		"id": "text", "image": map[string]any{"name": "text"}, "exit": map[string]any{"code": "number"}, "memory": map[string]any{"usage": "number"},
		"cpu": map[string]any{"utilization": "number"}, "sandbox": "flag", "labels": map[string]any{"\n": "text", "a": "text", "app": "text", "/tmp": "text"},
	},
	"process": map[string]any{
		"pid": "number", "executable": map[string]any{"name": "text", "path": "text", "origin": "text"}, "command_args": "list", "command_args_cut": "flag",
		"parent": map[string]any{"pid": "number", "executable": map[string]any{"name": "text"}},
	},
	"user": map[string]any{"id": "text", "groups": "list"},
	"tetragon": map[string]any{"kind": "text", "event": map[string]any{
		"x": "any", "y": map[string]any{"z": "any"}, "a.b/c": "any", "list": "list",
	}},
}

var falcoTree = map[string]any{
	"host": map[string]any{"name": "text"}, "k8s": map[string]any{"pod": map[string]any{"name": "text"}},
	"container": map[string]any{"id": "text", "sandbox": "flag", "cpu": map[string]any{"utilization": "number"}},
	"process":   map[string]any{"pid": "number", "executable": map[string]any{"name": "text"}},
	"falco": map[string]any{
		"rule": "text", "priority": "text", "tags": "list", "time": "text",
		"output_fields": map[string]any{"proc.name": "text", "x": "any", "proc": map[string]any{"name": "any"}, "evt.time": "number", "list": "list", "a": "flag"},
	},
}

var auditTree = map[string]any{
	"user": map[string]any{"name": "text", "groups": "list"}, "client": map[string]any{"address": "text", "port": "number"},
	"caller": map[string]any{"pod": map[string]any{"name": "text"}},
	"audit": map[string]any{
		"verb": "text", "objectRef": map[string]any{"resource": "text"}, "sourceIPs": "list", "cut": "flag",
		"annotations": map[string]any{"a.b/c": "text", "a": "text"}, "responseStatus": map[string]any{"code": "number"},
		"user":          map[string]any{"groups": "list", "extra": map[string]any{"x": "list", "a": "list"}},
		"requestObject": map[string]any{"spec": map[string]any{"x": "any", "list": "list"}}, "responseObject": map[string]any{"kind": "text"},
	},
}

// event draws the bytes of an event.
func (s source) event() []byte {
	text := s.object(s.tree)
	if s.one(40) {
		text = s.broken(text)
	}
	return []byte(text)
}

// broken is no JSON, most likely.
func (s source) broken(text string) string {
	at := s.n(len(text) + 1)
	return text[:at] + s.of("", `"`, "}", `\`, "\xff", ",", "0") + text[min(len(text), at+s.n(3)):]
}

func (s source) space() string {
	if s.one(6) {
		return s.of(" ", "\n", "\t", "\r\n")
	}
	return ""
}

func (s source) object(of map[string]any) string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	s.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var members []string
	for _, name := range names {
		if s.one(6) {
			continue
		}
		members = append(members, s.member(name, s.value(of[name])))
		if s.one(600) { // once more
			members = append(members, s.member(name, s.value(of[name])))
		}
	}
	if s.one(10) {
		members = slices.Insert(members, s.n(len(members)+1), s.member(s.of("zz", "", "hos", "x\\y"), s.any(2)))
	}
	return "{" + s.space() + strings.Join(members, ","+s.space()) + s.space() + "}"
}

func (s source) member(name, value string) string {
	return s.quote(name) + s.space() + ":" + s.space() + value
}

func (s source) value(of any) string {
	if s.one(12) {
		return s.any(2)
	}
	if m, ok := of.(map[string]any); ok {
		return s.object(m)
	}
	switch of {
	case "text":
		return s.quote(s.text())
	case "number":
		return s.of(numerals...)
	case "flag":
		return s.of("true", "false")
	case "list":
		return "[" + strings.Join(s.some(func() string { return s.quote(s.text()) }), ",") + "]"
	default:
		return s.any(2)
	}
}

func (s source) some(one func() string) []string {
	out := make([]string, s.n(4))
	for i := range out {
		out[i] = one()
	}
	return out
}

func (s source) any(depth int) string {
	switch s.n(8) {
	case 0, 1:
		return s.quote(s.text())
	case 2:
		return s.of(numerals...)
	case 3:
		return s.of("true", "false")
	case 4, 5:
		return "null"
	}
	if depth == 0 {
		return "[]"
	}
	inside := s.some(func() string { return s.any(depth - 1) })
	if s.one(2) {
		return "[" + s.space() + strings.Join(inside, ",") + "]"
	}
	for i := range inside {
		inside[i] = s.member(strconv.Itoa(i), inside[i])
	}
	return "{" + strings.Join(inside, ",") + s.space() + "}"
}

// quote writes a text, some of it with escapes where none were needed.
func (s source) quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	escape := s.one(3)
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(s.of(`\n`, `\u000a`, `\u000A`))
		case escape && r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		case escape && s.one(2) && r != utf8.RuneError:
			b.WriteString(s.of(fmt.Sprintf(`\u%04x`, r), fmt.Sprintf(`\u%04X`, r)))
		case escape && r == '/':
			b.WriteString(`\/`)
		default:
			b.WriteRune(r)
		}
	}
	if s.one(500) {
		b.WriteString(s.of(`\ud800`, `\udc00`, "\xff", "\x01"))
	}
	b.WriteByte('"')
	return b.String()
}
