package expr

import (
	"regexp/syntax"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Bounds of what a list is searched for.
const (
	maxParts  = 16 // texts of which one must be there
	shortPart = 3  // bytes; a shorter one is there too often
)

// exists takes list.exists(a, …): where it is true, one of the list's texts
// meets the condition, and so holds what every text holds that meets it.
func (w *inference) exists(e celast.Expr) conclusion {
	found := conclusion{clauses: w.strict(e)}
	loop := e.AsComprehension()
	step := loop.LoopStep()
	if loop.HasIterVar2() || literalOf(loop.AccuInit()) != types.False || step.Kind() != celast.CallKind ||
		step.AsCall().FunctionName() != operators.LogicalOr || loop.Result().Kind() != celast.IdentKind {
		return found
	}
	path, ok := w.listed(loop.IterRange())
	args := step.AsCall().Args()
	if !ok || args[0].Kind() != celast.IdentKind || args[0].AsIdent() != loop.AccuVar() {
		return found
	}
	var parts []string
	for _, arg := range args[1:] {
		some := w.parts(arg, loop.IterVar())
		if len(some) == 0 || len(parts)+len(some) > maxParts {
			return found
		}
		parts = append(parts, some...)
	}
	found.clauses = append(found.clauses, containing(path, parts)...)
	return found
}

// listed gives the way to a list, or to one in whose place an empty one stands.
func (w *inference) listed(e celast.Expr) (path []string, ok bool) {
	optional := e.Kind() == celast.CallKind && e.AsCall().FunctionName() == "orValue" && e.AsCall().IsMemberFunction()
	if optional {
		fallback := e.AsCall().Args()[0]
		if fallback.Kind() != celast.ListKind || fallback.AsList().Size() > 0 {
			return nil, false
		}
		e = e.AsCall().Target()
	}
	p := w.pathOf(e)
	path, whole := w.members(e)
	if p == nil || !whole || p.nested || p.optional != optional || p.node.kind != kindList {
		return nil, false
	}
	return path, true
}

func containing(path, parts []string) [][]Witness {
	if len(parts) == 0 {
		return nil
	}
	clause := make([]Witness, len(parts))
	for i, part := range parts {
		clause[i] = Witness{Path: path, Op: WitnessContains, Values: []any{part}}
	}
	return [][]Witness{clause}
}

// parts gives texts of which one is in every text for which the condition on
// the variable is true; none when that is not known.
func (w *inference) parts(e celast.Expr, variable string) []string {
	if w.left--; w.left < 0 || e.Kind() != celast.CallKind {
		return nil
	}
	call := e.AsCall()
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]celast.Expr{call.Target()}, args...)
	}
	is := func(e celast.Expr) bool { return e.Kind() == celast.IdentKind && e.AsIdent() == variable }
	switch fn := call.FunctionName(); fn {
	case operators.LogicalAnd:
		var best []string
		for _, arg := range args {
			best = rarer(best, w.parts(arg, variable))
		}
		return best
	case operators.LogicalOr:
		return united(len(args), func(i int) []string { return w.parts(args[i], variable) })
	case operators.Equals:
		for i, arg := range args {
			if text, written := literalOf(args[1-i]).(types.String); written && is(arg) {
				return long(string(text))
			}
		}
	case operators.In:
		if is(args[0]) && args[1].Kind() == celast.ListKind {
			list := args[1].AsList().Elements()
			return united(len(list), func(i int) []string {
				text, _ := literalOf(list[i]).(types.String) // of what is no text nothing is known
				return long(string(text))
			})
		}
	case "contains", "startsWith", "endsWith", "matches":
		text, written := literalOf(args[len(args)-1]).(types.String)
		switch {
		case len(args) != 2 || !written || !is(args[0]):
		case fn == "matches":
			return partsOf(string(text))
		default:
			return long(string(text))
		}
	}
	return nil
}

// partsOf gives texts of which one is in every text that the regular
// expression matches.
func partsOf(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	budget := maxPatterns
	return mandatory(re, &budget)
}

func mandatory(re *syntax.Regexp, budget *int) []string {
	if *budget--; *budget < 0 {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return long(string(re.Rune))
		}
	case syntax.OpRepeat:
		if re.Min > 0 {
			return mandatory(re.Sub[0], budget)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return mandatory(re.Sub[0], budget)
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			best = rarer(best, mandatory(sub, budget))
		}
		return best
	case syntax.OpAlternate:
		return united(len(re.Sub), func(i int) []string { return mandatory(re.Sub[i], budget) })
	}
	return nil
}

// united puts together what one of several ways needs; none when one of them
// needs nothing that is known, or they are too many.
func united(n int, parts func(i int) []string) []string {
	var all []string
	for i := range n {
		some := parts(i)
		if len(some) == 0 || len(all)+len(some) > maxParts {
			return nil
		}
		all = append(all, some...)
	}
	return all
}

// rarer takes what is in fewer texts, by a guess: long ones are rare, and each
// more of them makes it likelier that one is there.
func rarer(a, b []string) []string {
	likely := func(parts []string) float64 {
		sum := 0.0
		for _, p := range parts {
			sum += 1 / float64(len(p)*len(p))
		}
		return sum
	}
	if len(a) == 0 || len(b) > 0 && likely(b) < likely(a) {
		return b
	}
	return a
}

// long leaves out a text that is too short to be searched for.
func long(text string) []string {
	if len(text) < shortPart {
		return nil
	}
	return []string{text}
}
