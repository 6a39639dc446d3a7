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
	signalForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// taken are words of CEL that cannot follow a dot or that read wrongly there.
var taken = []string{"true", "false", "null", "in"}

func (c *check) metadata(p *Playbook) {
	for _, t := range c.doc.Metadata.Attack {
		if !attackForm.MatchString(t.Value) {
			c.errorf(t.At, "write it as T1496 or T1496.001", "%q is no ATT&CK technique", t.Value)
		}
		p.Attack = append(p.Attack, t.Value)
	}
}

func (c *check) signals(p *Playbook) {
	for i, s := range c.doc.On.List {
		if !signalForm.MatchString(s.Name.Value) || slices.Contains(taken, s.Name.Value) {
			c.errorf(s.Name.At, "use letters, digits and _", "%q cannot be the name of a signal", s.Name.Value)
		}
		if i == 1 {
			c.errorf(s.Name.At, "write a playbook for each of them",
				"a second signal needs an operator that joins it (all, any, sequence …), and those are not yet known to this version")
		}
		full, _ := schemas.FullType(s.Type.Value)
		one := Signal{Name: s.Name.Value, Type: full, Types: []string{full}}
		if s.Type.Value != "" && c.eventType(s.Type) && s.When != nil && s.When.Value != "" {
			one.When = c.condition(*s.When, one.Type)
		}
		p.Signals = append(p.Signals, one)
	}
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
		types = append(types, strings.TrimPrefix(e.Type, schemas.Prefix))
	}
	fix := "known are " + strings.Join(types, ", ")
	if word := near.Nearest(text.Value, types); word != "" {
		fix = "did you mean " + word + "?"
	}
	c.errorf(text.At, fix, "unknown event type %q", text.Value)
	return false
}

// group reads match.by and once.
func (c *check) group(p *Playbook) {
	p.Match = Match{Op: OpAny, Until: -1}
	for n := range p.Signals {
		p.Match.Of = append(p.Match.Of, n)
		p.Match.By = append(p.Match.By, nil)
	}
	if m := c.doc.Match; m != nil && m.By != nil {
		for _, f := range m.By.Fields {
			c.by(p, f)
		}
	}
	if c.doc.Once == nil {
		return
	}
	p.Once = c.doc.Once.Value
	if !p.Match.Grouped() {
		c.errorf(c.doc.Once.At, "add match: {by: container.id} or take once out",
			"once without match.by: every event is a group of its own, so there is nothing to do once")
	}
}

func (c *check) by(p *Playbook, f document.ByField) {
	if f.Field.Value == "" {
		return
	}
	if f.Signal != nil && !slices.ContainsFunc(p.Signals, func(s Signal) bool { return s.Name == f.Signal.Value }) {
		c.errorf(f.Signal.At, "", "match.by speaks of the signal %q, which `on` does not have", f.Signal.Value)
		return
	}
	for n, s := range p.Signals {
		if _, known := schemas.Schema(s.Type); !known || f.Signal != nil && f.Signal.Value != s.Name {
			continue
		}
		path, err := expr.Field(f.Field.Value, s.Type)
		c.problems(f.Field, err)
		p.Match.By[n] = append(p.Match.By[n], path)
	}
}
