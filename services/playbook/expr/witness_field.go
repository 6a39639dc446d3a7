package expr

import (
	"math"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// operand is a field that an expression tests.
type operand struct {
	path     []string
	kind     kind
	fallback ref.Val // what .orValue(…) gives where the field is absent; nil: its absence is an error
}

// operand takes a.b.c, a["b"] and a.?b.orValue("…").
func (w *inference) operand(e celast.Expr) (operand, bool) {
	var x operand
	field := e
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == "orValue" {
		call := e.AsCall()
		value, isLiteral := literalOf(call.Args()[0]).(ref.Val)
		if !call.IsMemberFunction() || !isLiteral {
			return x, false
		}
		x.fallback, field = value, call.Target()
	}
	p := w.pathOf(field)
	path, whole := w.members(field)
	if p == nil || !whole || p.optional != (x.fallback != nil) {
		return x, false
	}
	x.path, x.kind = path, p.node.kind
	return x, true
}

// members gives the names along a path into the data as far as they are
// written out, and whether they are to its end.
func (w *inference) members(e celast.Expr) (path []string, whole bool) {
	if w.pathOf(e) == nil {
		return nil, false
	}
	switch e.Kind() {
	case celast.IdentKind:
		return []string{e.AsIdent()}, true
	case celast.SelectKind:
		path, whole = w.members(e.AsSelect().Operand())
		if whole {
			path = append(path, e.AsSelect().FieldName())
		}
	case celast.CallKind:
		path, whole = w.members(e.AsCall().Args()[0])
		name, written := literalOf(e.AsCall().Args()[1]).(types.String)
		if whole = whole && written; whole {
			path = append(path, string(name))
		}
	}
	return path, whole
}

// lazy are the functions that do not need all of their arguments to be free
// of errors.
var lazy = map[string]bool{
	operators.LogicalAnd: true, operators.LogicalOr: true, operators.Conditional: true,
	operators.NotStrictlyFalse: true, operators.OptSelect: true, operators.OptIndex: true, "or": true, "orValue": true, hasCall: true,
	// Called for the value of an optional: what becomes of absence is theirs.
	"hasValue": true, "value": true, "optional.of": true, "optional.ofNonZeroValue": true, "optional.none": true,
}

// strict gives what must be present for e to be no error.
func (w *inference) strict(e celast.Expr) [][]Witness {
	if p := w.pathOf(e); p != nil {
		if path, _ := w.members(e); !p.optional && len(path) > 0 {
			return [][]Witness{present(path)}
		}
		return nil
	}
	var out [][]Witness
	switch e.Kind() {
	case celast.SelectKind:
		return w.strict(e.AsSelect().Operand())
	case celast.ComprehensionKind:
		return w.strict(e.AsComprehension().IterRange())
	case celast.ListKind:
		if len(e.AsList().OptionalIndices()) > 0 {
			return nil
		}
		for _, m := range e.AsList().Elements() {
			out = append(out, w.strict(m)...)
		}
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() == operators.Conditional {
			return w.strict(call.Args()[0])
		}
		if lazy[call.FunctionName()] || inNothing(call) {
			return nil
		}
		if call.IsMemberFunction() {
			out = w.strict(call.Target())
		}
		for _, arg := range call.Args() {
			out = append(out, w.strict(arg)...)
		}
	}
	return out
}

// inNothing knows `x in []`, which is false before anything is read.
func inNothing(call celast.CallExpr) bool {
	args := call.Args()
	return call.FunctionName() == operators.In && args[1].Kind() == celast.ListKind && args[1].AsList().Size() == 0
}

// plain gives a literal as a witness holds it. exact is false of a number that
// a fraction of 64 bits may not hold as it is.
func plain(v ref.Val) (value any, exact, ok bool) {
	number := 0.0
	switch v := v.(type) {
	case types.String:
		return string(v), true, true
	case types.Bool:
		return bool(v), true, true
	case types.Int:
		number = float64(v)
	case types.Uint:
		number = float64(v)
	case types.Double:
		number = float64(v)
	default:
		return nil, false, false
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return nil, false, false
	}
	return number, math.Abs(number) < 1<<53, true
}

// holds says whether values of a kind are compared with a literal exactly as
// a witness does it.
func (k kind) holds(value any) bool {
	switch value := value.(type) {
	case string:
		return k == kindString || k == kindDyn
	case bool:
		return k == kindBool || k == kindDyn
	case float64:
		// A fraction where the schema says whole is an error.
		return k == kindInt && value == math.Trunc(value) || k == kindDouble || k == kindDyn
	default:
		return false
	}
}
