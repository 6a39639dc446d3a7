package expr

import (
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// lower rewrites what CEL would not take as it was written: has() of any
// path, optional paths whose beginning may be absent, and mixed numbers.
func (a *analysis) lower(e celast.Expr) {
	if a.isLookup(e) {
		for _, arg := range e.AsCall().Args() {
			a.lower(arg)
		}
		a.lowerLookup(e)
		return
	}
	a.children(e, a.lower)
	if e.Kind() != celast.CallKind {
		return
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case hasCall:
		a.lowerHas(e, args[0])
	case operators.OptSelect, operators.OptIndex:
		e.SetKindCase(a.fac.NewCall(e.ID(), call.FunctionName(), a.lenient(args[0]), args[1]))
	default:
		a.mixNumbers(e)
	}
}

func (a *analysis) children(e celast.Expr, do func(celast.Expr)) {
	switch e.Kind() {
	case celast.SelectKind:
		do(e.AsSelect().Operand())
	case celast.CallKind:
		if e.AsCall().IsMemberFunction() {
			do(e.AsCall().Target())
		}
		for _, arg := range e.AsCall().Args() {
			do(arg)
		}
	case celast.ListKind:
		for _, m := range e.AsList().Elements() {
			do(m)
		}
	case celast.MapKind:
		for _, m := range e.AsMap().Entries() {
			do(m.AsMapEntry().Key())
			do(m.AsMapEntry().Value())
		}
	case celast.ComprehensionKind:
		loop := e.AsComprehension()
		for _, part := range []celast.Expr{loop.IterRange(), loop.AccuInit(), loop.LoopCondition(), loop.LoopStep(), loop.Result()} {
			do(part)
		}
	}
}

// lowerHas uses CEL's own presence test where every member on the way is a
// field, and an optional where there are maps, indexes or unknown types.
func (a *analysis) lowerHas(e, arg celast.Expr) {
	switch {
	case arg.Kind() == celast.IdentKind && a.root.fields[arg.AsIdent()] != nil:
		e.SetKindCase(a.fac.NewPresenceTest(e.ID(), a.fac.NewIdent(a.newID(arg), dataName), arg.AsIdent()))
	case arg.Kind() == celast.SelectKind && a.structs(arg.AsSelect().Operand()):
		e.SetKindCase(a.fac.NewPresenceTest(e.ID(), arg.AsSelect().Operand(), arg.AsSelect().FieldName()))
	default:
		e.SetKindCase(a.fac.NewMemberCall(e.ID(), "hasValue", a.lenient(arg)))
	}
}

// structs says whether a path leads through fields of objects alone.
func (a *analysis) structs(e celast.Expr) bool {
	p := a.paths[e.ID()]
	if p == nil || p.node.kind != kindStruct {
		return false
	}
	return e.Kind() == celast.IdentKind || e.Kind() == celast.SelectKind && a.structs(e.AsSelect().Operand())
}

// lenient makes every member on the way optional, so that an absent beginning
// makes the whole absent instead of an error.
func (a *analysis) lenient(e celast.Expr) celast.Expr {
	switch e.Kind() {
	case celast.SelectKind:
		field := a.fac.NewLiteral(a.newID(e), types.String(e.AsSelect().FieldName()))
		return a.like(e, a.fac.NewCall(a.newID(e), operators.OptSelect, a.lenient(e.AsSelect().Operand()), field))
	case celast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index:
			return a.like(e, a.fac.NewCall(a.newID(e), operators.OptIndex, a.lenient(call.Args()[0]), call.Args()[1]))
		case operators.OptIndex, operators.OptSelect:
			return a.like(e, a.fac.NewCall(a.newID(e), call.FunctionName(), a.lenient(call.Args()[0]), call.Args()[1]))
		}
	}
	return e
}

// like remembers that an expression reads the same path as the one it replaces.
func (a *analysis) like(old, replacement celast.Expr) celast.Expr {
	a.paths[replacement.ID()] = a.paths[old.ID()]
	return replacement
}
