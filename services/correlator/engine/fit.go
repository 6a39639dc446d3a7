package engine

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"firebreak/schemas"
)

const (
	// maxSignals is how many bytes of events a decision may carry: its record
	// must fit into a message beside the steps, and a step's beside its target. An event that leaves no room for
	// them would else be one that nobody answers.
	maxSignals = 256 << 10
	// longText, longList and manyMembers are what stays of what is too long.
	longText    = 1 << 10
	longList    = 64
	manyMembers = 64
)

// fit cuts the events of a decision so that its record can be stored: the long
// texts and lists first, and of what is still too large all but the entities.
// An event that is cut says so.
func fit(signals map[string]schemas.Signal) {
	size := 0
	for _, s := range signals {
		size += len(s.Data)
	}
	if size <= maxSignals {
		return
	}
	share := maxSignals / len(signals)
	for _, name := range slices.Sorted(maps.Keys(signals)) {
		s := signals[name]
		if len(s.Data) <= share {
			continue
		}
		s.Data, s.Cut = trimmed(s.Data, share), true
		signals[name] = s
	}
}

func trimmed(data json.RawMessage, most int) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value map[string]any
	if decoder.Decode(&value) != nil {
		return json.RawMessage(`{}`)
	}
	for _, members := range []int{len(data), manyMembers} {
		if out, err := json.Marshal(shortened(value, members)); err == nil && len(out) <= most {
			return out
		}
	}
	for name := range value {
		if !slices.Contains(entityBlocks, name) {
			delete(value, name)
		}
	}
	for _, members := range []int{manyMembers, 8} {
		if out, err := json.Marshal(shortened(value, members)); err == nil && len(out) <= most {
			return out
		}
	}
	return json.RawMessage(`{}`) // within the bounds of intake it does not come to that
}

// entityBlocks are the members that targets are found by.
var entityBlocks = []string{"host", "k8s", "container", "process", "user", "image", "registry"}

// shortened copies a value without what is long in it. Of an object with too
// many members the first by name stay, and those that identify.
func shortened(v any, members int) any {
	switch v := v.(type) {
	case string:
		if len(v) <= longText {
			return v
		}
		end := longText
		for !utf8.RuneStart(v[end]) {
			end--
		}
		return v[:end] + "…"
	case []any:
		v = v[:min(len(v), longList)]
		out := make([]any, len(v))
		for n := range v {
			out[n] = shortened(v[n], members)
		}
		return out
	case map[string]any:
		out := make(map[string]any, min(len(v), members))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if len(name) <= longText && (len(out) < members || slices.Contains(identities, name)) {
				out[name] = shortened(v[name], members)
			}
		}
		return out
	default:
		return v
	}
}

// identities are members that must not get lost among others: what entities
// are told apart by.
var identities = append([]string{"id", "uid", "name", "namespace", "digest", "pid", "pod"}, entityBlocks...)
