package expr

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// maxCost is how many steps an expression may take on one event.
const maxCost = 2_500_000

// extent is how large the values of an event are taken to be.
type extent struct{ text, list, nestedText, nestedList, dyn, nestedDyn uint64 }

// ordinary is what events keep to in practice: an expression that would exceed
// its bound on one is refused. A value within an entry of a list is smaller
// than one that stands alone, since all entries share the event's size.
var ordinary = extent{text: 2048, list: 128, nestedText: 256, nestedList: 16, dyn: 512, nestedDyn: 64}

// largest is what intake lets through: an event of 1 MiB. An expression that
// keeps its bound even there needs no count as it runs, which would make it
// slower.
var largest = extent{text: 1 << 20, list: 1 << 19, nestedText: 1 << 20, nestedList: 1 << 19, dyn: 1 << 20, nestedDyn: 1 << 20}

// bounded refuses an expression that might take too long, and gives the
// options that bound the others as they run.
func bounded(env *cel.Env, checked *cel.Ast, a *analysis) ([]cel.ProgramOption, error) {
	steps, err := estimate(env, checked, a, ordinary)
	if err != nil {
		return nil, err
	}
	if steps > maxCost {
		return nil, Problems{{
			Line: 1, Column: 1,
			Message: fmt.Sprintf("too costly: up to %d steps on one event, %d are allowed", steps, uint64(maxCost)),
			Fix:     "take out loops within loops",
		}}
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if a.loops == 0 {
		if steps, err = estimate(env, checked, a, largest); err != nil {
			return nil, err
		}
	}
	if a.loops > 0 || steps > maxCost {
		options = append(options, cel.CostLimit(maxCost), cel.CostTracking(actual{patterns: a.patterns}))
	}
	return options, nil
}

func estimate(env *cel.Env, checked *cel.Ast, a *analysis, e extent) (uint64, error) {
	estimate, err := env.EstimateCost(checked, sizes{extent: e, analysis: a})
	if err != nil {
		return 0, Problems{{Line: 1, Column: 1, Message: "its cost cannot be estimated: " + tidy(err.Error())}}
	}
	return estimate.Max, nil
}

// sizes bounds the sizes of what comes from an event.
type sizes struct {
	extent
	analysis *analysis
}

// EstimateSize bounds texts, lists and maps.
func (s sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	return s.most(n.Type(), s.nested(n))
}

// nested says whether a value lies within an entry of a list.
func (s sizes) nested(n cost.AstNode) bool {
	if slices.ContainsFunc(n.Path(), func(p string) bool { return p == "@items" || p == "@values" || p == "@keys" }) {
		return true
	}
	return n.Expr() != nil && s.within(n.Expr())
}

func (s sizes) within(e celast.Expr) bool {
	if p := s.analysis.paths[e.ID()]; p != nil {
		return p.nested
	}
	if e.Kind() != celast.CallKind {
		return false
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case "orValue", "or", "value":
		return call.IsMemberFunction() && s.within(call.Target())
	case operators.Index, operators.OptIndex, operators.OptSelect:
		return s.within(call.Args()[0])
	}
	return false
}

// most is the size that a value of a type keeps to; of an optional, the value
// within.
func (s sizes) most(t *types.Type, nested bool) *cost.SizeEstimate {
	size := uint64(1)
	pick := func(alone, within uint64) {
		if size = alone; nested {
			size = within
		}
	}
	switch t.Kind() {
	case types.StringKind, types.BytesKind:
		pick(s.text, s.nestedText)
	case types.DynKind:
		pick(s.dyn, s.nestedDyn)
	case types.ListKind, types.MapKind:
		pick(s.list, s.nestedList)
	case types.OpaqueKind:
		if len(t.Parameters()) == 1 {
			return s.most(t.Parameters()[0], nested)
		}
	}
	return &cost.SizeEstimate{Max: size}
}

// EstimateCallCost knows our own functions, and what matching costs.
func (s sizes) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	fixed := func(n uint64) *cost.CallEstimate {
		return cost.NewCallEstimate(cost.FixedCostEstimate(n), &cost.SizeEstimate{Max: s.text})
	}
	switch function {
	case "or", "orValue", "value":
		if target != nil {
			return cost.NewCallEstimate(cost.FixedCostEstimate(1), s.most((*target).Type(), s.nested(*target)))
		}
	case operators.Index, operators.OptIndex:
		if params := args[0].Type().Parameters(); len(params) > 0 {
			return cost.NewCallEstimate(cost.FixedCostEstimate(1), s.most(params[len(params)-1], s.nested(args[0])))
		}
	case "matches":
		if target == nil {
			return s.matching(args[0], args[1])
		}
		return s.matching(*target, args[0])
	case "cidr":
		return fixed(20)
	case "semver", "imageref":
		return fixed(400)
	case "glob":
		steps := s.sizeOf(args[0]).Multiply(s.sizeOf(args[1]))
		return cost.NewCallEstimate(steps.MultiplyByCostFactor(textFactor), &cost.SizeEstimate{Max: 1})
	case "@add", "@subtract", "@multiply", "@divide", "@modulo":
		return fixed(s.text / 10)
	case lookPods, lookContainers:
		return cost.NewCallEstimate(cost.FixedCostEstimate(lookCost), &cost.SizeEstimate{Max: s.list})
	}
	return nil
}

// Factors as CEL has them: a character is a tenth of a step, a state of a
// pattern's machine a quarter.
const (
	textFactor    = 0.1
	patternFactor = 0.25
	lookCost      = 1000
)

func (s sizes) matching(text, pattern cost.AstNode) *cost.CallEstimate {
	states := uint64(maxStates)
	if literal, ok := literalOf(pattern.Expr()).(types.String); ok {
		if n, known := s.analysis.patterns[string(literal)]; known {
			states = n
		}
	}
	length := s.sizeOf(text)
	return cost.NewCallEstimate(cost.Estimate{Min: 1, Max: matchCost(length.Max, states)}, &cost.SizeEstimate{Max: 1})
}

func matchCost(length, states uint64) uint64 {
	return uint64((float64(length) + 1) * textFactor * (float64(states)*patternFactor + 1))
}

func (s sizes) sizeOf(n cost.AstNode) cost.SizeEstimate { return cost.EstimateSize(s, n) }

// actual counts what functions cost as they run.
type actual struct{ patterns map[string]uint64 }

// CallCost knows our own functions, and what matching costs.
func (c actual) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	text := func(n int) (string, bool) {
		if n >= len(args) {
			return "", false
		}
		t, ok := args[n].(types.String)
		return string(t), ok
	}
	first, isText := text(0)
	second, areTexts := text(1)
	var steps uint64
	switch {
	case function == lookPods || function == lookContainers:
		steps = lookCost
	case !isText:
		return nil
	case function == "matches" && areTexts:
		steps = matchCost(uint64(len(first)), c.patterns[second])
	case function == "glob" && areTexts:
		steps = uint64(float64(len(first))*float64(len(second))*textFactor) + 1
	case function == "semver", function == "imageref":
		steps = 400
	case function == "cidr":
		steps = 20
	default:
		return nil
	}
	return &steps
}
