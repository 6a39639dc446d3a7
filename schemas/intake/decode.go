package intake

import (
	"fmt"
	"strconv"

	"firebreak/schemas"
)

// Decode gives what encoding/json makes of data that has passed [Strict], at
// less cost. Other data gives an error or an arbitrary value.
//
// Texts are copies: one that is kept does not keep the whole event with it.
func Decode(data []byte) (map[string]any, error) {
	d := decoder{text: string(data)}
	d.space()
	if d.peek() == '{' {
		if v, ok := d.object(1); ok {
			return v, nil
		}
	}
	return nil, fmt.Errorf("data: byte %d: %w: no JSON that has passed intake", d.pos, schemas.ErrInvalid)
}

// decoder reads text; the keys of what it makes are parts of it.
type decoder struct {
	text    string
	pos     int
	scratch []byte
}

func (d *decoder) peek() byte {
	if d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

func (d *decoder) space() {
	for d.pos < len(d.text) && d.text[d.pos] <= ' ' {
		d.pos++
	}
}

// take steps over c and the space around it.
func (d *decoder) take(c byte) bool {
	d.space()
	if d.peek() != c {
		return false
	}
	d.pos++
	d.space()
	return true
}

func (d *decoder) object(level int) (map[string]any, bool) {
	out := map[string]any{}
	d.pos++
	if d.take('}') {
		return out, true
	}
	for {
		name, escaped, ok := d.quoted()
		if !ok || !d.take(':') {
			return nil, false
		}
		if escaped {
			name = d.unescape(name)
		}
		if out[name], ok = d.value(level); !ok {
			return nil, false
		}
		if d.take(',') {
			continue
		}
		d.space()
		d.pos++
		return out, d.pos <= len(d.text) && d.text[d.pos-1] == '}'
	}
}

func (d *decoder) list(level int) ([]any, bool) {
	out := []any{}
	d.pos++
	if d.take(']') {
		return out, true
	}
	for {
		v, ok := d.value(level)
		if !ok {
			return nil, false
		}
		out = append(out, v)
		if d.take(',') {
			continue
		}
		d.space()
		d.pos++
		return out, d.pos <= len(d.text) && d.text[d.pos-1] == ']'
	}
}

func (d *decoder) value(level int) (any, bool) {
	switch d.peek() {
	case '{':
		if level < MaxLevels {
			return boxed(d.object(level + 1))
		}
	case '[':
		if level < MaxLevels {
			return boxed(d.list(level + 1))
		}
	case '"':
		raw, escaped, ok := d.quoted()
		if escaped {
			return d.unescape(raw), ok
		}
		return string([]byte(raw)), ok
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case 'n':
		return nil, d.word("null")
	default:
		return d.number()
	}
	return nil, false
}

func boxed[T any](v T, ok bool) (any, bool) { return v, ok }

func (d *decoder) word(w string) bool {
	end := d.pos + len(w)
	if end > len(d.text) || d.text[d.pos:end] != w {
		return false
	}
	d.pos = end
	return true
}

// quoted gives what stands between the quotes.
func (d *decoder) quoted() (raw string, escaped, ok bool) {
	if d.peek() != '"' {
		return "", false, false
	}
	d.pos++
	start := d.pos
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case '"':
			d.pos++
			return d.text[start : d.pos-1], escaped, true
		case '\\':
			escaped = true
			d.pos++
		}
		d.pos++
	}
	return "", false, false
}

func (d *decoder) unescape(raw string) string {
	d.scratch = Unescape(d.scratch[:0], []byte(raw))
	return string(d.scratch)
}

func (d *decoder) number() (any, bool) {
	start := d.pos
	for d.pos < len(d.text) && numeric(d.text[d.pos]) {
		d.pos++
	}
	n, err := strconv.ParseFloat(d.text[start:d.pos], 64)
	return n, err == nil
}

func numeric(c byte) bool {
	return c-'0' <= 9 || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}
