package testfile

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/near"
)

// shape compares decoded JSON with the Go type that it is meant for. It serves
// the test file and the data of events alike; both say with json and jsonschema
// tags what is known, required and allowed.
type shape struct {
	tree     *document.Data
	problems []document.Problem
	// whole wants what a type requires to be there. An event's data may lack it.
	whole bool
	types members
}

func (s *shape) problem(pointer, message, fix string) {
	s.problems = append(s.problems, document.Problem{Place: s.tree.Place(pointer), Message: message, Fix: fix})
}

// check compares a value with a type; tag is the jsonschema tag of the field.
func (s *shape) check(v any, t reflect.Type, pointer, tag string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface || v == nil && !s.whole {
		return
	}
	switch t {
	case reflect.TypeFor[schemas.Duration]():
		s.duration(v, pointer)
		return
	case reflect.TypeFor[time.Time]():
		s.stamp(v, pointer)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		s.object(v, t, pointer)
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			s.problem(pointer, "want a list, got "+kindOf(v), "write it as [a, b]")
			return
		}
		for n, e := range list {
			s.check(e, t.Elem(), pointer+"/"+strconv.Itoa(n), "")
		}
	case reflect.Map:
		entries, ok := v.(map[string]any)
		if !ok {
			s.problem(pointer, "want keys with values, got "+kindOf(v), "")
			return
		}
		for name, e := range entries {
			s.check(e, t.Elem(), below(pointer, name), "")
		}
	default:
		s.scalar(v, t, pointer, tag)
	}
}

func (s *shape) object(v any, t reflect.Type, pointer string) {
	entries, ok := v.(map[string]any)
	if !ok {
		s.problem(pointer, "want keys with values, got "+kindOf(v), "")
		return
	}
	fields := s.types.of(t)
	for name, e := range entries {
		f, known := fields[name]
		if !known {
			s.unknown(below(pointer, name), name, fields)
			continue
		}
		s.check(e, f.Type, below(pointer, name), f.Tag.Get("jsonschema"))
	}
	if !s.whole {
		return
	}
	for name, f := range fields {
		if _, given := entries[name]; !given && required(f) {
			s.problem(pointer, "the key "+name+" is missing", "")
		}
	}
}

func (s *shape) unknown(pointer, name string, fields map[string]reflect.StructField) {
	var names []string
	for known := range fields {
		names = append(names, known)
	}
	slices.Sort(names)
	fix := "known are " + strings.Join(names, ", ")
	if word := near.Nearest(name, names); word != "" {
		fix = "did you mean " + word + "?"
	}
	at := s.tree.Place(pointer)
	if key, known := s.tree.Keys[pointer]; known {
		at = key
	}
	s.problems = append(s.problems, document.Problem{Place: at, Message: fmt.Sprintf("unknown key %q", shorten(name)), Fix: fix})
}

func (s *shape) scalar(v any, t reflect.Type, pointer, tag string) {
	want, ok := "text", false
	switch t.Kind() {
	case reflect.String:
		var text string
		if text, ok = v.(string); ok {
			s.oneOf(text, pointer, tag)
		}
	case reflect.Bool:
		want = "true or false"
		_, ok = v.(bool)
	case reflect.Float32, reflect.Float64:
		want = "a number"
		_, ok = v.(float64)
	default:
		want = "a whole number"
		f, number := v.(float64)
		ok = number && f == math.Trunc(f)
	}
	if !ok {
		fix := ""
		if want == "text" && v != nil {
			fix = "put it in quotes"
		}
		s.problem(pointer, "want "+want+", got "+kindOf(v), fix)
	}
}

func (s *shape) oneOf(text, pointer, tag string) {
	allowed := enumOf(tag)
	if len(allowed) == 0 || slices.Contains(allowed, text) {
		return
	}
	fix := ""
	if word := near.Nearest(text, allowed); word != "" {
		fix = "did you mean " + word + "?"
	}
	s.problem(pointer, fmt.Sprintf("%q is not one of %s", shorten(text), strings.Join(allowed, ", ")), fix)
}

func (s *shape) duration(v any, pointer string) {
	text, ok := v.(string)
	if ok {
		d, err := time.ParseDuration(text)
		if err == nil && d >= 0 {
			return
		}
	}
	s.problem(pointer, "want a time such as 30s, got "+kindOf(v), "units are s, m and h")
}

func (s *shape) stamp(v any, pointer string) {
	if text, ok := v.(string); ok {
		if _, err := time.Parse(time.RFC3339, text); err == nil {
			return
		}
	}
	s.problem(pointer, "want a moment such as 2026-01-02T15:04:05Z, got "+kindOf(v), "")
}

// members keeps what is known of types: a file has many events of few types.
type members map[reflect.Type]map[string]reflect.StructField

// of gives a type's members by the names that JSON has for them, those of
// embedded types as its own.
func (m members) of(t reflect.Type) map[string]reflect.StructField {
	if out, known := m[t]; known {
		return out
	}
	out := map[string]reflect.StructField{}
	m[t] = out
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			out[name] = f
		}
	}
	return out
}

func required(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return options == ""
}

// enumOf takes the values from a jsonschema tag: "enum=a,enum=b".
func enumOf(tag string) []string {
	var out []string
	for _, part := range strings.Split(tag, ",") {
		if value, is := strings.CutPrefix(part, "enum="); is {
			out = append(out, value)
		}
	}
	return out
}

// below is the JSON pointer of a member.
func below(pointer, name string) string {
	if !strings.ContainsAny(name, "~/") {
		return pointer + "/" + name
	}
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case map[string]any:
		return "keys with values"
	case []any:
		return "a list"
	case string:
		return strconv.Quote(shorten(v))
	default:
		return fmt.Sprint(v)
	}
}

// shorten keeps a message readable whatever stands in the file.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
