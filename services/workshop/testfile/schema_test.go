package testfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"firebreak/schemas"
	"firebreak/services/workshop/format"
)

//go:generate go test -run ^TestSchemaIsUpToDate$ . -update

var update = flag.Bool("update", false, "write the schema anew")

// schemaFile is what editors are pointed at by the first line of a test file.
const schemaFile = "../../../schemas/playbook-test.schema.json"

func text() *generator.Schema { return &generator.Schema{Type: "string"} }

func listOf(s *generator.Schema) *generator.Schema {
	return &generator.Schema{Type: "array", Items: s}
}

func either(these ...*generator.Schema) *generator.Schema { return &generator.Schema{OneOf: these} }

func ref(name string) *generator.Schema { return &generator.Schema{Ref: "#/$defs/" + name} }

func enum(values []string) []any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		out = append(out, v)
	}
	return out
}

// keyless are the types that are no objects in YAML.
func keyless(t reflect.Type) *generator.Schema {
	if t == reflect.TypeFor[schemas.Duration]() {
		return &generator.Schema{Type: "string", Pattern: `^(0|([0-9.]+(ns|us|µs|ms|s|m|h))+)$`}
	}
	return nil
}

// shapes say what the Go types leave open, by definition and key.
func shapes() map[string]map[string]*generator.Schema {
	answer := either(
		&generator.Schema{Type: "string", Enum: enum(Answers())},
		&generator.Schema{
			Type: "object", AdditionalProperties: text(), MinProperties: count(1), MaxProperties: count(1),
			PropertyNames: &generator.Schema{Enum: enum(Answers())},
		},
	)
	answers := listOf(answer)
	answers.MinItems = count(1)
	group := either(
		text(), &generator.Schema{Type: "number"}, &generator.Schema{Type: "boolean"},
		&generator.Schema{Type: "array"}, &generator.Schema{Type: "object"},
	)
	anything := either(text(), &generator.Schema{Type: "object"})
	var types []string
	for _, e := range schemas.Catalog {
		types = append(types, schemas.ShortType(e.Type))
	}
	known := &generator.Schema{Type: "string", Enum: enum(types)}
	return map[string]map[string]*generator.Schema{
		"Case":     {"mock": {Type: "object", AdditionalProperties: either(answer, answers)}},
		"Event":    {"type": known, "as": {Type: "string", Enum: enum(format.Names())}, "data": {Type: "object"}, "raw": anything},
		"Silence":  {"types": listOf(known)},
		"Expect":   {"unknown": listOf(group)},
		"Incident": {"by": group, "steps": listOf(either(text(), ref("Step")))},
		"Step":     {"target": either(text(), listOf(text())), "with": {Type: "object"}},
	}
}

func count(n uint64) *uint64 { return &n }

// describe lays a shape over what the types give, and keeps what they tell of it.
func describe(t *testing.T, all generator.Definitions) {
	t.Helper()
	for name, keys := range shapes() {
		for key, shape := range keys {
			have, known := all[name].Properties.Get(key)
			if !known {
				t.Fatalf("%s has no key %s", name, key)
			}
			shape := *shape
			shape.Description = have.Description
			all[name].Properties.Set(key, &shape)
		}
	}
	// What an event is: one of ours, or one that a decoder makes so.
	all["Event"].OneOf = []*generator.Schema{
		{Required: []string{"type"}, Not: &generator.Schema{AnyOf: []*generator.Schema{{Required: []string{"as"}}, {Required: []string{"raw"}}}}},
		{Required: []string{"as", "raw"}, Not: &generator.Schema{AnyOf: []*generator.Schema{{Required: []string{"type"}}, {Required: []string{"data"}}, {Required: []string{"host"}}}}},
	}
	all["Step"].OneOf = []*generator.Schema{{Required: []string{"do"}}, {Required: []string{"id"}}}
	times, _ := all["Event"].Properties.Get("times")
	times.Minimum, times.Maximum = "0", json.Number("10000")
}

