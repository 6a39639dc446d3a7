package expr

import (
	"strings"
	"unicode/utf8"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// test takes a call that tests a field.
func (w *inference) test(e celast.Expr, truth bool) conclusion {
	call := e.AsCall()
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]celast.Expr{call.Target()}, args...)
	}
	switch fn := call.FunctionName(); fn {
	case "hasValue":
		return w.has(args[0], truth)
	case operators.Equals, operators.NotEquals:
		x, literal, _, ok := w.sides(args)
		if ok {
			return w.equal(e, x, literal, truth == (fn == operators.Equals))
		}
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if x, literal, swapped, ok := w.sides(args); ok {
			return w.bound(e, x, literal, boundOf(fn, swapped, truth))
		}
	case operators.In:
		return w.in(e, args, truth)
	case "startsWith", "matches", "glob":
		x, ok := w.operand(args[0])
		text, written := literalOf(args[len(args)-1]).(types.String)
		if ok && written && len(args) == 2 {
			return w.text(e, x, fn, string(text), truth)
		}
	case "orValue":
		return w.flag(e, truth)
	}
	if w.pathOf(e) != nil {
		return w.flag(e, truth)
	}
	return conclusion{clauses: w.strict(e)}
}

// sides finds the field and the literal of a comparison, whichever way round.
func (w *inference) sides(args []celast.Expr) (x operand, literal ref.Val, swapped, ok bool) {
	for i, arg := range args {
		if v, isLiteral := literalOf(args[1-i]).(ref.Val); isLiteral {
			if x, ok = w.operand(arg); ok {
				return x, v, i == 1, true
			}
		}
	}
	return x, nil, false, false
}

// unless takes back what was concluded about a field where its fallback meets
// the test as well.
func (w *inference) unless(e celast.Expr, x operand, fallbackMeets bool, found conclusion) conclusion {
	if x.fallback != nil && fallbackMeets {
		return conclusion{clauses: w.strict(e)}
	}
	return found
}

// equal: the field equals a literal, or it does not.
func (w *inference) equal(e celast.Expr, x operand, literal ref.Val, truth bool) conclusion {
	value, exact, ok := plain(literal)
	if !truth {
		if flag, isFlag := value.(bool); isFlag && x.kind == kindBool {
			return w.equal(e, x, types.Bool(!flag), true)
		}
		return w.fails(e, x, x.surely(literal))
	}
	if !ok {
		return conclusion{clauses: w.strict(e)}
	}
	found := conclusion{
		clauses: [][]Witness{{{Path: x.path, Op: WitnessEq, Values: []any{value}}}},
		exact:   exact && x.kind.holds(value),
	}
	return w.unless(e, x, x.perhaps(literal), found)
}

// perhaps says whether the fallback may equal a literal: numbers that a
// fraction does not hold as they are may be rounded to one another.
func (x operand) perhaps(literal ref.Val) bool {
	if x.fallback == nil || x.fallback.Equal(literal) == types.True {
		return x.fallback != nil
	}
	a, _, known := plain(x.fallback)
	b, _, too := plain(literal)
	return known && too && a == b
}

// surely says whether the fallback equals a literal whatever is rounded.
func (x operand) surely(literal ref.Val) bool {
	if x.fallback == nil || x.fallback.Equal(literal) != types.True {
		return false
	}
	_, exact, _ := plain(x.fallback)
	_, too, _ := plain(literal)
	return exact && too
}

// fails: a test of the field is false. Where its fallback would meet the test,
// the field must be there.
func (w *inference) fails(e celast.Expr, x operand, fallbackMeets bool) conclusion {
	if fallbackMeets {
		return conclusion{clauses: [][]Witness{present(x.path)}}
	}
	return conclusion{clauses: w.strict(e)}
}

// in: the field is one of several literals, or a key is in a map.
func (w *inference) in(e celast.Expr, args []celast.Expr, truth bool) conclusion {
	if args[1].Kind() != celast.ListKind {
		return w.key(e, args, truth)
	}
	x, ok := w.operand(args[0])
	list := args[1].AsList()
	if !ok || list.Size() == 0 || len(list.OptionalIndices()) > 0 {
		return conclusion{clauses: w.strict(e)}
	}
	found := conclusion{exact: true}
	witness := Witness{Path: x.path, Op: WitnessIn}
	perhaps, surely := false, false
	for _, m := range list.Elements() {
		literal, isLiteral := literalOf(m).(ref.Val)
		if !isLiteral {
			return conclusion{clauses: w.strict(e)}
		}
		value, exact, ok := plain(literal)
		if !ok {
			return conclusion{clauses: w.strict(e)}
		}
		perhaps, surely = perhaps || x.perhaps(literal), surely || x.surely(literal)
		witness.Values = append(witness.Values, value)
		found.exact = found.exact && exact && x.kind.holds(value)
	}
	if !truth {
		return w.fails(e, x, surely)
	}
	found.clauses = [][]Witness{{witness}}
	return w.unless(e, x, perhaps, found)
}

