package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of one file.
const (
	MaxSize  = 256 << 10 // bytes
	MaxDepth = 24        // values within one another
)

// Read reads one playbook. Where there are problems, what it gives holds what
// could be read; it is nil when nothing could.
func Read(data []byte) (*Playbook, []Problem) {
	root, problem := parse(data)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	d := &decoder{lines: splitLines(data)}
	if d.bound(root, 0); len(d.problems) > 0 {
		return nil, d.problems
	}
	var p Playbook
	d.into(root, &p)
	return &p, d.problems
}

// parse gives the root of the one YAML document.
func parse(data []byte) (*yaml.Node, *Problem) {
	start := Place{Line: 1, Column: 1}
	switch {
	case len(data) > MaxSize:
		return nil, &Problem{Place: start, Message: fmt.Sprintf("the file has %d bytes, at most %d are allowed", len(data), MaxSize), Fix: "split it into several playbooks"}
	case !utf8.Valid(data):
		return nil, &Problem{Place: badText(data), Message: "this is no valid UTF-8", Fix: "save the file as UTF-8"}
	}
	if problem := turned(data); problem != nil {
		return nil, problem
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, next yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Problem{Place: start, Message: "the file is empty", Fix: "begin with apiVersion: firebreak/v1"}
		}
		return nil, syntax(data, err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, &Problem{Place: Place{Line: next.Line, Column: max(next.Column, 1)}, Message: "a second document begins here", Fix: "put each playbook into a file of its own"}
	case !errors.Is(err, io.EOF):
		return nil, syntax(data, err)
	}
	if len(document.Content) != 1 {
		return nil, &Problem{Place: start, Message: "the file is empty", Fix: "begin with apiVersion: firebreak/v1"}
	}
	return document.Content[0], nil
}

// badText finds the first byte that is no UTF-8.
func badText(data []byte) Place {
	at := Place{Line: 1, Column: 1}
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at.Column++
		if r == '\n' {
			at = Place{Line: at.Line + 1, Column: 1}
		}
		data = data[size:]
	}
	return at
}

// bound refuses what makes YAML larger or stranger than it looks.
func (d *decoder) bound(n *yaml.Node, depth int) {
	switch {
	case depth > MaxDepth:
		d.problem(n, fmt.Sprintf("values lie more than %d deep in one another", MaxDepth), "")
		return
	case n.Anchor != "":
		d.problem(n, "anchors (&"+n.Anchor+") are not allowed", "write it out where it is needed")
	case n.Kind == yaml.AliasNode:
		d.problem(n, "aliases (*"+n.Value+") are not allowed", "write it out")
		return
	case n.Tag == "!!merge":
		d.problem(n, "merge keys (<<) are not allowed", "write the keys out")
	case n.Style&yaml.TaggedStyle != 0:
		d.problem(n, "tags ("+n.Tag+") are not allowed", "leave it out; put the value in quotes to make it text")
	}
	for _, c := range n.Content {
		d.bound(c, depth+1)
	}
}
