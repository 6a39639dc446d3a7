package expr

import (
	"fmt"
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Never says whether the condition cannot be true where the fields at those
// paths, such as incident.severity, hold what vars has for them: it is false
// by them alone, whatever all others are.
func (p *Program) Never(vars map[string]any, paths ...string) bool {
	if p.untrue {
		return true
	}
	// A condition that speaks of none of them, and holds no constant, is any.
	if !strings.Contains(p.text, "false") && !slices.ContainsFunc(paths, func(path string) bool { return strings.Contains(p.text, path) }) {
		return false
	}
	e := explainer{in: p.language(), vars: vars, text: p.text}
	return e.never(span{0, len(p.text)}, paths)
}

func (e *explainer) never(s span, paths []string) bool {
	s = s.trimmed(e.text)
	for {
		within, ok := s.unwrapped(e.text)
		if !ok {
			break
		}
		s = within.trimmed(e.text)
	}
	parts, or := s.split(e.text)
	one := func(part span) bool { return e.never(part, paths) }
	switch {
	case len(parts) < 2:
		return e.false(e.text[s.from:s.to], paths)
	case or:
		return !slices.ContainsFunc(parts, func(part span) bool { return !one(part) })
	default:
		return slices.ContainsFunc(parts, one)
	}
}

// false says whether a piece reads nothing but the given paths and is false.
func (e *explainer) false(text string, paths []string) bool {
	parsed, issues := e.in.env.Parse(text)
	if issues.Err() != nil {
		return false
	}
	a := newAnalysis(text, parsed.NativeRep(), e.in.model)
	a.lookups = true
	a.walk(parsed.NativeRep().Expr(), facts{})
	known := a.inventory == 0
	a.readsOf(parsed.NativeRep().Expr(), func(path string) { known = known && slices.Contains(paths, path) })
	if !known {
		return false
	}
	p, err := compile(text, e.in, Bool, facts{})
	if err != nil {
		return false
	}
	value, err := p.Bool(e.vars)
	return err == nil && !value
}

// contradictions finds a path that would have to hold two things at once.
func (a *analysis) contradictions(e celast.Expr) {
	allowed := map[string][]string{}
	a.conjuncts(e, func(part celast.Expr) {
		if a.empty(part) {
			a.problem(part, "never true: nothing is in an empty list", "write what it may be")
			return
		}
		path, values := a.choice(part)
		if values == nil {
			return
		}
		before, seen := allowed[path]
		if !seen {
			allowed[path] = values
			return
		}
		both := slices.DeleteFunc(slices.Clone(before), func(v string) bool { return !slices.Contains(values, v) })
		if allowed[path] = both; len(both) == 0 && len(before) > 0 {
			a.problem(part, fmt.Sprintf("never true: %s cannot be %s and %s at once", path, strings.Join(before, " or "), strings.Join(values, " or ")), "join them with ||, or take one of them out")
		}
	})
}

// conjuncts calls do with all that must be true for an expression to be.
func (a *analysis) conjuncts(e celast.Expr, do func(celast.Expr)) {
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd {
		for _, arg := range e.AsCall().Args() {
			a.conjuncts(arg, do)
		}
		return
	}
	do(e)
}

// empty says whether a part asks for one of no values.
func (a *analysis) empty(e celast.Expr) bool {
	if e.Kind() != celast.CallKind || e.AsCall().FunctionName() != operators.In {
		return false
	}
	list := e.AsCall().Args()[1]
	return list.Kind() == celast.ListKind && list.AsList().Size() == 0
}

// choice reads `path == "x"` and `path in ["x", "y"]`, of texts and numbers.
func (a *analysis) choice(e celast.Expr) (path string, values []string) {
	if e.Kind() != celast.CallKind || len(e.AsCall().Args()) != 2 {
		return "", nil
	}
	args := e.AsCall().Args()
	var literals []celast.Expr
	switch fn := e.AsCall().FunctionName(); {
	case fn == operators.Equals && a.paths[args[0].ID()] == nil:
		args = []celast.Expr{args[1], args[0]}
		literals = args[1:]
	case fn == operators.Equals:
		literals = args[1:]
	case fn == operators.In && args[1].Kind() == celast.ListKind:
		literals = args[1].AsList().Elements()
	}
	p := a.paths[args[0].ID()]
	if p == nil || p.nested || p.optional || strings.Contains(p.text(), "[…]") {
		return "", nil
	}
	for _, l := range literals {
		switch v := literalOf(l).(type) {
		case types.String:
			values = append(values, fmt.Sprintf("%q", string(v)))
		case types.Int, types.Double, types.Bool: // 1 and 1.0 are the same
			values = append(values, fmt.Sprint(v))
		default:
			return "", nil
		}
	}
	return p.text(), values
}
