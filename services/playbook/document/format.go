package document

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Format writes a playbook in its canonical form: keys in the order of the
// guide, two spaces for each level, one empty line at most between two keys.
// Comments stay with what they stand above or beside, and texts over several
// lines keep their lines. A playbook with problems comes back as it was.
func Format(data []byte) ([]byte, []Problem) {
	if _, problems := Read(data); len(problems) > 0 {
		return data, problems
	}
	// The mark that some editors begin a file with would stand before its first key.
	plain := bytes.TrimPrefix(data, []byte("\ufeff"))
	root, problem := parse(plain)
	if problem != nil {
		return data, []Problem{*problem}
	}
	if strings.ContainsAny(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r\u0085\u2028\u2029") {
		return data, []Problem{{Place: Place{Line: 1, Column: 1}, Message: "a line ends with something that is no newline", Fix: "save the file with the line ends of Unix"}}
	}
	f := &formatter{source: newSource(plain)}
	out := []byte(strings.Join(f.document(root), "\n") + "\n")
	if !same(data, out) {
		return data, []Problem{{Place: Place{Line: 1, Column: 1}, Message: "this cannot be written in another form without changing what it means", Fix: "write it more plainly: no keys with ? and no lists directly within lists"}}
	}
	return out, nil
}

// same says whether two texts hold the same values.
func same(a, b []byte) bool {
	var x, y any
	return yaml.Unmarshal(a, &x) == nil && yaml.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// formatter writes nodes from their own text.
type formatter struct{ source }

// entry is a key with its value, or an item of a list, and what stands around it.
type entry struct {
	key, value *yaml.Node // key is nil of an item
	above      []string   // comments and empty lines
	below      []string   // comments that belong to it rather than to the next
	lines      []string
}

// document writes the whole: what stands above the first key stays there.
func (f *formatter) document(root *yaml.Node) []string {
	first := root.Line - 1
	out := squeeze(f.comments(0, first, 0), true)
	if len(out) > 0 && first > 0 && f.blank(first-1) {
		out = append(out, "")
	}
	entries := f.entries(root, 0, reflect.TypeFor[Playbook](), first-1)
	last := &entries[len(entries)-1]
	rest := f.below(last, f.end(root).line+1, len(f.lines), 0, 0)
	order(entries, known()[reflect.TypeFor[Playbook]()])
	lines, above := join(entries)
	out = append(append(out, above...), lines...)
	return squeeze(append(out, f.comments(rest, len(f.lines), 0)...), true)
}

// mapping writes keys with values. after is the last line before it that is
// written already. What stands above its first key comes apart: in a list, it
// goes above the dash.
func (f *formatter) mapping(n *yaml.Node, indent int, t reflect.Type, after int) (lines, above []string) {
	entries := f.entries(n, indent, t, after)
	order(entries, known()[t])
	return join(entries)
}

// entries writes the keys of a mapping in the order of the file.
func (f *formatter) entries(n *yaml.Node, indent int, t reflect.Type, after int) []entry {
	var entries []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry{key: n.Content[i], value: n.Content[i+1]}
		f.around(&e, entries, e.key, indent, after)
		e.lines = f.keyed(e, indent, memberType(t, known()[t], e.key.Value))
		after = max(f.end(e.value).line, e.key.Line-1)
		entries = append(entries, e)
	}
	return entries
}

// order sorts entries as their keys are declared.
func order(entries []entry, k keys) {
	if k.order == nil {
		return
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return slices.Index(k.order, a.key.Value) - slices.Index(k.order, b.key.Value)
	})
}

// list writes the items of a list.
func (f *formatter) list(n *yaml.Node, indent int, t reflect.Type, after int) []string {
	var entries []entry
	for _, item := range n.Content {
		e := entry{value: item}
		f.around(&e, entries, item, indent, after)
		e.lines, after = f.item(&e, indent, t), f.end(item).line
		entries = append(entries, e)
	}
	lines, above := join(entries)
	return append(above, lines...)
}

// around takes the comments between the last entry and this one apart.
func (f *formatter) around(e *entry, before []entry, at *yaml.Node, indent, after int) {
	from, to := after+1, at.Line-1
	if len(before) > 0 {
		own := f.column(at)
		if at != e.key {
			own = f.indentOf(at.Line - 1) // the dash
		}
		from = f.below(&before[len(before)-1], from, to, own, indent)
	}
	e.above = f.comments(from, to, indent)
}

// below gives an entry the comments behind it that are indented deeper than
// what follows; they end at the line that it returns.
func (f *formatter) below(e *entry, from, to, own, indent int) int {
	end := from
	for l := from; l < to && (f.blank(l) || f.indentOf(l) > own); l++ {
		if !f.blank(l) {
			end = l + 1
		}
	}
	for l := from; l < end; l++ {
		e.below = append(e.below, f.shifted(l, indent-own))
	}
	return end
}

