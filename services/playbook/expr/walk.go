package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/services/playbook/near"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// facts is what is known of paths where an expression is evaluated.
type facts struct{ present, absent []string }

func (f facts) and(other facts) facts {
	return facts{
		present: append(slices.Clip(f.present), other.present...),
		absent:  append(slices.Clip(f.absent), other.absent...),
	}
}

// or is what holds whichever of the two does.
func (f facts) or(other facts) facts {
	both := func(x, y []string) (out []string) {
		for _, path := range x {
			if slices.Contains(y, path) {
				out = append(out, path)
			}
		}
		return out
	}
	return facts{present: both(f.present, other.present), absent: both(f.absent, other.absent)}
}

// factsOf is what follows from an expression being true, or false.
func (a *analysis) factsOf(e celast.Expr, truth bool) facts {
	if e.Kind() != celast.CallKind {
		return facts{}
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case hasCall:
		return a.tested(call.Args()[0], truth)
	case "hasValue":
		if call.IsMemberFunction() {
			return a.tested(call.Target(), truth)
		}
	case operators.LogicalNot:
		return a.factsOf(call.Args()[0], !truth)
	case operators.LogicalAnd, operators.LogicalOr:
		all := a.factsOf(call.Args()[0], truth)
		for _, arg := range call.Args()[1:] {
			if more := a.factsOf(arg, truth); truth == (call.FunctionName() == operators.LogicalAnd) {
				all = all.and(more)
			} else {
				all = all.or(more)
			}
		}
		return all
	}
	return facts{}
}

func (a *analysis) tested(e celast.Expr, present bool) facts {
	p := a.pathOf(e)
	if p == nil {
		return facts{}
	}
	if !present {
		return facts{absent: []string{p.text()}}
	}
	var known facts
	for _, s := range p.steps {
		known.present = append(known.present, s.text)
	}
	return known
}

// walk checks the names of an expression and whether what it reads may be absent.
func (a *analysis) walk(e celast.Expr, known facts) {
	if p := a.pathOf(e); p != nil {
		a.read(e, p, known)
		a.keys(e, known)
		return
	}
	switch e.Kind() {
	case celast.LiteralKind:
		if _, null := e.AsLiteral().(types.Null); null {
			a.problem(e, "null counts as absent and is never equal to anything", "write has(…) or !has(…)")
		}
	case celast.SelectKind:
		a.walk(e.AsSelect().Operand(), known)
	case celast.CallKind:
		a.walkCall(e, known)
	case celast.ListKind:
		for _, m := range e.AsList().Elements() {
			a.walk(m, known)
		}
	case celast.MapKind:
		for _, m := range e.AsMap().Entries() {
			a.walk(m.AsMapEntry().Key(), known)
			a.walk(m.AsMapEntry().Value(), known)
		}
	case celast.StructKind:
		a.problem(e, "objects of a type cannot be made here", "")
	case celast.ComprehensionKind:
		a.walkLoop(e, known)
	}
}

// keys walks the keys of a path that are expressions themselves.
func (a *analysis) keys(e celast.Expr, known facts) {
	switch e.Kind() {
	case celast.SelectKind:
		a.keys(e.AsSelect().Operand(), known)
	case celast.CallKind:
		args := e.AsCall().Args()
		a.keys(args[0], known)
		a.walk(args[1], known)
	}
}

// read notes that a path is read where only the known facts hold.
func (a *analysis) read(e celast.Expr, p *path, known facts) {
	if p.optional {
		return
	}
	unguarded := false
	for _, s := range p.steps {
		if slices.Contains(known.absent, s.text) {
			a.problem(e, fmt.Sprintf("%s is read where %s is known to be absent: that is always an error", p.text(), s.text), "")
			return
		}
		unguarded = unguarded || s.optional && !slices.Contains(known.present, s.text)
	}
	if unguarded {
		a.warn(e, p.text()+" may be absent, and then the whole is an error", "guard it: has("+p.text()+") && …")
	}
}

