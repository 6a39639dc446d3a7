package expr

import (
	"fmt"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Field finds a field of an event type by its path, such as
// container.image.digest or k8s.pod.labels["app"], and gives its members from
// the data inward. It must hold a single value. The error is of the type
// [Problems].
func Field(text, eventType string) ([]string, error) {
	model, err := eventModel(eventType, "")
	if err != nil {
		return nil, err
	}
	b, err := base()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	parsed, issues := b.Parse(text)
	if issues.Err() != nil {
		return nil, problemsOf(issues)
	}
	a := newAnalysis(text, parsed.NativeRep(), model)
	e := parsed.NativeRep().Expr()
	p := a.pathOf(e)
	members, plain := membersOf(e)
	switch {
	case len(a.problems) > 0:
		return nil, a.problems
	case p == nil || !plain:
		return nil, Problems{{Line: 1, Column: 1, Message: fmt.Sprintf("%q is no field", text), Fix: "write a path such as container.id"}}
	}
	switch p.node.kind {
	case kindStruct:
		return nil, Problems{{Line: 1, Column: 1, Message: text + " is an object, want one of its fields", Fix: "there are " + list(p.node.names())}}
	case kindList, kindMap:
		return nil, Problems{{Line: 1, Column: 1, Message: text + " holds several values, want one"}}
	}
	return members, nil
}

// membersOf gives the names along a path written with dots and ["…"].
func membersOf(e celast.Expr) ([]string, bool) {
	switch e.Kind() {
	case celast.IdentKind:
		return []string{e.AsIdent()}, true
	case celast.SelectKind:
		members, ok := membersOf(e.AsSelect().Operand())
		return append(members, e.AsSelect().FieldName()), ok
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index {
			return nil, false
		}
		key, isText := literalOf(call.Args()[1]).(types.String)
		members, ok := membersOf(call.Args()[0])
		return append(members, string(key)), ok && isText
	default:
		return nil, false
	}
}

// Gives says whether events of that full type can hold the field at a dotted path.
func Gives(eventType, path string) bool {
	n, err := eventModel(eventType, "")
	if err != nil {
		return false
	}
	for _, name := range strings.Split(path, ".") {
		f, ok := n.fields[name]
		if !ok {
			return false
		}
		n = f.node
	}
	return true
}

// Gives is the type of what the program gives: string, int, double, bool,
// list, object, or "" when it is not known before it is evaluated.
func (p *Program) Gives() string {
	switch p.output.Kind() {
	case types.StringKind, types.IntKind, types.DoubleKind, types.BoolKind:
		return p.output.TypeName()
	case types.ListKind:
		return "list"
	case types.StructKind, types.MapKind:
		return "object"
	default:
		return ""
	}
}
