package expr

import (
	"reflect"
	"slices"
	"strings"

	"firebreak/schemas"

	"cel.dev/cel-go/cel"
)

// kind is what JSON value a node stands for.
type kind int

const (
	kindDyn kind = iota // not known before it is seen
	kindString
	kindInt
	kindDouble
	kindBool
	kindList
	kindMap
	kindStruct
)

// node describes the values at one path of the data.
type node struct {
	kind   kind
	path   string            // "process.executable"; "" for the root
	fields map[string]*field // of a struct
	elem   *node             // of a list or a map
	keys   []string          // of a map: the only ones there can be; nil for any
	enum   []string          // of a string: the only values there can be; nil for any
	hidden map[string]string // of a struct: names that are no fields, with the reason
	loose  bool              // of an unknown kind: its members need not be there
	most   uint64            // of a list or a map: entries that an ordinary event keeps to; 0: maxList
}

// field is one member of a struct.
type field struct {
	name     string
	path     string
	node     *node
	required bool
	absence  *absence // what reading it gives when it is not there
}

// typePrefix keeps the names of types apart from the names of variables.
const typePrefix = "event/"

// maxDepth ends the description of types that contain themselves.
const maxDepth = 16

func (n *node) celType() *cel.Type {
	switch n.kind {
	case kindString:
		return cel.StringType
	case kindInt:
		return cel.IntType
	case kindDouble:
		return cel.DoubleType
	case kindBool:
		return cel.BoolType
	case kindList:
		return cel.ListType(n.elem.celType())
	case kindMap:
		return cel.MapType(cel.StringType, n.elem.celType())
	case kindStruct:
		return cel.ObjectType(typePrefix + n.path)
	default:
		return cel.DynType
	}
}

// names gives the fields of a struct or the known keys of a map, sorted.
func (n *node) names() []string {
	if n.kind != kindStruct {
		return n.keys
	}
	var out []string
	for name := range n.fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// dynamic says whether anything below is not known before it is seen.
func (n *node) dynamic() bool {
	switch n.kind {
	case kindDyn:
		return true
	case kindList, kindMap:
		return n.elem.dynamic()
	case kindStruct:
		for _, f := range n.fields {
			if f.node.dynamic() {
				return true
			}
		}
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// structOf puts a struct together from nodes; all fields are required.
func structOf(path string, fields map[string]*node) *node {
	n := &node{kind: kindStruct, path: path, fields: map[string]*field{}}
	for name, f := range fields {
		n.add(name, f, true)
	}
	return n
}

func (n *node) add(name string, f *node, required bool) {
	path := join(n.path, name)
	n.fields[name] = &field{name: name, path: path, node: f, required: required, absence: &absence{path: path}}
}

// modelOf describes the JSON of a Go type, as encoding/json writes it. root
// stands before the paths.
func modelOf(t reflect.Type, root string) *node { return describe(t, root, 0) }

func describe(t reflect.Type, path string, depth int) *node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if depth > maxDepth {
		return &node{kind: kindDyn, path: path, loose: true}
	}
	if k, known := textual(t); known {
		return &node{kind: k, path: path, loose: k == kindDyn}
	}
	switch t.Kind() {
	case reflect.String:
		return &node{kind: kindString, path: path}
	case reflect.Bool:
		return &node{kind: kindBool, path: path}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &node{kind: kindInt, path: path}
	case reflect.Float32, reflect.Float64:
		return &node{kind: kindDouble, path: path}
	case reflect.Slice, reflect.Array:
		return &node{kind: kindList, path: path, elem: describe(t.Elem(), path+"[]", depth+1)}
	case reflect.Map:
		return &node{kind: kindMap, path: path, elem: describe(t.Elem(), path+"[]", depth+1)}
	case reflect.Struct:
		n := &node{kind: kindStruct, path: path, fields: map[string]*field{}}
		members(n, t, depth)
		return n
	default:
		return &node{kind: kindDyn, path: path, loose: true}
	}
}

// textual knows the types that write their JSON themselves.
func textual(t reflect.Type) (kind, bool) {
	switch t {
	case reflect.TypeFor[schemas.Duration](), reflect.TypeFor[timeType]():
		return kindString, true
	case reflect.TypeFor[rawType]():
		return kindDyn, true
	}
	return 0, false
}

// members adds the fields of a Go struct, those of embedded ones as its own.
func members(n *node, t reflect.Type, depth int) {
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" || f.Anonymous && tag == "" || len(f.Index) > 1 && hidden(t, f) {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		optional := slices.ContainsFunc(strings.Split(options, ","), func(o string) bool {
			return o == "omitempty" || o == "omitzero"
		})
		child := describe(f.Type, join(n.path, tag), depth+1)
		child.enum = enumOf(f.Tag.Get("jsonschema"))
		n.add(tag, child, !optional)
	}
}

// hidden says whether a promoted field's parent has a JSON name of its own,
// so that the field is that object's and not ours.
func hidden(t reflect.Type, f reflect.StructField) bool {
	parent := t.FieldByIndex(f.Index[:len(f.Index)-1])
	return parent.Tag.Get("json") != ""
}

// enumOf takes the values from a jsonschema tag: "enum=a,enum=b".
func enumOf(tag string) []string {
	var out []string
	for _, part := range strings.Split(tag, ",") {
		if v, ok := strings.CutPrefix(part, "enum="); ok {
			out = append(out, v)
		}
	}
	return out
}
