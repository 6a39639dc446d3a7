package playbook

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
	"firebreak/services/playbook/near"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// template is a text of `with` that holds ${…}: what it gives is known by its
// type at most.
type template struct {
	whole bool   // it is one ${…} and nothing else
	gives string // the type of that, "" when not known
}

// templates compiles every ${…} in the texts of `with`.
func (c *check) templates(with *document.Data, scope expr.Scope) map[string]template {
	found := map[string]template{}
	if with == nil {
		return found
	}
	for pointer, text := range with.Texts {
		parts, err := expr.Split(text.Value)
		if err != nil {
			c.errorf(text.At, "", "%v", err)
			continue
		}
		for _, part := range parts {
			if !part.Expr {
				continue
			}
			t := template{whole: len(parts) == 1}
			program, err := c.compiler.StepIn(part.Text, expr.Any, scope)
			if c.compiledAt(text, part.Offset, program, err) && t.whole {
				t.gives = program.Gives()
			}
			found[pointer] = t
		}
	}
	return found
}

// compiledAt reports what is wrong with an expression that begins within a text.
func (c *check) compiledAt(text document.Text, offset int, p *expr.Program, err error) bool {
	at := func(q expr.Problem) document.Place {
		line, column := 1, 1
		for _, r := range []rune(text.Value)[:offset] {
			column++
			if r == '\n' {
				line, column = line+1, 1
			}
		}
		if q.Line > 1 {
			return text.Locate(line+q.Line-1, q.Column)
		}
		return text.Locate(line, column+q.Column-1)
	}
	var problems expr.Problems
	if errors.As(err, &problems) {
		for _, q := range problems {
			c.add(at(q), SeverityError, q.Message, q.Fix)
		}
		return false
	}
	if err != nil {
		c.add(text.At, SeverityError, err.Error(), "")
		return false
	}
	for _, q := range p.Warnings() {
		if strings.HasPrefix(q.Message, "always ") {
			continue // a constant in a text is no condition
		}
		c.add(at(q), SeverityWarning, q.Message, q.Fix)
	}
	return true
}

// with checks the parameters against the schema of the action.
func (c *check) with(s document.Step, spec schemas.Spec, texts map[string]template) {
	schema, err := c.actions.parameters(spec)
	if err != nil {
		c.errorf(s.Do.At, "", "%v", err)
		return
	}
	place := func(string) document.Place { return s.Do.At }
	var value any = map[string]any{}
	if s.With != nil {
		if err := json.Unmarshal(s.With.JSON, &value); err != nil {
			return // its problems were reported when it was read
		}
		value = sample(value, "", texts)
		place = s.With.Place
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value); !errors.As(err, &invalid) {
		return
	}
	for _, leaf := range leaves(invalid) {
		c.parameter(s, schema, leaf, texts, place)
	}
}

// leaves are the errors that have no more exact ones below them.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		out = append(out, leaves(cause)...)
	}
	return out
}

// parameter reports one parameter that the action does not take.
func (c *check) parameter(s document.Step, schema *jsonschema.Schema, e *jsonschema.ValidationError, texts map[string]template, place func(string) document.Place) {
	pointer := pointerOf(e.InstanceLocation)
	name := strings.Join(append([]string{"with"}, e.InstanceLocation...), ".")
	if t, dynamic := texts[pointer]; dynamic {
		// Only the type is known of what the expression will give.
		if _, isType := e.ErrorKind.(*kind.Type); !isType || t.whole && t.gives == "" {
			return
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, property := range k.Properties {
			c.unknownParameter(s, schema, e, pointer, property)
		}
	case *kind.Required:
		c.errorf(place(pointer), "", "%s: %s needs %s", name, s.Do.Value, strings.Join(k.Missing, " and "))
	case *kind.Type:
		fix := ""
		if texts[pointer].whole && slices.Contains(k.Want, "string") {
			fix = "make it text: ${string(…)}"
		}
		c.errorf(place(pointer), fix, "%s: got %s, want %s", name, k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		c.errorf(place(pointer), "", "%s: %v is not one of %v", name, k.Got, k.Want)
	default:
		c.errorf(place(pointer), "", "%s: not what %s takes (%s)", name, s.Do.Value, strings.Join(e.ErrorKind.KeywordPath(), "."))
	}
}

func (c *check) unknownParameter(s document.Step, schema *jsonschema.Schema, e *jsonschema.ValidationError, pointer, property string) {
	var known []string
	if len(e.InstanceLocation) == 0 {
		for name := range schema.Properties {
			known = append(known, name)
		}
		slices.Sort(known)
	}
	fix := ""
	if len(known) > 0 {
		fix = "known are " + strings.Join(known, ", ")
	}
	if word := near.Nearest(property, known); word != "" {
		fix = "did you mean " + word + "?"
	}
	c.errorf(s.With.Keys[pointerOf([]string{property}, pointer)], fix, "unknown parameter %q of %s", property, s.Do.Value)
}

func pointerOf(path []string, before ...string) string {
	pointer := strings.Join(before, "")
	for _, p := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	return pointer
}

// sample puts a value of the right type where a ${…} stands alone.
func sample(value any, pointer string, texts map[string]template) any {
	switch v := value.(type) {
	case map[string]any:
		for k := range v {
			v[k] = sample(v[k], pointerOf([]string{k}, pointer), texts)
		}
	case []any:
		for i := range v {
			v[i] = sample(v[i], fmt.Sprintf("%s/%d", pointer, i), texts)
		}
	case string:
		switch texts[pointer].gives {
		case "int":
			return json.Number("1")
		case "double":
			return json.Number("1.5")
		case "bool":
			return true
		case "list":
			return []any{}
		case "object":
			return map[string]any{}
		}
	}
	return value
}
