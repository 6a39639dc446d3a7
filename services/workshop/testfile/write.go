package testfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Draft is a test file that is to be written.
type Draft struct {
	Head     string // comment at the top; may have several lines
	Playbook string
	Cases    []DraftCase
}

// DraftCase is one of its tests. Values are of the types that encoding/json
// decodes into.
type DraftCase struct {
	Name   string
	Events []DraftEvent
	Mock   map[string]any
	Until  time.Duration
	Hold   bool
	Expect []DraftIncident
}

// DraftEvent is an event as it is written: what is zero is left out.
type DraftEvent struct {
	At, Stored time.Duration // Stored counts when it is not At
	Type       string
	ID, Source string
	Subject    string
	Times      int
	Every      time.Duration
	Data       map[string]any
}

// DraftIncident is an incident that is expected.
type DraftIncident struct {
	By       any
	At       *time.Duration
	Severity string
	Steps    []any // names, or objects with do, state, …
	Recurred int
	Outcome  string
}

// Write gives the file's text.
func (d Draft) Write() ([]byte, error) {
	tests := &yaml.Node{Kind: yaml.SequenceNode}
	for _, c := range d.Cases {
		tests.Content = append(tests.Content, c.node())
	}
	root := block(pair{"playbook", scalar(d.Playbook)}, pair{"tests", tests})
	if d.Head != "" {
		root.HeadComment = "# " + strings.ReplaceAll(strings.TrimSpace(d.Head), "\n", "\n# ")
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write the tests: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write the tests: %w", err)
	}
	return out.Bytes(), nil
}

func (c DraftCase) node() *yaml.Node {
	entries := []pair{{"name", scalar(c.Name)}}
	if c.Hold {
		entries = append(entries, pair{"hold", flow(true)})
	}
	if len(c.Events) > 0 {
		events := &yaml.Node{Kind: yaml.SequenceNode}
		for _, e := range c.Events {
			events.Content = append(events.Content, e.node())
		}
		entries = append(entries, pair{"events", events})
	}
	if c.Until > 0 {
		entries = append(entries, pair{"until", scalar(written(c.Until))})
	}
	if len(c.Mock) > 0 {
		entries = append(entries, pair{"mock", flow(c.Mock)})
	}
	incidents := &yaml.Node{Kind: yaml.SequenceNode}
	for _, i := range c.Expect {
		incidents.Content = append(incidents.Content, i.node())
	}
	expect := block(pair{"incidents", incidents})
	if len(c.Expect) == 0 {
		incidents.Style, expect.Style = yaml.FlowStyle, yaml.FlowStyle
	}
	return block(append(entries, pair{"expect", expect})...)
}

func (e DraftEvent) node() *yaml.Node {
	entries := []pair{{"at", scalar(written(e.At))}}
	add := func(name string, v any, wanted bool) {
		if wanted {
			entries = append(entries, pair{name, flow(v)})
		}
	}
	add("stored", written(e.Stored), e.Stored != e.At && e.Stored > 0)
	add("times", e.Times, e.Times > 0)
	add("every", written(e.Every), e.Every > 0)
	add("type", e.Type, true)
	add("id", e.ID, e.ID != "")
	add("source", e.Source, e.Source != "")
	add("subject", e.Subject, e.Subject != "")
	add("data", e.Data, len(e.Data) > 0)
	n := block(entries...)
	n.Style = yaml.FlowStyle
	return n
}

func (i DraftIncident) node() *yaml.Node {
	var entries []pair
	add := func(name string, v any, wanted bool) {
		if wanted {
			entries = append(entries, pair{name, flow(v)})
		}
	}
	add("by", i.By, i.By != nil)
	if i.At != nil {
		add("at", written(*i.At), true)
	}
	add("severity", i.Severity, i.Severity != "")
	add("steps", i.Steps, i.Steps != nil)
	add("recurred", i.Recurred, i.Recurred > 0)
	add("outcome", i.Outcome, i.Outcome != "")
	n := block(entries...)
	if len(entries) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// pair is a key with its value; a mapping keeps their order.
type pair struct {
	name  string
	value *yaml.Node
}

func block(entries ...pair) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range entries {
		n.Content = append(n.Content, scalar(e.name), e.value)
	}
	return n
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// flow writes a value on one line, with the keys of objects in the order of
// the alphabet.
func flow(v any) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, scalar(name), flow(v[name]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range v {
			n.Content = append(n.Content, flow(e))
		}
		return n
	case string:
		n := scalar(v)
		if strings.Contains(v, "\n") {
			n.Style = yaml.DoubleQuotedStyle // a block would end the line
		}
		return n
	}
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		return scalar(fmt.Sprint(v))
	}
	return n
}

// written is a time as people write it: 2m and not 2m0s.
func written(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
