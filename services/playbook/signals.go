package playbook

import (
	"regexp"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
	"firebreak/services/playbook/near"
)

var (
	attackForm = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)
	matrixForm = regexp.MustCompile(`^MS-TA9[0-9]{3}$`)
	signalForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// taken are words of CEL that cannot follow a dot or that read wrongly there.
var taken = []string{"true", "false", "null", "in"}

func (c *check) metadata(p *Playbook) {
	c.attack(p)
	c.matrix(p)
}

// signals reads the names and the events of `on`; the matches among them are
// joined afterwards, when every name is known.
func (c *check) signals(p *Playbook) {
	for _, s := range c.doc.On.List {
		if !signalForm.MatchString(s.Name.Value) || slices.Contains(taken, s.Name.Value) {
			c.errorf(s.Name.At, "use letters, digits and _", "%q cannot be the name of a signal", s.Name.Value)
		}
		one := Signal{Name: s.Name.Value}
		if s.Type != nil && s.Type.Value != "" && c.eventType(*s.Type) {
			one.Type, _ = schemas.FullType(s.Type.Value)
			one.Types = []string{one.Type}
			if s.When != nil && s.When.Value != "" {
				one.When = c.signalWhen(*s.When, one.Types)
			}
		}
		p.Signals = append(p.Signals, one)
	}
}

// signalWhen compiles an event's condition, which must be one that can hold.
func (c *check) signalWhen(text document.Text, types []string) *expr.Program {
	p, err := c.compiler.ConditionOn(text.Value, types)
	if err == nil && p.Never(nil) {
		c.errorf(text.At, "take the signal out, or its condition", "the condition is never true")
		return nil
	}
	return c.compiled(text, p, err)
}

// eventType checks that there is such a type of event.
func (c *check) eventType(text document.Text) bool {
	if _, known := schemas.FullType(text.Value); known {
		return true
	}
	if short, ours := strings.CutPrefix(text.Value, schemas.Prefix); ours {
		c.errorf(text.At, "write "+short, "the prefix %s is left off in playbooks", schemas.Prefix)
		return false
	}
	var types []string
	for _, e := range schemas.Catalog {
		types = append(types, schemas.ShortType(e.Type))
	}
	fix := "known are " + strings.Join(types, ", ")
	if word := near.Nearest(text.Value, types); word != "" {
		fix = "did you mean " + word + "?"
	}
	c.errorf(text.At, fix, "unknown event type %q", text.Value)
	return false
}
