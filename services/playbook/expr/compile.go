package expr

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

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
	Signals map[string]string // the full event type by the signal's name; nil: unknown
	Steps   []string          // ids of the steps before this one; nil: unknown
	Present []string          // paths known to be there, such as signals.start.container.id
}

// Condition compiles a condition on the data of an event of that full type.
// The error is of the type [Problems].
func Condition(text, eventType string) (*Program, error) {
	model, err := eventModel(eventType, "")
	if err != nil {
		return nil, err
	}
	return compile(text, model, Bool, facts{})
}

// Step compiles an expression of a step without knowing the playbook's
// signals; prefer [StepIn], which finds wrong names.
func Step(text string, result Result) (*Program, error) { return StepIn(text, result, Scope{}) }

// StepIn compiles an expression of a step: over incident, signals, steps and
// target. The error is of the type [Problems].
func StepIn(text string, result Result, scope Scope) (*Program, error) {
	model, err := stepModel(scope)
	if err != nil {
		return nil, err
	}
	return compile(text, model, result, facts{present: scope.Present})
}

// eventModel describes the data of an event type.
func eventModel(eventType, root string) (*node, error) {
	entry, known := schemas.Schema(eventType)
	if known {
		return modelOf(reflect.TypeOf(entry.Data), root), nil
	}
	short := strings.TrimPrefix(eventType, schemas.Prefix)
	var types []string
	for _, e := range schemas.Catalog {
		types = append(types, strings.TrimPrefix(e.Type, schemas.Prefix))
	}
	p := Problem{Line: 1, Column: 1, Message: fmt.Sprintf("unknown event type %q", short)}
	if word := near.Nearest(short, types); word != "" {
		p.Fix = fmt.Sprintf("did you mean %s?", word)
	}
	return nil, Problems{p}
}

// stepModel describes what a step's expression can speak of.
func stepModel(scope Scope) (*node, error) {
	state := structOf("steps[]", map[string]*node{"state": {kind: kindString, path: "steps[].state"}})
	steps := &node{kind: kindMap, path: "steps", elem: state}
	if scope.Steps != nil {
		steps.keys = scope.Steps
	}
	signals := &node{kind: kindMap, path: "signals", elem: &node{kind: kindDyn, path: "signals[]"}}
	if scope.Signals != nil {
		fields := map[string]*node{}
		for name, eventType := range scope.Signals {
			model, err := eventModel(eventType, "signals."+name)
			if err != nil {
				return nil, err
			}
			fields[name] = model
		}
		signals = structOf("signals", fields)
	}
	return structOf("", map[string]*node{
		"incident": structOf("incident", map[string]*node{
			"id":       {kind: kindString, path: "incident.id"},
			"key":      {kind: kindDyn, path: "incident.key"},
			"severity": {kind: kindString, path: "incident.severity", enum: []string{"low", "medium", "high", "critical"}},
			"playbook": {kind: kindString, path: "incident.playbook"},
		}),
		"signals": signals,
		"steps":   steps,
		"target":  {kind: kindDyn, path: "target"},
	}), nil
}

// compile parses, checks, bounds and plans an expression.
func compile(text string, model *node, result Result, known facts) (*Program, error) {
	env, err := environment(model)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, Problems{{Line: 1, Column: 1, Message: "an empty expression"}}
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, problemsOf(issues)
	}
	a := analyse(text, parsed.NativeRep(), model, known)
	if len(a.problems) > 0 {
		return nil, a.problems
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, problemsOf(issues)
	}
	if err := resultProblem(checked.OutputType(), result); err != nil {
		return nil, err
	}
	if err := bounded(env, checked); err != nil {
		return nil, err
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if a.loops > 0 {
		// The bound holds for lists of an ordinary length alone: counting as it
		// runs is slower, and only loops can need it.
		options = append(options, cel.CostLimit(maxCost))
	}
	planned, err := env.Program(checked, options...)
	if err != nil {
		return nil, Problems{{Line: 1, Column: 1, Message: tidy(err.Error())}}
	}
	p := &Program{text: text, plan: planned, model: model, result: result, warnings: a.warnings, present: a.present, output: checked.OutputType()}
	return p, p.constant(a)
}

// constant evaluates what reads nothing: an error there is one always.
func (p *Program) constant(a *analysis) error {
	if a.reads > 0 {
		return nil
	}
	v, err := p.Eval(nil)
	if err != nil {
		return Problems{{Line: 1, Column: 1, Message: "always an error: " + tidy(strings.TrimPrefix(err.Error(), p.text+": "))}}
	}
	if p.result == Bool {
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
