package playbook

import (
	"errors"

	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
)

// condition compiles a condition on an event that has one of the types; nil
// when it has errors.
func (c *check) condition(text document.Text, eventTypes []string) *expr.Program {
	p, err := c.compiler.ConditionOn(text.Value, eventTypes)
	return c.compiled(text, p, err)
}

// inStep compiles an expression of a step; nil when it has errors.
func (c *check) inStep(text document.Text, result expr.Result, scope expr.Scope) *expr.Program {
	p, err := c.compiler.StepIn(text.Value, result, scope)
	return c.compiled(text, p, err)
}

// compiled reports what is wrong with an expression at its place in the file.
func (c *check) compiled(text document.Text, p *expr.Program, err error) *expr.Program {
	c.problems(text, err)
	if err != nil {
		return nil
	}
	for _, w := range p.Warnings() {
		c.add(text.Locate(w.Line, w.Column), SeverityWarning, w.Message, w.Fix)
	}
	return p
}

func (c *check) problems(text document.Text, err error) {
	var problems expr.Problems
	switch {
	case err == nil:
	case errors.As(err, &problems):
		for _, p := range problems {
			c.add(text.Locate(p.Line, p.Column), SeverityError, p.Message, p.Fix)
		}
	default:
		c.add(text.At, SeverityError, err.Error(), "")
	}
}
