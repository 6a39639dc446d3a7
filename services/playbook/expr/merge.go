package expr

import (
	"slices"
	"sync"

	"firebreak/schemas"
)

// anyEvent describes the data of an event of which only that the catalog has
// its type is known. It is made once: nothing in it changes afterwards.
var anyEvent = sync.OnceValue(func() *node {
	var merged *node
	for _, e := range schemas.Catalog {
		model := eventModels()[e.Type]
		if merged == nil {
			merged = model
			continue
		}
		merged = merge(merged, model)
	}
	return merged
})

// modelOfAll describes the data of an event that has one of several types: a
// field is known when any of them has it, and required when all require it.
func modelOfAll(eventTypes []string, root string) (*node, error) {
	var all []*node
	for _, t := range eventTypes {
		n, err := eventModel(t, root)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	switch {
	case len(all) > 0:
	case root == "":
		return anyEvent(), nil
	default:
		return &node{kind: kindDyn, path: root}, nil
	}
	merged := all[0]
	for _, n := range all[1:] {
		merged = merge(merged, n)
	}
	return merged, nil
}

// merge describes what is either of two nodes at one path.
func merge(a, b *node) *node {
	if a.kind != b.kind {
		return &node{kind: kindDyn, path: a.path, loose: true}
	}
	out := &node{kind: a.kind, path: a.path, loose: a.loose}
	switch a.kind {
	case kindString:
		out.enum = mergeEnum(a.enum, b.enum)
	case kindList, kindMap:
		out.elem = merge(a.elem, b.elem)
		out.most = max(a.most, b.most)
	case kindStruct:
		out.fields = map[string]*field{}
		for name, f := range a.fields {
			other, both := b.fields[name]
			if !both {
				out.add(name, f.node, false)
				continue
			}
			out.add(name, merge(f.node, other.node), f.required && other.required)
		}
		for name, f := range b.fields {
			if _, both := a.fields[name]; !both {
				out.add(name, f.node, false)
			}
		}
	}
	return out
}

// mergeEnum gives the values of both; nil when one can have any.
func mergeEnum(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
