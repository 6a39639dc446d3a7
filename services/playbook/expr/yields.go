package expr

import (
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Yield is one of the values that an expression can give, a list taken apart
// into its entries.
type Yield struct {
	Line, Column int
	Kind         string   // lookup | literal | text | object | map | value; "" when not known before it is evaluated
	Text         string   // of lookup: pods or containers; of literal: itself; of the others: the path, "" for what is worked out
	Fields       []string // of object
	Depth        int      // how many lists it lies within
}

// Kinds of what a [Yield] stands for.
const (
	YieldLookup  = "lookup"  // an entity of the inventory
	YieldLiteral = "literal" // a text that is written out
	YieldText    = "text"
	YieldObject  = "object" // an object of fixed fields
	YieldMap     = "map"    // an object of free keys
	YieldValue   = "value"  // a number or a truth value
)

// yields collects the values.
type yields struct {
	*analysis
	out  []Yield
	left int
}

// Yields gives the values that the whole can have, as far as its text tells:
// both of a condition's, and what stands in for what is absent.
func (p *Program) Yields() []Yield {
	b, err := base()
	if err != nil {
		return nil
	}
	parsed, issues := b.Parse(p.text)
	if issues.Err() != nil {
		return nil
	}
	y := yields{analysis: newAnalysis(p.text, parsed.NativeRep(), p.model), left: maxInferences}
	y.value(parsed.NativeRep().Expr(), 0)
	return y.out
}

func (y *yields) add(e celast.Expr, depth int, kind, text string, fields ...string) {
	line, column := y.place(first(e))
	y.out = append(y.out, Yield{Line: line, Column: column, Kind: kind, Text: text, Fields: fields, Depth: depth})
}

// first is where an expression begins: CEL places one at its dot, its operator
// or its parenthesis.
func first(e celast.Expr) celast.Expr {
	switch e.Kind() {
	case celast.SelectKind:
		return first(e.AsSelect().Operand())
	case celast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			return first(call.Target())
		}
		fn := call.FunctionName()
		_, infix := operators.FindReverseBinaryOperator(fn)
		if infix || fn == operators.Index || fn == operators.OptIndex || fn == operators.OptSelect {
			return first(call.Args()[0])
		}
	case celast.ComprehensionKind:
		return first(e.AsComprehension().IterRange())
	}
	return e
}

// value follows what e gives, which lies within so many lists.
func (y *yields) value(e celast.Expr, depth int) {
	if y.left--; y.left < 0 {
		return
	}
	if y.isLookup(e) {
		y.add(e, depth+1, YieldLookup, e.AsCall().FunctionName())
		return
	}
	if p := y.pathOf(e); p != nil {
		y.node(e, p.node, depth)
		return
	}
	switch e.Kind() {
	case celast.LiteralKind:
		y.literal(e, depth)
	case celast.ListKind:
		for _, m := range e.AsList().Elements() {
			y.value(m, depth+1)
		}
	case celast.CallKind:
		y.call(e, depth)
	case celast.ComprehensionKind:
		y.loop(e, depth)
	default:
		y.add(e, depth, "", "")
	}
}

func (y *yields) literal(e celast.Expr, depth int) {
	switch v := e.AsLiteral().(type) {
	case types.String:
		y.add(e, depth, YieldLiteral, string(v))
	case types.Bool, types.Int, types.Uint, types.Double:
		y.add(e, depth, YieldValue, "")
	default:
		y.add(e, depth, "", "")
	}
}

// node tells what stands at a path.
func (y *yields) node(e celast.Expr, n *node, depth int) {
	switch n.kind {
	case kindList:
		y.node(e, n.elem, depth+1)
	case kindStruct:
		y.add(e, depth, YieldObject, n.path, n.names()...)
	case kindMap:
		y.add(e, depth, YieldMap, n.path)
	case kindString:
		y.add(e, depth, YieldText, n.path)
	case kindInt, kindDouble, kindBool:
		y.add(e, depth, YieldValue, n.path)
	default:
		y.add(e, depth, "", "")
	}
}

func (y *yields) call(e celast.Expr, depth int) {
	call := e.AsCall()
	args := call.Args()
	switch fn := call.FunctionName(); {
	case fn == operators.Conditional:
		y.value(args[1], depth)
		y.value(args[2], depth)
	case fn == operators.Add && len(args) == 2 && (y.lists(args[0]) || y.lists(args[1])):
		y.value(args[0], depth)
		y.value(args[1], depth)
	case fn == operators.Index && y.isLookup(args[0]):
		y.value(args[0], depth-1)
	case (fn == "orValue" || fn == "or") && call.IsMemberFunction():
		y.value(call.Target(), depth)
		if literalOf(args[0]) != types.String("") { // it names nothing, and is meant to
			y.value(args[0], depth)
		}
	case fn == "value" && call.IsMemberFunction():
		y.value(call.Target(), depth)
	case slices.Contains(counting, fn):
		y.add(e, depth, YieldValue, "")
	default:
		y.add(e, depth, "", "")
	}
}

// counting are the functions that give a number or a truth value.
var counting = []string{
	"size", hasCall, operators.LogicalNot, operators.LogicalAnd, operators.LogicalOr, operators.In,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
}

// lists says whether an expression surely gives a list.
func (y *yields) lists(e celast.Expr) bool {
	if e.Kind() == celast.ListKind || y.isLookup(e) {
		return true
	}
	p := y.pathOf(e)
	return p != nil && p.node.kind == kindList
}

// loop takes filter, which gives entries of what it walks through, and map.
func (y *yields) loop(e celast.Expr, depth int) {
	loop := e.AsComprehension()
	step := loop.LoopStep()
	if step.Kind() == celast.CallKind && step.AsCall().FunctionName() == operators.Conditional {
		step = step.AsCall().Args()[1]
	}
	if loop.HasIterVar2() || loop.AccuInit().Kind() != celast.ListKind || step.Kind() != celast.CallKind ||
		step.AsCall().FunctionName() != operators.Add || step.AsCall().Args()[1].Kind() != celast.ListKind {
		y.add(e, depth, "", "")
		return
	}
	entry := step.AsCall().Args()[1].AsList().Elements()[0]
	if entry.Kind() == celast.IdentKind && entry.AsIdent() == loop.IterVar() {
		y.value(loop.IterRange(), depth)
		return
	}
	elem := y.elementOf(loop.IterRange())
	before, had := y.bound[loop.IterVar()]
	y.bound[loop.IterVar()] = elem
	y.value(entry, depth+1)
	if delete(y.bound, loop.IterVar()); had {
		y.bound[loop.IterVar()] = before
	}
}
