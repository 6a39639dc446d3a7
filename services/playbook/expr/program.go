package expr

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// Program is a compiled expression, safe for concurrent use.
type Program struct {
	text     string
	plan     cel.Program
	env      *cel.Env
	model    *node
	result   Result
	output   *cel.Type
	warnings Problems
	present  []string

	parts sync.Map // of what Explain has compiled, by their text

	inventory bool // it looks things up there
	untrue    bool // it reads nothing, and is false
}

// Text is the expression as it was written.
func (p *Program) Text() string { return p.text }

// Warnings are what is doubtful about the expression, such as a field that
// may be absent.
func (p *Program) Warnings() Problems { return p.warnings }

// Present gives the paths that are there whenever the condition is true.
func (p *Program) Present() []string { return p.present }

// Eval evaluates the expression over the data; vars holds its top-level
// members as encoding/json decodes them. An absent field is an error of the
// class [ErrAbsent]. The value is made of the types that encoding/json decodes
// into, with int64 for whole numbers.
func (p *Program) Eval(vars map[string]any) (any, error) { return p.EvalIn(vars, nil) }

// EvalIn is [Program.Eval] with an inventory to look into. Whoever needs to
// know what it said keeps a note of it there.
func (p *Program) EvalIn(vars map[string]any, inventory Inventory) (any, error) {
	v, err := p.eval(vars, inventory)
	if err != nil {
		return nil, err
	}
	out, err := native(v)
	if err != nil {
		return nil, &evalError{text: p.text, cause: err, class: classOf(err)}
	}
	switch out.(type) {
	case bool:
		if p.result != String {
			return out, nil
		}
	case string:
		if p.result != Bool {
			return out, nil
		}
	default:
		if p.result == Any {
			return out, nil
		}
	}
	return nil, &evalError{text: p.text, cause: fmt.Errorf("gives %T, want %s", out, p.result)}
}

// Bool evaluates a condition.
func (p *Program) Bool(vars map[string]any) (bool, error) {
	v, err := p.eval(vars, nil)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, &evalError{text: p.text, cause: fmt.Errorf("gives %s, want bool", v.Type().TypeName())}
	}
	return bool(b), nil
}

func (p *Program) eval(vars map[string]any, inventory Inventory) (ref.Val, error) {
	v, _, err := p.plan.Eval(&activation{root: p.model, data: vars, inventory: inventory})
	if err != nil {
		return nil, &evalError{text: p.text, cause: err, class: classOf(err)}
	}
	return v, nil
}

// classOf tells absence and excess apart from all other errors. CEL's own
// errors about keys and indexes have no type that could be asked for.
func classOf(err error) error {
	var cancelled interpreter.EvalCancelledError
	switch {
	case errors.Is(err, ErrAbsent):
		return ErrAbsent
	case errors.As(err, &cancelled):
		return ErrCost
	}
	for _, start := range []string{"no such key", "no such attribute", "index out of bounds", "optional.none() dereference"} {
		if strings.HasPrefix(err.Error(), start) {
			return ErrAbsent
		}
	}
	return nil
}

// native turns a CEL value into what encoding/json would have decoded.
func native(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		return float64(v), nil
	case types.Null:
		return nil, nil
	case *types.Err:
		return nil, v
	case *types.Optional:
		if !v.HasValue() {
			return nil, &absentError{path: "an optional value"}
		}
		return native(v.GetValue())
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		return nativeList(v)
	default:
		text := v.ConvertToType(types.StringType)
		if types.IsError(text) {
			return nil, fmt.Errorf("a value of type %s cannot leave an expression", v.Type().TypeName())
		}
		return text.Value(), nil
	}
}

func nativeMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("an object's key is a %s, want a string", key.Type().TypeName())
		}
		value, found := m.Find(key)
		if !found {
			continue
		}
		v, err := native(value)
		if errors.Is(err, ErrAbsent) {
			continue // a null
		}
		if err != nil {
			return nil, err
		}
		out[string(name)] = v
	}
	return out, nil
}

func nativeList(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := native(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
