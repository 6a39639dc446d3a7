package expr

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"firebreak/schemas"
	"firebreak/services/playbook/near"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
)

// Result is what an expression must give.
type Result int

// Results. Bool and String are checked when the expression is compiled where
// the types are known, and when it is evaluated where they are not.
const (
	Any Result = iota
	Bool
	String
)

func (r Result) String() string {
	return [...]string{"any", "bool", "string"}[r]
}

// Scope says what the expressions of a playbook's steps can speak of.
type Scope struct {
	Signals  map[string][]string // the full types that the event behind a signal's name can have; nil: unknown
	Optional []string            // those of the signals that need not have taken part
	Hidden   map[string]string   // signals that cannot be spoken of, with the reason and what to write instead
	Steps    []string            // ids of the steps before this one; nil: unknown
	Key      []string            // the paths that incident.key has; nil: unknown
	Present  []string            // paths known to be there, such as signals.start.container.id
	Lookups  bool                // whether the inventory may be asked: in target and when
}

// Condition compiles a condition on the data of an event of that full type.
// The error is of the type [Problems].
func Condition(text, eventType string) (*Program, error) {
	return ConditionOn(text, []string{eventType})
}

// ConditionOn compiles a condition on the data of an event that has one of the
// full types; a field that not all of them have may be absent. Without types it
// is an event of any type: for conditions that were checked against theirs
// before, such as a guard's at the time when it is asked.
func ConditionOn(text string, eventTypes []string) (*Program, error) {
	return NewCompiler().ConditionOn(text, eventTypes)
}

// Step compiles an expression of a step without knowing the playbook's
// signals; prefer [StepIn], which finds wrong names.
func Step(text string, result Result) (*Program, error) { return StepIn(text, result, Scope{}) }

// StepIn compiles an expression of a step: over incident, signals, steps and
// target. The error is of the type [Problems].
func StepIn(text string, result Result, scope Scope) (*Program, error) {
	return NewCompiler().StepIn(text, result, scope)
}

// eventModels describes the data of every event type of the catalog. It is
// made once: nothing in it changes afterwards.
var eventModels = sync.OnceValue(func() map[string]*node {
	models := make(map[string]*node, len(schemas.Catalog))
	for _, e := range schemas.Catalog {
		models[e.Type] = modelOf(reflect.TypeOf(e.Data), "")
	}
	return models
})

// eventModel describes the data of an event type; root stands before the paths.
func eventModel(eventType, root string) (*node, error) {
	if model, known := eventModels()[eventType]; known {
		if root == "" {
			return model, nil
		}
		entry, _ := schemas.Schema(eventType)
		return modelOf(reflect.TypeOf(entry.Data), root), nil
	}
	short := schemas.ShortType(eventType)
	var types []string
	for _, e := range schemas.Catalog {
		types = append(types, schemas.ShortType(e.Type))
	}
	p := Problem{Line: 1, Column: 1, Message: fmt.Sprintf("unknown event type %q", short)}
	if word := near.Nearest(short, types); word != "" {
		p.Fix = fmt.Sprintf("did you mean %s?", word)
	}
	return nil, Problems{p}
}

// compile parses, checks, bounds and plans an expression.
func compile(text string, in *language, result Result, known facts) (*Program, error) {
	if strings.TrimSpace(text) == "" {
		return nil, Problems{{Line: 1, Column: 1, Message: "an empty expression"}}
	}
	parsed, issues := in.env.Parse(text)
	if issues.Err() != nil {
		return nil, problemsOf(issues)
	}
	a := newAnalysis(text, parsed.NativeRep(), in.model)
	a.lookups = in.lookups
	a.run(parsed.NativeRep(), known)
	if len(a.problems) > 0 {
		return nil, a.problems
	}
	checked, issues := in.env.Check(parsed)
	if issues.Err() != nil {
		return nil, problemsOf(issues)
	}
	if err := resultProblem(checked.OutputType(), result); err != nil {
		return nil, err
	}
	options, err := bounded(in.env, checked, a)
	if err != nil {
		return nil, err
	}
	planned, err := in.env.Program(checked, options...)
	if err != nil {
		return nil, Problems{{Line: 1, Column: 1, Message: tidy(err.Error())}}
	}
	p := &Program{
		text: text, plan: planned, env: in.env, model: in.model, result: result, output: checked.OutputType(),
		warnings: a.warnings, present: a.present, inventory: a.inventory > 0,
	}
	return p, p.constant(a)
}

// constant evaluates what reads nothing: an error there is one always.
func (p *Program) constant(a *analysis) error {
	if a.reads > 0 || a.inventory > 0 {
		return nil
	}
	v, err := p.Eval(nil)
	if err != nil {
		return Problems{{Line: 1, Column: 1, Message: "always an error: " + tidy(strings.TrimPrefix(err.Error(), p.text+": "))}}
	}
	if p.result == Bool {
		p.untrue = v == false
		p.warnings = append(p.warnings, Problem{Line: 1, Column: 1, Message: fmt.Sprintf("always %v: it reads no field", v)})
	}
	return nil
}

func resultProblem(t *cel.Type, result Result) error {
	want := cel.BoolType
	switch result {
	case Any:
		return nil
	case String:
		want = cel.StringType
	}
	if t.IsExactType(want) || t.IsExactType(cel.DynType) {
		return nil
	}
	p := Problem{Line: 1, Column: 1, Message: fmt.Sprintf("gives %s, want %s", typeName(t), result)}
	if strings.HasPrefix(t.String(), "optional_type") {
		p.Fix = "end it with .orValue(…)"
	}
	return Problems{p}
}

// typeName is a type as people call it.
func typeName(t *cel.Type) string {
	if name, ok := strings.CutPrefix(t.String(), typePrefix); ok {
		return "the object " + name
	}
	return t.String()
}

// problemsOf takes CEL's own complaints.
func problemsOf(issues *cel.Issues) Problems {
	var out Problems
	for _, e := range issues.Errors() {
		line, column := max(e.Location.Line(), 1), max(e.Location.Column()+1, 1)
		out = append(out, Problem{Line: line, Column: column, Message: tidy(e.Message)})
	}
	return out
}

var operatorName = regexp.MustCompile(`'([_@!\[\]?<>=&|+*/%:.-]+|@in)'`)

// tidy puts CEL's wording into that of playbooks.
func tidy(message string) string {
	message = strings.ReplaceAll(message, typePrefix, "")
	message = strings.ReplaceAll(message, " (in container '')", "")
	message = strings.ReplaceAll(message, "found no matching overload for", "no such operation:")
	message = strings.ReplaceAll(message, " applied to ", " on ")
	message = strings.ReplaceAll(message, "undeclared reference to", "unknown name")
	message, _, _ = strings.Cut(message, " expecting {")
	message = strings.ReplaceAll(message, "mismatched input '<EOF>'", "it ends too early")
	return operatorName.ReplaceAllStringFunc(message, func(quoted string) string {
		if symbol, known := operators.FindReverse(strings.Trim(quoted, "'")); known && symbol != "" {
			return "'" + symbol + "'"
		}
		return quoted
	})
}