func (a *analysis) walkCall(e celast.Expr, known facts) {
	if a.lookup(e, known) {
		return
	}
	call := e.AsCall()
	args := call.Args()
	switch fn := call.FunctionName(); fn {
	case hasCall:
		if a.pathOf(args[0]) != nil {
			a.keys(args[0], known)
			return
		}
		a.walk(args[0], known)
	case operators.LogicalAnd, operators.LogicalOr:
		// CEL takes the operands in any order: each is guarded by all others.
		for i, arg := range args {
			others := known
			for j, other := range args {
				if i != j {
					others = others.and(a.factsOf(other, fn == operators.LogicalAnd))
				}
			}
			a.walk(arg, others)
		}
	case operators.Conditional:
		a.walk(args[0], known)
		a.walk(args[1], known.and(a.factsOf(args[0], true)))
		a.walk(args[2], known.and(a.factsOf(args[0], false)))
	default:
		if call.IsMemberFunction() {
			a.walk(call.Target(), known)
		}
		for _, arg := range args {
			a.walk(arg, known)
		}
		a.arguments(call)
	}
}

// arguments checks what is written out in a call.
func (a *analysis) arguments(call celast.CallExpr) {
	args := call.Args()
	fn := call.FunctionName()
	switch fn {
	case operators.Equals, operators.NotEquals:
		a.values(args[0], args[1])
		a.values(args[1], args[0])
	case operators.In:
		if args[1].Kind() == celast.ListKind {
			for _, m := range args[1].AsList().Elements() {
				a.values(args[0], m)
			}
		}
	case "matches":
		if len(args) > 0 {
			a.pattern(args[len(args)-1])
		}
	}
	for i, arg := range args {
		text, ok := literalOf(arg).(types.String)
		if !ok {
			continue
		}
		if err := literal(fn, i, string(text)); err != nil {
			a.problem(arg, err.Error(), "")
		}
	}
}

// values checks a text against the only values that a field can have.
func (a *analysis) values(fieldExpr, valueExpr celast.Expr) {
	p := a.paths[fieldExpr.ID()]
	value, ok := literalOf(valueExpr).(types.String)
	if p == nil || !ok || p.node.enum == nil || slices.Contains(p.node.enum, string(value)) {
		return
	}
	fix := ""
	if word := near.Nearest(string(value), p.node.enum); word != "" {
		fix = fmt.Sprintf("did you mean %q?", word)
	}
	a.problem(valueExpr, fmt.Sprintf("%s is never %q; it is one of %s", p.text(), string(value), strings.Join(p.node.enum, ", ")), fix)
}

// walkLoop checks exists() and its like, whose variables have names of their own.
func (a *analysis) walkLoop(e celast.Expr, known facts) {
	a.loops++
	loop := e.AsComprehension()
	a.walk(loop.IterRange(), known)
	a.walk(loop.AccuInit(), known)
	elem := a.elementOf(loop.IterRange())
	outer := a.bound
	a.bound = map[string]*node{}
	for name, n := range outer {
		a.bound[name] = n
	}
	for _, name := range []string{loop.IterVar(), loop.IterVar2(), loop.AccuVar()} {
		if _, field := a.root.fields[name]; field {
			a.problem(e, fmt.Sprintf("the variable %s hides the field of that name", name), "give it another name")
		}
		a.bound[name] = nil
	}
	ranges := a.ranges
	a.ranges = maps.Clone(ranges)
	within := known
	if !loop.HasIterVar2() {
		a.bound[loop.IterVar()] = elem
		if p := a.rangeOf(loop.IterRange()); p != nil {
			a.ranges[loop.IterVar()] = p.text()
			for _, s := range p.steps { // where it walks through something, that is there
				within.present = append(slices.Clip(within.present), s.text)
			}
		}
	}
	a.walk(loop.LoopCondition(), within)
	a.walk(loop.LoopStep(), within)
	a.walk(loop.Result(), known)
	a.bound, a.ranges = outer, ranges
}

// rangeOf gives the path that a loop walks through; nil when it is none.
func (a *analysis) rangeOf(e celast.Expr) *path {
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == "orValue" && e.AsCall().IsMemberFunction() {
		return a.rangeOf(e.AsCall().Target())
	}
	return a.pathOf(e)
}

// elementOf describes what a loop over an expression walks through; nil when
// that is not known.
func (a *analysis) elementOf(e celast.Expr) *node {
	if a.isLookup(e) {
		return &node{kind: kindDyn}
	}
	p := a.rangeOf(e)
	if p == nil {
		return nil
	}
	switch p.node.kind {
	case kindList:
		return p.node.elem
	case kindMap: // its keys
		return &node{kind: kindString, path: p.node.path + "[]"}
	case kindDyn:
		return &node{kind: kindDyn, loose: p.node.loose}
	default:
		return nil
	}
}
