package decode

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// raw is a JSON value that a scanner let pass, as it was written. A nil raw is
// a member that is not there.
type raw []byte

func (r raw) object() bool { return len(r) > 0 && r[0] == '{' }
func (r raw) array() bool  { return len(r) > 0 && r[0] == '[' }
func (r raw) text() bool   { return len(r) > 0 && r[0] == '"' }
func (r raw) null() bool   { return len(r) > 0 && r[0] == 'n' }
func (r raw) yes() bool    { return len(r) > 0 && r[0] == 't' }

// is compares a text; nothing that is no text is equal to any.
func (r raw) is(s string) bool { return r.text() && string(plain(r)) == s }

// string gives a text's content, and "" for what is no text.
func (r raw) string() string {
	if !r.text() {
		return ""
	}
	return string(plain(r))
}

// number gives a whole number, and false for anything else.
func (r raw) number() (int, bool) {
	n, err := strconv.Atoi(string(r))
	return n, err == nil
}

// plain gives the content of a text between its quotes; without escapes it is
// no copy.
func plain(text []byte) []byte {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return inner // not after a scanner
	}
	return []byte(s)
}

// clean gives a text without escapes that intake would not take.
func clean(v raw) raw {
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	return quoted(v.string())
}

// quoted writes a text as JSON.
func quoted(s string) raw { return appendQuoted(nil, s) }

func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if special(s[i]) {
			text, err := json.Marshal(s)
			if err != nil { // a string always has a JSON form
				return append(b, '"', '"')
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// special tells whether a byte may need more than itself in a JSON text.
func special(c byte) bool { return c < 0x20 || c == '"' || c == '\\' || c >= 0x7f }

// skip gives the position after the value at i.
func skip(d []byte, i int) int {
	switch d[i] {
	case '"':
		return skipText(d, i)
	case '{', '[':
	default:
		for i < len(d) && !delimiter(d[i]) {
			i++
		}
		return i
	}
	for open := 0; i < len(d); {
		switch d[i] {
		case '"':
			i = skipText(d, i)
			continue
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}

func skipText(d []byte, i int) int {
	for i = ordinary(d, i+1); i < len(d); i++ {
		switch d[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(d)
}

func delimiter(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

// next passes over space, commas and colons.
func next(d []byte, i int) int {
	for i < len(d) && (d[i] == ' ' || d[i] == ',' || d[i] == ':' || d[i] == '\n' || d[i] == '\t' || d[i] == '\r') {
		i++
	}
	return i
}

// each hands on the members of an object; of anything else there are none.
// Names are compared letter by letter, as Kubernetes does: encoding/json would
// take "HOSTPID" for hostPID too.
func each(v raw, visit func(key []byte, value raw)) {
	if !v.object() {
		return
	}
	for i := next(v, 1); i < len(v) && v[i] == '"'; {
		end := skipText(v, i)
		key := plain(v[i:end])
		from := next(v, end)
		if from >= len(v) {
			return
		}
		end = skip(v, from)
		visit(key, v[from:end])
		i = next(v, end)
	}
}

// items hands on the elements of an array; of anything else there are none.
func items(v raw, visit func(value raw)) {
	if !v.array() {
		return
	}
	for i := next(v, 1); i < len(v) && v[i] != ']'; {
		end := skip(v, i)
		visit(v[i:end])
		i = next(v, end)
	}
}

// get follows a path of members; nil when it leads nowhere. As for Kubernetes,
// the last of two equal keys counts.
func get(v raw, path ...string) raw {
	for _, name := range path {
		var found raw
		each(v, func(key []byte, value raw) {
			if string(key) == name {
				found = value
			}
		})
		v = found
	}
	return v
}

// texts gives the texts of an array.
func texts(v raw) []string {
	var all []string
	items(v, func(t raw) {
		if t.text() {
			all = append(all, clipped(t.string()))
		}
	})
	return all
}
