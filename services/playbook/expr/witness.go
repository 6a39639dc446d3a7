package expr

import (
	"slices"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Witness is a simple test of one field. It holds when the field is there and
// not null, and the test is true of its value. That of contains is true of a
// list when one of its texts has the text in it, and of whatever is no list.
type Witness struct {
	Path   []string // members from the data inward
	Op     string   // eq | in | prefix | ge | gt | le | lt | contains | present
	Values []any    // string, bool or float64: several of in, none of present, one of the others
}

// What a Witness tests.
const (
	WitnessEq      = "eq"
	WitnessIn      = "in"
	WitnessPrefix  = "prefix"
	WitnessGe      = "ge"
	WitnessGt      = "gt"
	WitnessLe      = "le"
	WitnessLt      = "lt"
	WitnessPresent = "present"

	WitnessContains = "contains"
)

// Witnesses gives what is necessary for the condition to be true: of each
// entry at least one witness must hold. Nil: nothing is known.
//
// Numbers compare as the 64-bit fractions that JSON's are decoded into.
func (p *Program) Witnesses() [][]Witness {
	clauses, _ := p.Necessary()
	return clauses
}

// Necessary gives the witnesses as [Program.Witnesses] does. With exact, they
// are the whole condition: it is true if and only if they hold, so that it
// need not be evaluated.
func (p *Program) Necessary() (clauses [][]Witness, exact bool) {
	c := p.necessary()
	clauses = tidyClauses(c.clauses)
	return clauses, c.exact && len(clauses) > 0
}

// maxInferences bounds the work on one expression: both ways of a conditional
// are followed, and conditionals may stand within one another.
const maxInferences = 4096

// conclusion is what follows from an expression having a certain value; exact:
// and the value follows from it.
type conclusion struct {
	clauses [][]Witness
	exact   bool
}

// inference follows an expression as it was parsed, before it is lowered.
type inference struct {
	*analysis
	left int
}

// necessary looks at the text anew: what was compiled has been rewritten.
func (p *Program) necessary() conclusion {
	b, err := base()
	if err != nil {
		return conclusion{}
	}
	parsed, issues := b.Parse(p.text)
	if issues.Err() != nil {
		return conclusion{}
	}
	w := inference{analysis: newAnalysis(p.text, parsed.NativeRep(), p.model), left: maxInferences}
	return w.infer(parsed.NativeRep().Expr(), true)
}

// infer gives what follows from e being true, or being false. An error is
// neither: whatever must be free of errors for that has its say.
func (w *inference) infer(e celast.Expr, truth bool) conclusion {
	if w.left--; w.left < 0 {
		return conclusion{}
	}
	if e.Kind() == celast.ComprehensionKind && truth {
		return w.exists(e)
	}
	if e.Kind() != celast.CallKind {
		return w.flag(e, truth)
	}
	call := e.AsCall()
	args := call.Args()
	switch fn := call.FunctionName(); fn {
	case operators.LogicalNot:
		return w.infer(args[0], !truth)
	case operators.LogicalAnd, operators.LogicalOr:
		parts := make([]conclusion, len(args))
		for i, arg := range args {
			parts[i] = w.infer(arg, truth)
		}
		// `x && y` is false when one of them is, whatever becomes of the other.
		if truth == (fn == operators.LogicalAnd) {
			return every(parts)
		}
		return either(parts)
	case operators.Conditional:
		holds, fails := w.infer(args[0], true), w.infer(args[0], false)
		c := either([]conclusion{
			every([]conclusion{holds, w.infer(args[1], truth)}),
			every([]conclusion{fails, w.infer(args[2], truth)}),
		})
		return conclusion{clauses: append(c.clauses, w.strict(args[0])...)}
	case hasCall:
		return w.has(args[0], truth)
	default:
		return w.test(e, truth)
	}
}

// every is what follows when all of them hold.
func every(parts []conclusion) conclusion {
	all := conclusion{exact: true}
	for _, p := range parts {
		all.clauses = append(all.clauses, p.clauses...)
		all.exact = all.exact && p.exact
	}
	return all
}

// either is what follows when one of them holds, it is not known which: one
// clause, with what is rarest of each.
func either(parts []conclusion) conclusion {
	one := conclusion{exact: true}
	var clause []Witness
	for _, p := range parts {
		p.clauses = tidyClauses(p.clauses)
		if len(p.clauses) == 0 {
			return conclusion{}
		}
		one.exact = one.exact && p.exact && len(p.clauses) == 1
		clause = append(clause, slices.MinFunc(p.clauses, func(a, b []Witness) int { return commonness(a) - commonness(b) })...)
	}
	one.clauses = [][]Witness{clause}
	return one
}

// commonness guesses how many events a clause lets through.
func commonness(clause []Witness) int {
	sum := 0
	for _, w := range clause {
		switch w.Op {
		case WitnessEq, WitnessIn:
			sum += len(w.Values)
			if _, flag := w.Values[0].(bool); flag {
				sum += 50
			}
		case WitnessPrefix:
			sum += 4
		case WitnessContains:
			sum += 10
		case WitnessPresent:
			sum += 200
		default:
			sum += 100
		}
	}
	return sum
}

// flag takes a field, or a literal, that is the condition itself.
func (w *inference) flag(e celast.Expr, truth bool) conclusion {
	if x, ok := w.operand(e); ok {
		return w.equal(e, x, types.Bool(truth), true)
	}
	return conclusion{clauses: w.strict(e)}
}

// has takes has(x), and x.hasValue() of an optional.
func (w *inference) has(e celast.Expr, truth bool) conclusion {
	path, whole := w.members(e)
	if !truth || len(path) == 0 {
		return conclusion{}
	}
	exact := whole && (e.Kind() == celast.IdentKind || e.Kind() == celast.SelectKind && w.structs(e.AsSelect().Operand()))
	return conclusion{clauses: [][]Witness{present(path)}, exact: exact}
}

func present(path []string) []Witness { return []Witness{{Path: path, Op: WitnessPresent}} }

// tidyClauses leaves out the presence of what another clause tests anyway.
func tidyClauses(clauses [][]Witness) [][]Witness {
	var out [][]Witness
	for i, c := range clauses {
		implied := func(j int, other []Witness) bool {
			if i == j || len(c) != 1 || c[0].Op != WitnessPresent {
				return false
			}
			same := len(other) == 1 && other[0].Op == WitnessPresent && slices.Equal(other[0].Path, c[0].Path)
			if same {
				return j < i
			}
			return !slices.ContainsFunc(other, func(w Witness) bool { return !beginsWith(w.Path, c[0].Path) })
		}
		drop := false
		for j, other := range clauses {
			drop = drop || implied(j, other)
		}
		if !drop {
			out = append(out, c)
		}
	}
	return out
}

func beginsWith(path, start []string) bool {
	return len(path) >= len(start) && slices.Equal(path[:len(start)], start)
}
