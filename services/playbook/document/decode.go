package document

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/services/playbook/near"

	"go.yaml.in/yaml/v3"
)

// decoder fills the types of this package from YAML nodes.
type decoder struct {
	lines    []string
	problems []Problem
}

// own is a type that reads its node itself.
type own interface {
	read(d *decoder, n *yaml.Node)
}

// whole is a type whose keys depend on one another.
type whole interface {
	check(d *decoder, n *yaml.Node)
}

func placeOf(n *yaml.Node) Place { return Place{Line: n.Line, Column: n.Column} }

func (d *decoder) problem(n *yaml.Node, message, fix string) {
	d.problems = append(d.problems, Problem{Place: placeOf(n), Message: message, Fix: fix})
}

func (d *decoder) into(n *yaml.Node, target any) { d.value(n, reflect.ValueOf(target)) }

func (d *decoder) value(n *yaml.Node, v reflect.Value) {
	if o, ok := v.Interface().(own); ok {
		o.read(d, n)
		return
	}
	switch e := v.Elem(); e.Kind() {
	case reflect.Pointer:
		e.Set(reflect.New(e.Type().Elem()))
		d.value(n, e)
	case reflect.Slice:
		d.list(n, e)
	case reflect.Struct:
		d.object(n, e)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, "want a list, got "+kindOf(n), "write it as [a, b] or with a dash before each entry")
		return
	}
	if len(n.Content) == 0 {
		d.problem(n, "the list is empty", "leave the key out or fill the list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		d.value(c, v.Index(i).Addr())
	}
}

func (d *decoder) object(n *yaml.Node, v reflect.Value) {
	if at := v.FieldByName("At"); at.IsValid() {
		at.Set(reflect.ValueOf(placeOf(n)))
	}
	places := map[string]Place{}
	if keys := v.FieldByName("Keys"); keys.IsValid() {
		keys.Set(reflect.ValueOf(places))
	}
	keys := known()[v.Type()]
	seen := d.entries(n, func(key, value *yaml.Node) {
		places[key.Value] = placeOf(key)
		if f, ok := keys.fields[key.Value]; ok {
			d.value(value, v.FieldByIndex(f.Index).Addr())
			d.rules(value, f)
			return
		}
		d.unknownKey(key, keys)
	})
	if seen == nil {
		return
	}
	for _, name := range keys.required {
		if !seen[name] {
			d.problem(n, "the key "+name+" is missing", "")
		}
	}
	if c, ok := v.Addr().Interface().(whole); ok {
		c.check(d, n)
	}
}

func (d *decoder) unknownKey(key *yaml.Node, keys keys) {
	if slices.Contains(keys.later, key.Value) {
		d.problem(key, "the key "+key.Value+" is not yet known to this version", "leave it out")
		return
	}
	var names []string
	for name := range keys.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	fix := "known are " + strings.Join(names, ", ")
	if word := near.Nearest(key.Value, names); word != "" {
		fix = "did you mean " + word + "?"
	}
	d.problem(key, fmt.Sprintf("unknown key %q", shorten(key.Value)), fix)
}

// entries goes through a mapping, and gives the keys it holds; nil when it is none.
func (d *decoder) entries(n *yaml.Node, do func(key, value *yaml.Node)) map[string]bool {
	if n.Kind != yaml.MappingNode {
		d.problem(n, "want keys with values, got "+kindOf(n), "")
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.problem(key, "a key must be plain text, got "+kindOf(key), "")
		case seen[key.Value]:
			d.problem(key, fmt.Sprintf("the key %q is given twice", shorten(key.Value)), "keep one of them")
		default:
			seen[key.Value] = true
			do(key, value)
		}
	}
	return seen
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys with values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	default:
		return fmt.Sprintf("%q", shorten(n.Value))
	}
}

// shorten keeps a message readable whatever stands in the file.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

func (d *decoder) scalar(n *yaml.Node, want string) bool {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return true
	}
	d.problem(n, "want "+want+", got "+kindOf(n), "")
	return false
}

func (d *decoder) text(n *yaml.Node) Text {
	return Text{Value: n.Value, At: placeOf(n), lines: d.lines, style: n.Style}
}

func (t *Text) read(d *decoder, n *yaml.Node) {
	t.At = placeOf(n)
	if !d.scalar(n, "text") {
		return
	}
	*t = d.text(n)
	if strings.TrimSpace(t.Value) == "" {
		d.problem(n, "want text, got an empty one", "")
	}
}

