package expr

import (
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// mixed names the sums whose operands are not known to be whole or not before
// they are seen.
var mixed = map[string]string{
	operators.Add:      "@add",
	operators.Subtract: "@subtract",
	operators.Multiply: "@multiply",
	operators.Divide:   "@divide",
	operators.Modulo:   "@modulo",
}

// calculate adds and so on whatever two values can; a whole number beside a
// fraction becomes one.
func calculate(symbol string) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val {
		x, isInt := a.(types.Int)
		_, otherDouble := b.(types.Double)
		y, otherInt := b.(types.Int)
		_, isDouble := a.(types.Double)
		switch {
		case isInt && otherDouble:
			a = types.Double(x)
		case isDouble && otherInt:
			b = types.Double(y)
		case isInt && otherInt && symbol == operators.Divide && y != 0 && x%y != 0:
			a, b = types.Double(x), types.Double(y)
		}
		return apply(symbol, a, b)
	}
}

func apply(symbol string, a, b ref.Val) ref.Val {
	switch symbol {
	case operators.Add:
		if v, ok := a.(traits.Adder); ok {
			return v.Add(b)
		}
	case operators.Subtract:
		if v, ok := a.(traits.Subtractor); ok {
			return v.Subtract(b)
		}
	case operators.Multiply:
		if v, ok := a.(traits.Multiplier); ok {
			return v.Multiply(b)
		}
	case operators.Divide:
		if v, ok := a.(traits.Divider); ok {
			return v.Divide(b)
		}
	case operators.Modulo:
		if v, ok := a.(traits.Modder); ok {
			return v.Modulo(b)
		}
	}
	return types.NoSuchOverloadErr()
}

// number is what is known of an expression as a number.
type number int

const (
	notNumber number = iota
	wholeNumber
	fractional
	anyNumber // not known before it is seen
)

// numberOf tells what kind of number an expression gives.
func (a *analysis) numberOf(e celast.Expr) number {
	if p := a.paths[e.ID()]; p != nil {
		switch p.node.kind {
		case kindInt:
			return wholeNumber
		case kindDouble:
			return fractional
		case kindDyn:
			return anyNumber
		}
		return notNumber
	}
	switch e.Kind() {
	case celast.LiteralKind:
		switch e.AsLiteral().(type) {
		case types.Int:
			return wholeNumber
		case types.Double:
			return fractional
		}
	case celast.CallKind:
		return a.numberOfCall(e.AsCall())
	}
	return notNumber
}

func (a *analysis) numberOfCall(call celast.CallExpr) number {
	args := call.Args()
	switch call.FunctionName() {
	case "double":
		return fractional
	case "int", "size":
		return wholeNumber
	case operators.Negate:
		return a.numberOf(args[0])
	case "orValue":
		return a.numberOf(call.Target())
	case operators.Conditional:
		return widest(a.numberOf(args[1]), a.numberOf(args[2]))
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo:
		return widest(a.numberOf(args[0]), a.numberOf(args[1]))
	case "@add", "@subtract", "@multiply", "@divide", "@modulo":
		return anyNumber
	}
	return notNumber
}

func widest(a, b number) number {
	if a == notNumber || b == notNumber {
		return notNumber
	}
	return max(a, b)
}

// differ says whether one is whole and the other a fraction.
func differ(a, b number) bool {
	return a == wholeNumber && b == fractional || a == fractional && b == wholeNumber
}

// mixNumbers rewrites a call so that whole numbers and fractions go together.
func (a *analysis) mixNumbers(e celast.Expr) {
	call := e.AsCall()
	args := call.Args()
	switch fn := call.FunctionName(); fn {
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo:
		x, y := a.numberOf(args[0]), a.numberOf(args[1])
		switch {
		case x == anyNumber || y == anyNumber:
			e.SetKindCase(a.fac.NewCall(e.ID(), mixed[fn], args[0], args[1]))
		case differ(x, y):
			e.SetKindCase(a.fac.NewCall(e.ID(), fn, a.toFraction(args[0]), a.toFraction(args[1])))
		case fn == operators.Divide && x == wholeNumber && y == wholeNumber && !literals(args):
			a.warn(e, "a whole number divided by a whole number loses its fraction", "write double(…) / double(…)")
		}
	case operators.Equals, operators.NotEquals:
		if differ(a.numberOf(args[0]), a.numberOf(args[1])) {
			e.SetKindCase(a.fac.NewCall(e.ID(), fn, a.toFraction(args[0]), a.toFraction(args[1])))
		}
	case operators.Conditional:
		if differ(a.numberOf(args[1]), a.numberOf(args[2])) {
			e.SetKindCase(a.fac.NewCall(e.ID(), fn, args[0], a.toFraction(args[1]), a.toFraction(args[2])))
		}
	case "orValue":
		if len(args) == 1 && a.numberOf(call.Target()) == fractional && a.numberOf(args[0]) == wholeNumber {
			e.SetKindCase(a.fac.NewMemberCall(e.ID(), fn, call.Target(), a.toFraction(args[0])))
		}
	case operators.In, operators.OldIn:
		a.mixMembers(e, fn, args)
	}
}

// mixMembers does the same for `x in [1, 2.5]`.
func (a *analysis) mixMembers(e celast.Expr, fn string, args []celast.Expr) {
	x := a.numberOf(args[0])
	if args[1].Kind() != celast.ListKind || x != wholeNumber && x != fractional {
		return
	}
	list := args[1].AsList()
	all := x
	for _, m := range list.Elements() {
		if all = widest(all, a.numberOf(m)); all == notNumber || all == anyNumber {
			return
		}
	}
	if all != fractional {
		return
	}
	members := make([]celast.Expr, 0, list.Size())
	for _, m := range list.Elements() {
		members = append(members, a.toFraction(m))
	}
	e.SetKindCase(a.fac.NewCall(e.ID(), fn, a.toFraction(args[0]), a.fac.NewList(args[1].ID(), members, list.OptionalIndices())))
}

// toFraction converts a whole number, a literal where it stands.
func (a *analysis) toFraction(e celast.Expr) celast.Expr {
	if a.numberOf(e) != wholeNumber {
		return e
	}
	if e.Kind() == celast.LiteralKind {
		return a.fac.NewLiteral(e.ID(), types.Double(e.AsLiteral().(types.Int)))
	}
	return a.fac.NewCall(a.newID(e), "double", e)
}

func literals(args []celast.Expr) bool {
	for _, arg := range args {
		if arg.Kind() != celast.LiteralKind {
			return false
		}
	}
	return true
}
