package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Part is a piece of a text with ${…} in it.
type Part struct {
	Text   string
	Expr   bool // Text is an expression; else it stands for itself
	Offset int  // where it begins in the whole, in characters
}

// Split takes a text apart at its ${…}; $${ stands for ${ itself.
func Split(text string) ([]Part, error) {
	var parts []Part
	var plain strings.Builder
	start := 0
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, Part{Text: plain.String(), Offset: utf8.RuneCountInString(text[:start])})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, "$${"):
			plain.WriteString("${")
			i += 3
		case strings.HasPrefix(rest, "${"):
			flush()
			end := closing(text, i+2)
			if end < 0 {
				return nil, fmt.Errorf("character %d: ${ without its }: close it, or write $${ for the text ${", utf8.RuneCountInString(text[:i])+1)
			}
			parts = append(parts, Part{Text: text[i+2 : end], Expr: true, Offset: utf8.RuneCountInString(text[:i+2])})
			i, start = end+1, end+1
		default:
			plain.WriteByte(text[i])
			i++
		}
	}
	flush()
	return parts, nil
}

// closing finds the } that ends an expression: not one in quotes, nor that of
// a map.
func closing(text string, from int) int {
	depth := 0
	quote := byte(0)
	for i := from; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}

// Substitute replaces every ${…} in every string of a JSON value by the value
// of its expression. A string that is one ${…} and nothing else becomes the
// value itself, of whatever type; in the midst of a text it is written out.
// What comes out is a value: it is never read as an expression again.
func Substitute(with json.RawMessage, vars map[string]any) (json.RawMessage, error) {
	return SubstituteIn(with, vars, Scope{})
}

// SubstituteIn is [Substitute] with the types of the signals known.
func SubstituteIn(with json.RawMessage, vars map[string]any, scope Scope) (json.RawMessage, error) {
	if !bytes.Contains(with, []byte("${")) {
		return with, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(with))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	value, err := replace(value, vars, scope)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func replace(value any, vars map[string]any, scope Scope) (any, error) {
	var err error
	switch v := value.(type) {
	case string:
		return fill(v, vars, scope)
	case []any:
		for i := range v {
			if v[i], err = replace(v[i], vars, scope); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = replace(v[k], vars, scope); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func fill(text string, vars map[string]any, scope Scope) (any, error) {
	parts, err := Split(text)
	if err != nil {
		return nil, fmt.Errorf("text %q: %w", text, err)
	}
	var out strings.Builder
	for _, part := range parts {
		if !part.Expr {
			out.WriteString(part.Text)
			continue
		}
		program, err := StepIn(part.Text, Any, scope)
		if err != nil {
			return nil, fmt.Errorf("${%s}: %w", part.Text, err)
		}
		v, err := program.Eval(vars)
		if err != nil {
			return nil, fmt.Errorf("${…}: %w", err)
		}
		if len(parts) == 1 {
			return v, nil
		}
		written, err := written(v)
		if err != nil {
			return nil, fmt.Errorf("${%s}: %w", part.Text, err)
		}
		out.WriteString(written)
	}
	return out.String(), nil
}

// written is a value in the midst of a text.
func written(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default:
		raw, err := json.Marshal(v)
		return string(raw), err
	}
}