// key takes "name" in a.map: the key must be there; and "text" in a.list.
func (w *inference) key(e celast.Expr, args []celast.Expr, truth bool) conclusion {
	name, written := literalOf(args[0]).(types.String)
	if path, ok := w.listed(args[1]); truth && written && ok {
		return conclusion{clauses: append(w.strict(e), containing(path, long(string(name)))...)}
	}
	if p := w.pathOf(args[1]); truth && written && p != nil && !p.optional && p.node.kind == kindMap {
		if path, whole := w.members(args[1]); whole {
			return conclusion{clauses: [][]Witness{present(append(path, string(name)))}}
		}
	}
	return conclusion{clauses: w.strict(e)}
}

// boundOf gives the bound that a comparison sets when it is true, or false.
func boundOf(fn string, swapped, truth bool) string {
	bound := map[string]string{
		operators.Less: WitnessLt, operators.LessEquals: WitnessLe,
		operators.Greater: WitnessGt, operators.GreaterEquals: WitnessGe,
	}[fn]
	if swapped {
		bound = map[string]string{WitnessLt: WitnessGt, WitnessLe: WitnessGe, WitnessGt: WitnessLt, WitnessGe: WitnessLe}[bound]
	}
	if !truth { // JSON has no NaN
		bound = map[string]string{WitnessLt: WitnessGe, WitnessLe: WitnessGt, WitnessGt: WitnessLe, WitnessGe: WitnessLt}[bound]
	}
	return bound
}

// bound: the field is a number on one side of a literal.
func (w *inference) bound(e celast.Expr, x operand, literal ref.Val, op string) conclusion {
	value, exact, ok := plain(literal)
	limit, isNumber := value.(float64)
	if !ok || !isNumber {
		return conclusion{clauses: w.strict(e)}
	}
	meets := false
	if x.fallback != nil {
		fallback, held, _ := plain(x.fallback)
		number, known := fallback.(float64)
		meets = !known || !held || within(number, op, limit)
	}
	if !exact { // rounded, so that it may seem equal to what it is not
		op = map[string]string{WitnessGt: WitnessGe, WitnessLt: WitnessLe, WitnessGe: WitnessGe, WitnessLe: WitnessLe}[op]
		meets = x.fallback != nil
	}
	found := conclusion{
		clauses: [][]Witness{{{Path: x.path, Op: op, Values: []any{limit}}}},
		exact:   exact && (x.kind == kindDouble || x.kind == kindDyn), // a fraction where the schema says whole is an error
	}
	return w.unless(e, x, meets, found)
}

func within(v float64, op string, limit float64) bool {
	switch op {
	case WitnessGe:
		return v >= limit
	case WitnessGt:
		return v > limit
	case WitnessLe:
		return v <= limit
	default:
		return v < limit
	}
}

// text: the field begins with, or matches, what is written out.
func (w *inference) text(e celast.Expr, x operand, fn, pattern string, truth bool) conclusion {
	fallback, isText := x.fallback.(types.String)
	meets := x.fallback != nil
	starts := []string{pattern}
	switch fn {
	case "startsWith":
		meets = isText && strings.HasPrefix(string(fallback), pattern)
	case "matches":
		starts = startsOf(pattern)
		meets = isText && fallback.Match(types.String(pattern)) == types.True
	case "glob":
		starts = []string{globStart(pattern)}
		meets = isText && globMatch(string(fallback), pattern)
	}
	if !truth {
		return w.fails(e, x, meets)
	}
	found := conclusion{exact: fn == "startsWith" && x.kind.holds(pattern)}
	var clause []Witness
	for _, start := range starts {
		clause = append(clause, Witness{Path: x.path, Op: WitnessPrefix, Values: []any{start}})
	}
	if len(clause) == 0 {
		clause = present(x.path)
	}
	found.clauses = [][]Witness{clause}
	return w.unless(e, x, meets, found)
}

// globStart is what every text that matches the pattern begins with.
func globStart(pattern string) string {
	for i, c := range pattern {
		if c == '*' || c == '?' || c == 0 || c == utf8.RuneError {
			return pattern[:i]
		}
	}
	return pattern
}