func schema(t *testing.T) []byte {
	t.Helper()
	named := func(t reflect.Type) string { return strings.TrimPrefix(t.Name(), "written") }
	r := &generator.Reflector{Anonymous: true, ExpandedStruct: true, Mapper: keyless, Namer: named}
	s := r.Reflect(writtenFile{})
	// A step is reached by no type, for what is written in its place may be text.
	step := r.Reflect(writtenStep{})
	s.Definitions["Step"] = &generator.Schema{Type: "object", Properties: step.Properties, AdditionalProperties: generator.FalseSchema}
	tests, _ := s.Properties.Get("tests")
	tests.MinItems = count(1)
	s.ID, s.Title, s.Description = "urn:firebreak:playbook-test", "Tests of a Firebreak playbook", "What a playbook must do when these events come, and what it must not"
	describe(t, s.Definitions)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSchemaIsUpToDate(t *testing.T) {
	want := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the schema of tests is not what the types say; run go generate ./services/workshop/testfile (-types +file):\n%s", diff)
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema(t)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("test.json", doc); err != nil {
		t.Fatal(err)
	}
	out, err := compiler.Compile("test.json")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSchemaAgreesWithRead holds the editor's view and ours against each other.
func TestSchemaAgreesWithRead(t *testing.T) {
	t.Parallel()
	of := compiled(t)
	const head = "playbook: p\ntests:\n- name: t\n"
	event := func(e string) string { return head + "  events: [" + e + "]\n  expect: {incidents: []}\n" }
	expect := func(i string) string { return head + "  expect: {incidents: [" + i + "]}\n" }
	for name, tt := range map[string]struct {
		text string
		good bool
	}{
		"whole": {`playbook: p
tests:
- name: t
  inventory: {pods: [{uid: u, name: n, namespace: s, labels: {a: b}, service_account: x, host: h, containers: [c]}], containers: [{id: c, name: n, image: {name: i}, labels: {a: b}, pod: u, host: h}]}
  events:
  - {at: 1s, stored: 2s, type: runtime.process.started, id: a, source: b, subject: c, host: d, data: {container: {id: c1}}, times: 3, every: 1m}
  - {as: falco, raw: {a: 1}}
  - {as: falco, raw: '{"a": 1}'}
  silent: [{types: [host.login.failed], from: 1m, to: 2m}]
  until: 1h
  hold: true
  mock: {a: failed, b: {ineffective: why}, c: [failed, {enforced: now}]}
  expect:
    incidents:
    - {by: c1, at: 1s, severity: low, steps: [a, {do: b, target: c, state: enforced, cause: hold, with: {x: 1}}, {id: d, target: [e, f]}], not: [g], recurred: 2, outcome: contained}
    - {by: [a, 1], steps: []}
    - {by: {user.name: a}}
    - {by: 1}
    unknown: [a, [b, c], {user.name: d}]
`, true},
		"no tests":              {"playbook: p\ntests: []\n", false},
		"no playbook":           {"tests: [{name: t, expect: {incidents: []}}]\n", false},
		"no name":               {"playbook: p\ntests: [{expect: {incidents: []}}]\n", false},
		"nothing expected":      {head + "  events: []\n", false},
		"no incidents":          {head + "  expect: {}\n", false},
		"a key too many":        {head + "  evnts: []\n  expect: {incidents: []}\n", false},
		"a type that is none":   {event("{type: runtime.process.startd}"), false},
		"no type":               {event("{at: 1s}"), false},
		"raw alone":             {event("{raw: {a: 1}}"), false},
		"as alone":              {event("{as: falco}"), false},
		"raw and type":          {event("{as: falco, raw: {a: 1}, type: falco.rule.output.v1}"), false},
		"a format that is none": {event("{as: falcon, raw: {a: 1}}"), false},
		"too many":              {event("{type: runtime.process.started, times: 10001}"), false},
		"a number as time":      {event("{at: 30, type: runtime.process.started}"), false},
		"a time before":         {event("{at: -1s, type: runtime.process.started}"), false},
		"data that is a list":   {event("{type: runtime.process.started, data: [1]}"), false},
		"a mock that is none":   {head + "  mock: {a: nothing}\n  expect: {incidents: []}\n", false},
		"a mock of two":         {head + "  mock: {a: {failed: x, gone: y}}\n  expect: {incidents: []}\n", false},
		"a mock of none":        {head + "  mock: {a: []}\n  expect: {incidents: []}\n", false},
		"a silence of none":     {head + "  silent: [{types: [nothing]}]\n  expect: {incidents: []}\n", false},
		"a silence of nothing":  {head + "  silent: [{from: 1s}]\n  expect: {incidents: []}\n", false},
		"a step by both":        {expect("{steps: [{do: a, id: b}]}"), false},
		"a step by neither":     {expect("{steps: [{state: failed}]}"), false},
		"a step of a state":     {expect("{steps: [{do: a, state: enforce}]}"), false},
		"a step that is 1":      {expect("{steps: [1]}"), false},
		"a target that is 1":    {expect("{steps: [{do: a, target: 1}]}"), false},
		"a severity":            {expect("{severity: hihg}"), false},
		"an outcome":            {expect("{outcome: done}"), false},
		"a pod without uid":     {head + "  inventory: {pods: [{name: a}]}\n  expect: {incidents: []}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, found := Read("a.test.yaml", []byte(tt.text), format.Names(), func(string, []byte) ([]schemas.Event, error) { return nil, nil })
			if (len(found) == 0) != tt.good {
				t.Errorf("read with the findings %v, want it good: %v", found, tt.good)
			}
			if err := validate(of, []byte(tt.text)); (err == nil) != tt.good {
				t.Errorf("the schema says %v, want it good: %v", err, tt.good)
			}
		})
	}
}

// TestSchemaTakesTheLibrary tries it on every test file of the library.
func TestSchemaTakesTheLibrary(t *testing.T) {
	t.Parallel()
	of := compiled(t)
	names, err := filepath.Glob("../../../playbooks/*/*.test.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test file of the library was found: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err == nil {
			err = validate(of, data)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// validate reads YAML as an editor does.
func validate(of *jsonschema.Schema, data []byte) error {
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return err
	}
	if value == nil {
		return errors.New("the file is empty")
	}
	return of.Validate(value)
}

// TestEveryOpenKeyIsDescribed finds keys of which the types say nothing.
func TestEveryOpenKeyIsDescribed(t *testing.T) {
	t.Parallel()
	raw := reflect.TypeFor[json.RawMessage]()
	for _, typ := range []reflect.Type{
		reflect.TypeFor[writtenCase](), reflect.TypeFor[writtenEvent](), reflect.TypeFor[writtenSilence](),
		reflect.TypeFor[writtenExpect](), reflect.TypeFor[writtenIncident](), reflect.TypeFor[writtenStep](),
	} {
		for _, f := range reflect.VisibleFields(typ) {
			open := f.Type == raw || slices.Contains([]reflect.Kind{reflect.Slice, reflect.Map}, f.Type.Kind()) && f.Type.Elem() == raw
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if open && shapes()[strings.TrimPrefix(typ.Name(), "written")][key] == nil {
				t.Errorf("%s.%s: the schema does not say what it may be", typ.Name(), key)
			}
		}
	}
}