// join puts entries together; above is what stands above the first.
func join(entries []entry) (lines, above []string) {
	for i, e := range entries {
		if i == 0 {
			above = squeeze(e.above, true)
		} else {
			lines = append(lines, squeeze(e.above, false)...)
		}
		lines = append(lines, e.lines...)
		lines = append(lines, squeeze(e.below, false)...)
	}
	return lines, above
}

// keyed writes a key with its value.
func (f *formatter) keyed(e entry, indent int, t reflect.Type) []string {
	end := f.end(e.key)
	head := strings.Repeat(" ", indent) + f.text(f.start(e.key), end) + ":"
	line := e.key.Line - 1
	rest := strings.TrimPrefix(strings.TrimLeft(string(f.lines[line][end.column:]), " "), ":")
	if nested(e.value) {
		head += strings.TrimRight(rest, " ") // a comment
		var inner []string
		if e.value.Kind == yaml.SequenceNode {
			inner = f.list(e.value, indent+2, elementType(t), line)
		} else {
			var above []string
			inner, above = f.mapping(e.value, indent+2, t, line)
			inner = append(above, inner...)
		}
		return append([]string{head}, inner...)
	}
	return f.value(head, strings.TrimSpace(rest), e.value, line, f.column(e.key), indent, t)
}

// item writes an item of a list.
func (f *formatter) item(e *entry, indent int, t reflect.Type) []string {
	line := e.value.Line - 1
	dash := f.indentOf(line)
	prefix := strings.Repeat(" ", indent) + "-"
	if nested(e.value) && e.value.Kind == yaml.MappingNode {
		lines, above := f.mapping(e.value, indent+2, t, line)
		for _, a := range above {
			e.above = append(e.above, strings.Repeat(" ", indent)+strings.TrimSpace(a))
		}
		lines[0] = prefix + " " + lines[0][min(indent+2, len(lines[0])):]
		return lines
	}
	rest := strings.TrimSpace(string(f.lines[line][min(f.column(e.value), len(f.lines[line])):]))
	return f.value(prefix, rest, e.value, line, dash, indent, t)
}

// value writes what does not begin on a line of its own: rest is what stands
// behind the head on its line, and old where that line was indented.
func (f *formatter) value(head, rest string, n *yaml.Node, line, old, indent int, t reflect.Type) []string {
	end := f.end(n)
	if n.Line-1 == line && end.line == line && n.Style&yaml.FlowStyle != 0 {
		comment := strings.TrimRight(string(f.lines[line][end.column:]), " ")
		return []string{head + " " + f.flow(n, t) + comment}
	}
	if rest != "" {
		head += " " + rest
	}
	shift := indent - old
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		if within := f.contentIndent(n.Line - 1); within > 0 && !f.indicated(f.start(n)) {
			shift = indent + 2 - within
		}
	}
	lines := []string{head}
	for l := line + 1; l <= end.line; l++ {
		lines = append(lines, f.shifted(l, shift))
	}
	return lines
}

// flow writes {…} or […] on one line.
func (f *formatter) flow(n *yaml.Node, t reflect.Type) string {
	switch {
	case n.Style&yaml.FlowStyle == 0:
		return f.text(f.start(n), f.end(n))
	case n.Kind == yaml.SequenceNode:
		var items []string
		for _, item := range n.Content {
			items = append(items, f.flow(item, elementType(t)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	keys := known()[t]
	var entries []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		text := f.text(f.start(key), f.end(key)) + ": " + f.flow(value, memberType(t, keys, key.Value))
		entries = append(entries, entry{key: key, lines: []string{strings.TrimRight(text, " ")}})
	}
	order(entries, keys)
	var texts []string
	for _, e := range entries {
		texts = append(texts, e.lines[0])
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

// nested says whether a node is a collection on lines of its own.
func nested(n *yaml.Node) bool {
	return n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0
}

// memberType is the type of the value of a key; nil where it has no keys of ours.
func memberType(t reflect.Type, k keys, name string) reflect.Type {
	if t == reflect.TypeFor[Signals]() {
		return reflect.TypeFor[Signal]()
	}
	if f, ok := k.fields[name]; ok {
		return elementType(f.Type)
	}
	return nil
}

// elementType takes pointers and lists off a type.
func elementType(t reflect.Type) reflect.Type {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	return t
}

// squeeze leaves one empty line of several, and at the ends none if asked to.
func squeeze(lines []string, ends bool) []string {
	var out []string
	for _, l := range lines {
		if l == "" && (len(out) == 0 && ends || len(out) > 0 && out[len(out)-1] == "") {
			continue
		}
		out = append(out, l)
	}
	for ends && len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}
