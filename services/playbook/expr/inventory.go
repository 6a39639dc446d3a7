package expr

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"firebreak/services/playbook/near"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Inventory is what was seen running. Kind is "pod" or "container", key any
// identity: an image's digest, a pod's uid, a container's id, "namespace/pod",
// a node's name. It gives the entities, each an object with the blocks host,
// k8s and container, and its id or uid.
type Inventory interface {
	Look(kind, key string) ([]map[string]any, error)
}

const (
	inventoryName  = "inventory"
	inventoryData  = "@inventory" // the inventory as a whole, for the functions
	lookPods       = "inventory.pods"
	lookContainers = "inventory.containers"
)

// lookKinds are the functions by their name after the dot, with the kind that
// they look for.
var lookKinds = map[string]string{"pods": "pod", "containers": "container"}

// lookFunctions declares the look-ups. They take the inventory as an argument,
// since a function of CEL knows nothing of the evaluation that it is part of.
func lookFunctions() []cel.EnvOption {
	entities := cel.ListType(cel.DynType)
	var options []cel.EnvOption
	for name, kind := range lookKinds {
		options = append(options, cel.Function("inventory."+name,
			cel.Overload("inventory_"+name, []*cel.Type{cel.DynType, cel.StringType}, entities, cel.BinaryBinding(look(kind)))))
	}
	return options
}

func look(kind string) func(inventory, key ref.Val) ref.Val {
	return func(inventory, key ref.Val) ref.Val {
		call := fmt.Sprintf("inventory.%ss(%q)", kind, key.Value())
		in, ok := inventory.(inventoryValue)
		if !ok || in.Inventory == nil {
			return types.WrapErr(fmt.Errorf("%s: there is no inventory to look into here", call))
		}
		found, err := in.Look(kind, string(key.(types.String)))
		if err != nil {
			return types.WrapErr(fmt.Errorf("%s: %w", call, err))
		}
		list := make([]any, len(found))
		for i, entity := range found {
			list[i] = clean(entity)
		}
		return types.NewDynamicList(adapter{Adapter: types.DefaultTypeAdapter}, list)
	}
}

// inventoryValue carries an inventory through an evaluation.
type inventoryValue struct{ Inventory }

var inventoryType = types.NewOpaqueType("inventory")

// ConvertToNative is refused: it has no form outside.
func (inventoryValue) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("the inventory cannot become a %v", t)
}

// ConvertToType is refused.
func (inventoryValue) ConvertToType(ref.Type) ref.Val { return types.NoSuchOverloadErr() }

// Equal is never.
func (inventoryValue) Equal(ref.Val) ref.Val { return types.False }

// Type names it.
func (inventoryValue) Type() ref.Type { return inventoryType }

// Value is the inventory.
func (v inventoryValue) Value() any { return v.Inventory }

// UsesInventory says whether the program looks things up, so that it must be
// evaluated by [Program.EvalIn].
func (p *Program) UsesInventory() bool { return p.inventory }

// lookup checks a call of the inventory; false for any other call.
func (a *analysis) lookup(e celast.Expr, known facts) bool {
	call := e.AsCall()
	if !a.isLookup(e) {
		return false
	}
	a.inventory++
	at := call.Target() // CEL places a call at its parenthesis
	name := call.FunctionName()
	if _, exists := lookKinds[name]; !exists {
		names := slices.Sorted(maps.Keys(lookKinds))
		fix := "there are " + list(names)
		if word := near.Nearest(name, names); word != "" {
			fix = "did you mean inventory." + word + "?"
		}
		a.problem(at, "unknown look-up inventory."+name, fix)
		return true
	}
	switch {
	case !a.lookups:
		a.problem(at, "the inventory can be asked in `target` and `when` of a step alone: its answer is recorded there", "put the condition into the step's when, or what it needs into its target")
	case len(call.Args()) != 1:
		a.problem(at, "inventory."+name+" takes one identity", "give it an image's digest, a pod's uid, a container's id, \"namespace/pod\" or a node's name")
	}
	for _, arg := range call.Args() {
		a.walk(arg, known)
	}
	return true
}

func (a *analysis) isLookup(e celast.Expr) bool {
	if e.Kind() != celast.CallKind || !e.AsCall().IsMemberFunction() {
		return false
	}
	target := e.AsCall().Target()
	if target.Kind() != celast.IdentKind || target.AsIdent() != inventoryName {
		return false
	}
	_, bound := a.bound[inventoryName]
	_, field := a.root.fields[inventoryName]
	return !bound && !field
}

// lowerLookup hands the inventory to the function.
func (a *analysis) lowerLookup(e celast.Expr) {
	call := e.AsCall()
	inventory := a.fac.NewIdent(a.newID(e), inventoryData)
	e.SetKindCase(a.fac.NewCall(e.ID(), "inventory."+call.FunctionName(), inventory, call.Args()[0]))
}