func (v *Number) read(d *decoder, n *yaml.Node) {
	v.At = placeOf(n)
	if !d.scalar(n, "a whole number") {
		return
	}
	i, err := strconv.Atoi(n.Value)
	if err != nil || n.Tag != "!!int" || i > math.MaxInt32 || i < math.MinInt32 {
		d.problem(n, "want a whole number, got "+kindOf(n), "")
		return
	}
	v.Value = i
}

func (v *Fraction) read(d *decoder, n *yaml.Node) {
	v.At = placeOf(n)
	if !d.scalar(n, "a number") {
		return
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || n.Tag != "!!int" && n.Tag != "!!float" || math.IsNaN(f) || math.IsInf(f, 0) {
		d.problem(n, "want a number, got "+kindOf(n), "")
		return
	}
	v.Value = f
}

func (v *Flag) read(d *decoder, n *yaml.Node) {
	v.At = placeOf(n)
	if !d.scalar(n, "true or false") {
		return
	}
	if n.Value != "true" && n.Value != "false" || n.Tag != "!!bool" {
		d.problem(n, "want true or false, got "+kindOf(n), "")
		return
	}
	v.Value = n.Value == "true"
}

func (v *Duration) read(d *decoder, n *yaml.Node) {
	v.At = placeOf(n)
	if !d.scalar(n, "a time such as 15m") {
		return
	}
	value, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		d.problem(n, "want a time such as 15m, got "+kindOf(n), "units are s, m and h")
	case value <= 0:
		d.problem(n, "want a time above zero, got "+kindOf(n), "")
	default:
		v.Value = value
	}
}

func (s *Signals) read(d *decoder, n *yaml.Node) {
	s.At = placeOf(n)
	d.entries(n, func(key, value *yaml.Node) {
		var one Signal
		d.into(value, &one)
		one.Name = d.text(key)
		s.List = append(s.List, one)
	})
	if len(s.List) == 0 && n.Kind == yaml.MappingNode {
		d.problem(n, "there is no signal", "name at least one")
	}
}

func (b *By) read(d *decoder, n *yaml.Node) {
	b.At = placeOf(n)
	if n.Kind != yaml.MappingNode {
		b.Fields = d.texts(n)
		return
	}
	d.entries(n, func(key, value *yaml.Node) {
		b.Map = append(b.Map, ByOperand{Operand: d.text(key), Fields: d.texts(value)})
	})
	if len(b.Map) == 0 {
		d.problem(n, "by names no field", "write a field such as container.id")
	}
}

// texts reads one text or a list of them.
func (d *decoder) texts(n *yaml.Node) []Text {
	if n.Kind == yaml.SequenceNode {
		var list []Text
		d.into(n, &list)
		return list
	}
	var one Text
	d.into(n, &one)
	return []Text{one}
}

func (v *Data) read(d *decoder, n *yaml.Node) {
	*v = Data{At: placeOf(n), Places: map[string]Place{}, Keys: map[string]Place{}, Texts: map[string]Text{}}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "want keys with values, got "+kindOf(n), "")
		return
	}
	raw, err := json.Marshal(v.collect(d, n, ""))
	if err != nil {
		d.problem(n, "this cannot be written as JSON: "+err.Error(), "")
		return
	}
	v.JSON = raw
}

// collect turns a node into JSON's types and notes where everything stands.
func (v *Data) collect(d *decoder, n *yaml.Node, pointer string) any {
	v.Places[pointer] = placeOf(n)
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		d.entries(n, func(key, value *yaml.Node) {
			p := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key.Value)
			v.Keys[p] = placeOf(key)
			out[key.Value] = v.collect(d, value, p)
		})
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			out = append(out, v.collect(d, c, pointer+"/"+strconv.Itoa(i)))
		}
		return out
	}
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		var value any
		if err := n.Decode(&value); err != nil {
			d.problem(n, "this cannot be read: "+err.Error(), "put it in quotes")
			return nil
		}
		if f, ok := value.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			d.problem(n, kindOf(n)+" is no number that JSON knows", "put it in quotes")
			return nil
		}
		return value
	default:
		v.Texts[pointer] = d.text(n)
		return n.Value
	}
}
