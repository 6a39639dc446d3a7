package expr

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Sizes that an ordinary event keeps to, and the steps that an expression may
// take on one. A search for text in a loop within a loop exceeds it.
const (
	maxCost   = 2_500_000
	maxString = 2048
	maxList   = 128
)

// bounded refuses an expression that might take too long.
func bounded(env *cel.Env, checked *cel.Ast) error {
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return Problems{{Line: 1, Column: 1, Message: "its cost cannot be estimated: " + tidy(err.Error())}}
	}
	if estimate.Max <= maxCost {
		return nil
	}
	return Problems{{
		Line: 1, Column: 1,
		Message: fmt.Sprintf("too costly: up to %d steps on one event, %d are allowed", estimate.Max, uint64(maxCost)),
		Fix:     "take out loops within loops",
	}}
}

// sizes bounds the sizes of what comes from an event.
type sizes struct{}

// EstimateSize bounds texts, lists and maps.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	return most(n.Type())
}

// most is the size that a value of a type keeps to; of an optional, the value
// within.
func most(t *types.Type) *cost.SizeEstimate {
	size := uint64(1)
	switch t.Kind() {
	case types.StringKind, types.BytesKind, types.DynKind:
		size = maxString
	case types.ListKind, types.MapKind:
		size = maxList
	case types.OpaqueKind:
		if len(t.Parameters()) == 1 {
			return most(t.Parameters()[0])
		}
	}
	return &cost.SizeEstimate{Max: size}
}

// EstimateCallCost knows our own functions.
func (sizes) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	fixed := func(n uint64) *cost.CallEstimate {
		return cost.NewCallEstimate(cost.FixedCostEstimate(n), &cost.SizeEstimate{Max: maxString})
	}
	switch function {
	case "or", "orValue", "value":
		if target != nil {
			return cost.NewCallEstimate(cost.FixedCostEstimate(1), most((*target).Type()))
		}
	case operators.Index, operators.OptIndex:
		if params := args[0].Type().Parameters(); len(params) > 0 {
			return cost.NewCallEstimate(cost.FixedCostEstimate(1), most(params[len(params)-1]))
		}
	case "cidr":
		return fixed(20)
	case "semver", "imageref":
		return fixed(400)
	case "glob":
		steps := sizeOf(args[0]).Multiply(sizeOf(args[1]))
		return cost.NewCallEstimate(steps.MultiplyByCostFactor(0.1), &cost.SizeEstimate{Max: 1})
	case "@add", "@subtract", "@multiply", "@divide", "@modulo":
		return fixed(maxString / 10)
	}
	return nil
}

func sizeOf(n cost.AstNode) cost.SizeEstimate { return cost.EstimateSize(sizes{}, n) }
