package guardrail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"firebreak/schemas"
)

// File is the form of the guardrail file. Every list adds to the defaults,
// which cannot be taken away.
type File struct {
	Protect Protect `yaml:"protect"`
	Actions Actions `yaml:"actions"`
}

// Protect lists what must not be touched. Names, images and processes are
// patterns with * and ? (a / is matched by neither).
type Protect struct {
	Containers []string `yaml:"containers"` // names or ids of containers
	Images     []string `yaml:"images"`     // image names, without tag and digest
	Labels     []Label  `yaml:"labels"`     // of the container, its pod or its namespace
	Namespaces []string `yaml:"namespaces"` // Kubernetes namespaces
	Processes  []string `yaml:"processes"`  // paths of executables on the host, outside any container
}

// Label is a label that protects; an empty value means any.
type Label struct {
	Key   string `yaml:"key"`
	Value string `yaml:"value"`
}

// Actions says what may be done here at all.
type Actions struct {
	Allow     []string `yaml:"allow"`     // patterns of names; none means every action
	PerMinute *int     `yaml:"perMinute"` // how many are applied in a minute at most; 0 forbids all
}

// DefaultPerMinute is how many actions a node applies in a minute when its
// file says nothing. It stops a run-away, not a busy day.
const DefaultPerMinute = 600

// Load reads the guardrail of a file. One that is not there is an error: whoever
// named it counts on what it protects. Without a file there is [Default].
func Load(file string) (*Guardrail, error) {
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > 1<<20) {
		return nil, fmt.Errorf("guardrail: %s: %w: it is no regular file of at most 1 MiB", file, schemas.ErrInvalid)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(file) //nolint:gosec // the operator names it
	}
	if err != nil {
		return nil, fmt.Errorf("guardrail: %w: without it nothing is carried out on this node; make the file readable, or name none", err)
	}
	return Parse(file, data)
}

// Parse reads a guardrail strictly: an unknown key, a wrong type or a bad
// pattern is an error "file:line:column: …".
func Parse(name string, data []byte) (*Guardrail, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return Default(), nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, schemas.ErrInvalid, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w: more than one document; keep one", name, schemas.ErrInvalid)
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return Default(), nil
	}
	if err := check(doc.Content[0], shape); err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	var f File
	if err := doc.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, schemas.ErrInvalid, err)
	}
	return New(f), nil
}

// form is what a node of the file may be.
type form struct {
	keys map[string]form // a mapping with these keys
	item *form           // a list of these
	text func(string) error
	tag  string
}

var (
	pattern = form{tag: "!!str", text: isPattern}
	list    = form{item: &pattern}
	shape   = form{keys: map[string]form{
		"protect": {keys: map[string]form{
			"containers": list, "images": list, "namespaces": list, "processes": list,
			"labels": {item: &form{keys: map[string]form{
				"key":   {tag: "!!str", text: isFull},
				"value": {tag: "!!str", text: func(string) error { return nil }},
			}}},
		}},
		"actions": {keys: map[string]form{"allow": list, "perMinute": {tag: "!!int", text: isCount}}},
	}}
)

func isPattern(s string) error {
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return fmt.Errorf("%q is no pattern; use text with * and ?", s)
	}
	return nil
}

func isFull(s string) error {
	if s == "" {
		return errors.New("a label needs a key")
	}
	return nil
}

func isCount(s string) error {
	if strings.HasPrefix(s, "-") {
		return fmt.Errorf("%s is below zero; 0 forbids every action, leaving it out means %d", s, DefaultPerMinute)
	}
	return nil
}

func check(n *yaml.Node, f form) error {
	fail := func(n *yaml.Node, text string, args ...any) error {
		return fmt.Errorf("%d:%d: %w: %s", n.Line, n.Column, schemas.ErrInvalid, fmt.Sprintf(text, args...))
	}
	switch {
	case f.tag == "" && n.Tag == "!!null": // a heading whose entries are all commented out
		return nil
	case f.keys != nil:
		return checkKeys(n, f, fail)
	case f.item != nil:
		if n.Kind != yaml.SequenceNode {
			return fail(n, "want a list")
		}
		for _, c := range n.Content {
			if err := check(c, *f.item); err != nil {
				return err
			}
		}
		return nil
	default:
		if n.Kind != yaml.ScalarNode || n.Tag != f.tag {
			return fail(n, "want %s", map[string]string{"!!str": "text", "!!int": "a whole number"}[f.tag])
		}
		if err := f.text(n.Value); err != nil {
			return fail(n, "%s", err)
		}
		return nil
	}
}

func checkKeys(n *yaml.Node, f form, fail func(*yaml.Node, string, ...any) error) error {
	if n.Kind != yaml.MappingNode {
		return fail(n, "want a mapping")
	}
	known := make([]string, 0, len(f.keys))
	for k := range f.keys {
		known = append(known, k)
	}
	slices.Sort(known)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		sub, ok := f.keys[key.Value]
		if !ok {
			return fail(key, "unknown key %q; known here: %s", key.Value, strings.Join(known, ", "))
		}
		if seen[key.Value] {
			return fail(key, "key %q a second time", key.Value)
		}
		seen[key.Value] = true
		if err := check(value, sub); err != nil {
			return err
		}
	}
	return nil
}
