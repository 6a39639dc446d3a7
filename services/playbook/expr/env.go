package expr

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"cel.dev/cel-go/common"
)

const (
	hasCall  = "@has"  // what has(x) is until it is lowered
	dataName = "@data" // the data as a whole, for has(x) of a single name
	maxText  = 8192    // characters of one expression
	maxDeep  = 64      // parentheses within one another
)

// base is CEL with our functions, without any variable. It is made once:
// nothing in it changes afterwards.
var base = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableHiddenAccumulatorName(true),
		cel.ParserExpressionSizeLimit(maxText),
		cel.ParserRecursionLimit(maxDeep),
		cel.Macros(parser.NewGlobalMacro("has", 1, expandHas)),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
	}
	return cel.NewEnv(append(options, functions()...)...)
})

// expandHas keeps has(x) as a call, which is lowered when the types are known.
func expandHas(eh parser.ExprHelper, _ celast.Expr, args []celast.Expr) (celast.Expr, *common.Error) {
	switch args[0].Kind() {
	case celast.IdentKind, celast.SelectKind, celast.CallKind:
		return eh.NewCall(hasCall, args[0]), nil
	default:
		return nil, eh.NewError(args[0].ID(), "has() takes a field, such as has(process.executable.name)")
	}
}

// environment is CEL with the fields of root as variables.
func environment(root *node) (*cel.Env, error) {
	b, err := base()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	p := provider{Provider: b.CELTypeProvider(), structs: map[string]*node{typePrefix + imageModel.path: imageModel}}
	p.collect(root)
	options := []cel.EnvOption{
		cel.CustomTypeProvider(p),
		cel.CustomTypeAdapter(adapter{Adapter: b.CELTypeAdapter()}),
		cel.Variable(dataName, root.celType()),
		cel.Variable(inventoryData, cel.DynType),
	}
	for name, f := range root.fields {
		options = append(options, cel.Variable(name, f.node.celType()))
	}
	env, err := b.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("set up CEL for %q: %w", root.path, err)
	}
	return env, nil
}

// activation hands the data to an evaluation.
type activation struct {
	root      *node
	data      map[string]any
	inventory Inventory
}

// ResolveName gives a top-level member; one that is not there is an absence.
func (a *activation) ResolveName(name string) (any, bool) {
	f, ok := a.root.fields[name]
	switch {
	case ok:
	case name == inventoryData:
		return inventoryValue{a.inventory}, true
	default:
		return a.data, name == dataName
	}
	v, err := f.get(a.data)
	if err != nil {
		return types.WrapErr(err), true
	}
	return v, true
}

// Parent is none: there are no variables besides the data.
func (a *activation) Parent() cel.Activation { return nil }
