package expr

import (
	"errors"
	"fmt"
	"strings"

	"firebreak/schemas"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Field finds a field of an event type by its path, such as
// container.image.digest or k8s.pod.labels["app"], and gives its members from
// the data inward. It must hold a single value. The error is of the type
// [Problems].
func Field(text, eventType string) ([]string, error) {
	members, _, err := FieldOf(text, []string{eventType})
	return members, err
}

// What a field holds.
const (
	HoldsText   = "text"
	HoldsNumber = "a number"
	HoldsBool   = "true or false"
	HoldsAny    = "" // not known before it is seen
)

// FieldOf is [Field] for an event that has one of several types: each must
// have it. It says what the field holds, too.
func FieldOf(text string, eventTypes []string) (members []string, holds string, err error) {
	for i, t := range eventTypes {
		one, what, err := fieldOf(text, t)
		var problems Problems
		if errors.As(err, &problems) && len(eventTypes) > 1 {
			for n := range problems {
				problems[n].Message = schemas.ShortType(t) + " events: " + problems[n].Message
			}
		}
		if err != nil {
			return nil, "", err
		}
		members = one
		if i == 0 {
			holds = what
		}
		switch {
		case holds == what:
		case holds != HoldsAny && what != HoldsAny:
			return nil, "", Problems{{
				Line: 1, Column: 1, Message: fmt.Sprintf("%s holds %s in %s events and %s in %s events", text, holds, schemas.ShortType(eventTypes[0]), what, schemas.ShortType(t)),
				Fix: "take a field that holds the same in all of them",
			}}
		default:
			holds = HoldsAny
		}
	}
	return members, holds, nil
}

func fieldOf(text, eventType string) ([]string, string, error) {
	model, err := eventModel(eventType, "")
	if err != nil {
		return nil, "", err
	}
	b, err := base()
	if err != nil {
		return nil, "", fmt.Errorf("set up CEL: %w", err)
	}
	parsed, issues := b.Parse(text)
	if issues.Err() != nil {
		return nil, "", problemsOf(issues)
	}
	a := newAnalysis(text, parsed.NativeRep(), model)
	e := parsed.NativeRep().Expr()
	p := a.pathOf(e)
	members, plain := membersOf(e)
	switch {
	case len(a.problems) > 0:
		return nil, "", a.problems
	case p == nil || !plain:
		return nil, "", Problems{{Line: 1, Column: 1, Message: fmt.Sprintf("%q is no field", text), Fix: "write a path such as container.id"}}
	}
	switch p.node.kind {
	case kindStruct:
		return nil, "", Problems{{Line: 1, Column: 1, Message: text + " is an object, want one of its fields", Fix: "there are " + list(p.node.names())}}
	case kindList, kindMap:
		return nil, "", Problems{{Line: 1, Column: 1, Message: text + " holds several values, want one"}}
	default:
		return members, p.node.holds(), nil
	}
}

func (n *node) holds() string {
	switch n.kind {
	case kindString:
		return HoldsText
	case kindInt, kindDouble:
		return HoldsNumber
	case kindBool:
		return HoldsBool
	default:
		return HoldsAny
	}
}

// Holds says what the field at a path holds in events of the types: HoldsAny
// where they differ or it is not known.
func Holds(path, eventTypes []string) string {
	holds := HoldsAny
	for i, t := range eventTypes {
		n, err := eventModel(t, "")
		if err != nil {
			return HoldsAny
		}
		for _, name := range path {
			if n = n.child(name); n == nil {
				return HoldsAny
			}
		}
		if i > 0 && n.holds() != holds {
			return HoldsAny
		}
		holds = n.holds()
	}
	return holds
}

// child gives what a member describes; nil when it is not known.
func (n *node) child(name string) *node {
	switch n.kind {
	case kindMap:
		return n.elem
	case kindStruct:
		if f, ok := n.fields[name]; ok {
			return f.node
		}
	}
	return nil
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
