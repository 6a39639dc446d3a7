package playbook

import (
	"bytes"
	"fmt"
	"slices"

	"firebreak/schemas"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// actions is what the deployment can do.
type actions struct {
	specs   map[string]schemas.Spec
	schemas map[string]*jsonschema.Schema // of the parameters, compiled when first needed
}

func newActions(specs []schemas.Spec) *actions {
	a := &actions{specs: map[string]schemas.Spec{}, schemas: map[string]*jsonschema.Schema{}}
	for _, s := range specs {
		a.specs[s.Name] = s
	}
	return a
}

func (a *actions) names() []string {
	var names []string
	for name := range a.specs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// noLoader keeps a schema from reaching outside itself.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s lies outside the action's own schema", url)
}

// parameters gives the compiled schema of an action's parameters.
func (a *actions) parameters(spec schemas.Spec) (*jsonschema.Schema, error) {
	if s, done := a.schemas[spec.Name]; done {
		return s, nil
	}
	raw := spec.Params
	if len(raw) == 0 {
		raw = []byte(`{"type":"object","additionalProperties":false}`)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", spec.Name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	location := "action:" + spec.Name
	if err := compiler.AddResource(location, doc); err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", spec.Name, err)
	}
	s, err := compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", spec.Name, err)
	}
	a.schemas[spec.Name] = s
	return s, nil
}
