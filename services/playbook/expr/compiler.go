package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// Compiler compiles the expressions of many playbooks: what one kind of event
// or one playbook's signals look like is worked out once, which takes longer
// than an expression does. It is not for several goroutines at once; the
// programs that it makes are.
type Compiler struct {
	events map[string]*language // by the types, joined
	steps  map[string]*language // by the signals
	done   map[string]outcome   // by all that an expression's meaning rests on
}

// outcome is what came of an expression: playbooks of one set often hold the same.
type outcome struct {
	program *Program
	err     error
}

// language is what expressions of one kind can speak of.
type language struct {
	env     *cel.Env
	model   *node
	lookups bool // in the inventory
}

// NewCompiler gives one that has compiled nothing yet.
func NewCompiler() *Compiler {
	return &Compiler{events: map[string]*language{}, steps: map[string]*language{}, done: map[string]outcome{}}
}

// ConditionOn is [ConditionOn].
func (c *Compiler) ConditionOn(text string, eventTypes []string) (*Program, error) {
	key := strings.Join(eventTypes, "\n")
	in, done := c.events[key]
	if !done {
		model, err := modelOfAll(eventTypes, "")
		if err != nil {
			return nil, err
		}
		if in, err = newLanguage(model); err != nil {
			return nil, err
		}
		c.events[key] = in
	}
	return c.once("event\n"+key+"\n\n"+text, func() (*Program, error) { return compile(text, in, Bool, facts{}) })
}

// once compiles what was not compiled before.
func (c *Compiler) once(key string, compile func() (*Program, error)) (*Program, error) {
	o, done := c.done[key]
	if !done {
		o.program, o.err = compile()
		c.done[key] = o
	}
	return o.program, o.err
}

// StepIn is [StepIn].
func (c *Compiler) StepIn(text string, result Result, scope Scope) (*Program, error) {
	key := scope.key()
	in, done := c.steps[key]
	if !done {
		model, err := stepModel(scope)
		if err != nil {
			return nil, err
		}
		if in, err = newLanguage(model); err != nil {
			return nil, err
		}
		c.steps[key] = in
	}
	// The ids of the steps change from step to step, their type never does.
	full := fmt.Sprintf("step\n%d %v %v %q %v %q %q\n%s\n%s", result, scope.Lookups, scope.Steps == nil, scope.Steps, scope.Key == nil, scope.Key, scope.Present, key, text)
	return c.once(full, func() (*Program, error) {
		return compile(text, &language{env: in.env, model: in.model.withSteps(scope.Steps).withKey(scope.Key), lookups: scope.Lookups}, result, facts{present: scope.Present})
	})
}

func newLanguage(model *node) (*language, error) {
	env, err := environment(model)
	if err != nil {
		return nil, err
	}
	return &language{env: env, model: model}, nil
}

// key tells scopes apart by what the types of their variables rest on.
func (s Scope) key() string {
	if s.Signals == nil {
		return ""
	}
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Signals)) {
		fmt.Fprintf(&key, "%s=%s %v\n", name, strings.Join(s.Signals[name], ","), slices.Contains(s.Optional, name))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Hidden)) {
		fmt.Fprintf(&key, "%s!%s\n", name, s.Hidden[name])
	}
	return key.String()
}

// stepModel describes what a step's expression can speak of.
func stepModel(scope Scope) (*node, error) {
	state := structOf("steps[]", map[string]*node{"state": {kind: kindString, path: "steps[].state", enum: states()}})
	steps := &node{kind: kindMap, path: "steps", elem: state}
	signals := &node{kind: kindMap, path: "signals", elem: &node{kind: kindDyn, path: "signals[]"}}
	if scope.Signals != nil {
		fields := map[string]*node{}
		for name, eventTypes := range scope.Signals {
			model, err := modelOfAll(eventTypes, "signals."+name)
			if err != nil {
				return nil, err
			}
			fields[name] = model
		}
		signals = structOf("signals", fields)
		signals.hidden = scope.Hidden
		for _, name := range scope.Optional {
			if f, known := signals.fields[name]; known {
				f.required = false
			}
		}
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

// states are those that a step can be in.
func states() []string {
	return []string{
		"requested", "planned", "applied", "enforced", "partial", "ineffective", "unverified",
		"failed", "refused", "gone", "observed", "skipped", "releasing", "released",
	}
}

// withSteps gives the model of a step before which those ran; nil: unknown.
func (n *node) withSteps(ids []string) *node {
	if ids == nil {
		return n
	}
	out := &node{kind: n.kind, path: n.path, fields: maps.Clone(n.fields)}
	steps := *n.fields["steps"].node
	steps.keys = ids
	out.add("steps", &steps, true)
	return out
}

// withKey gives the model of a step of a playbook whose groups have those
// fields; nil: unknown.
func (n *node) withKey(paths []string) *node {
	if paths == nil {
		return n
	}
	out := &node{kind: n.kind, path: n.path, fields: maps.Clone(n.fields)}
	incident := &node{kind: kindStruct, path: "incident", fields: maps.Clone(n.fields["incident"].node.fields)}
	incident.add("key", &node{kind: kindDyn, path: "incident.key", keys: paths}, true)
	out.add("incident", incident, true)
	return out
}
