package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// timeType and rawType are types that write their JSON themselves.
type (
	timeType = time.Time
	rawType  = json.RawMessage
)

// absence stands for a value that is not there while a path is followed; as
// the end of a path it becomes an error.
type absence struct{ path string }

func (a *absence) err() ref.Val { return types.WrapErr(&absentError{path: a.path}) }

// adapter turns decoded JSON into CEL values.
type adapter struct{ types.Adapter }

// NativeToValue makes absence and null an error.
func (a adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case *absence:
		return v.err()
	case nil:
		return types.WrapErr(&absentError{path: "a null"})
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case []any:
		return types.NewDynamicList(a, v)
	default:
		return a.Adapter.NativeToValue(v)
	}
}

// provider gives CEL the types of a model beside its own.
type provider struct {
	types.Provider
	structs map[string]*node
}

// collect files every struct below n under the name of its type.
func (p provider) collect(n *node) {
	switch n.kind {
	case kindList, kindMap:
		p.collect(n.elem)
	case kindStruct:
		p.structs[typePrefix+n.path] = n
		for _, f := range n.fields {
			p.collect(f.node)
		}
	}
}

// FindStructType knows the structs of the model.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if n, ok := p.structs[name]; ok {
		return types.NewTypeTypeWithParam(n.celType()), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames gives the fields of a struct.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if n, ok := p.structs[name]; ok {
		return n.names(), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType gives a field's type and how it is read.
func (p provider) FindStructFieldType(name, member string) (*types.FieldType, bool) {
	n, ok := p.structs[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, member)
	}
	f, ok := n.fields[member]
	if !ok {
		return nil, false
	}
	return &types.FieldType{Type: f.node.celType(), IsSet: f.isSet, GetFrom: f.get}, true
}

func (f *field) isSet(object any) bool {
	m, ok := object.(map[string]any)
	return ok && m[f.name] != nil
}

// get reads the field. What is not there comes back as an absence, so that a
// longer path can still be tested.
func (f *field) get(object any) (any, error) {
	m, ok := object.(map[string]any)
	if !ok {
		if a, absent := object.(*absence); absent {
			return a, nil
		}
		return nil, fmt.Errorf("%s: what holds it is no object", f.path)
	}
	v := m[f.name]
	if v == nil {
		return f.absence, nil
	}
	return f.node.read(v)
}

// read brings a value into the form that its declared type promises.
func (n *node) read(v any) (any, error) {
	switch n.kind {
	case kindString:
		if _, ok := v.(string); ok {
			return v, nil
		}
	case kindBool:
		if _, ok := v.(bool); ok {
			return v, nil
		}
	case kindInt:
		if i, ok := whole(v); ok {
			return i, nil
		}
	case kindDouble:
		if d, ok := fraction(v); ok {
			return d, nil
		}
	case kindStruct:
		if _, ok := v.(map[string]any); ok {
			return v, nil
		}
	case kindMap:
		return n.readMap(v)
	case kindList:
		return n.readList(v)
	case kindDyn:
		return clean(v), nil
	}
	return nil, fmt.Errorf("%s holds a %T, which is not what its schema says", n.path, v)
}

func (n *node) readMap(v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, want an object", n.path, v)
	}
	if n.elem.dynamic() {
		return clean(v), nil
	}
	for _, e := range m {
		if e == nil {
			return clean(v), nil
		}
	}
	return m, nil
}

// readList converts numbers; text, objects and the rest stay as they are.
func (n *node) readList(v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, want a list", n.path, v)
	}
	switch n.elem.kind {
	case kindDyn:
		return clean(v), nil
	case kindInt, kindDouble:
		out := make([]any, len(list))
		for i, e := range list {
			var err error
			if out[i], err = n.elem.read(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return list, nil
	}
}

// whole takes a number that has no fraction.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v), true
		}
	case int64:
		return v, true
	case int:
		return int64(v), true
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v), true
		}
	case json.Number:
		i, err := v.Int64()
		return i, err == nil
	}
	return 0, false
}

// fraction takes any number.
func fraction(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case json.Number:
		d, err := v.Float64()
		return d, err == nil
	default:
		i, ok := whole(v)
		return float64(i), ok
	}
}

// clean copies data of unknown type: nulls are left out, and numbers without
// a fraction become whole, since JSON does not tell them apart.
func clean(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if e != nil {
				out[k] = clean(e)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e != nil {
				out = append(out, clean(e))
			}
		}
		return out
	case float64, json.Number:
		if i, ok := whole(v); ok {
			return i
		}
		if d, ok := fraction(v); ok {
			return d
		}
	}
	return v
}
