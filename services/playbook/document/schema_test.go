package document

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

//go:generate go test -run ^TestSchemaIsUpToDate$ . -update

var update = flag.Bool("update", false, "write the schema anew")

// schemaFile is what editors are pointed at by the first line of a playbook.
const schemaFile = "../../../schemas/playbook.schema.json"

// keyless are the types that are no objects in YAML.
func keyless(t reflect.Type) *generator.Schema {
	text := &generator.Schema{Type: "string"}
	switch t {
	case reflect.TypeFor[Text]():
		return text
	case reflect.TypeFor[Number]():
		return &generator.Schema{Type: "integer"}
	case reflect.TypeFor[Flag]():
		return &generator.Schema{Type: "boolean"}
	case reflect.TypeFor[Duration]():
		return &generator.Schema{Type: "string", Pattern: `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`}
	case reflect.TypeFor[Data]():
		return &generator.Schema{Type: "object"}
	case reflect.TypeFor[Fraction]():
		return &generator.Schema{Type: "number"}
	case reflect.TypeFor[By]():
		one := uint64(1)
		list := &generator.Schema{Type: "array", Items: text, MinItems: &one}
		each := &generator.Schema{OneOf: []*generator.Schema{text, list}}
		return &generator.Schema{OneOf: []*generator.Schema{
			text, list,
			{Type: "object", AdditionalProperties: each, MinProperties: &one},
		}}
	case reflect.TypeFor[Signals]():
		one := uint64(1)
		signal := reflector().Reflect(Signal{})
		signal.Version, signal.Definitions = "", nil // Match has the same ones
		eventOrMatch(signal)
		return &generator.Schema{Type: "object", AdditionalProperties: signal, MinProperties: &one}
	}
	return nil
}

// having says that a key is there, and none of those others.
func having(key string, without ...string) *generator.Schema {
	s := &generator.Schema{Required: []string{key}}
	for _, other := range without {
		if s.Not == nil {
			s.Not = &generator.Schema{}
		}
		s.Not.AnyOf = append(s.Not.AnyOf, &generator.Schema{Required: []string{other}})
	}
	return s
}

// eventOrMatch says what the checks of Signal say.
func eventOrMatch(s *generator.Schema) {
	s.OneOf = []*generator.Schema{having("type", "by", "within", "until")}
	for _, op := range operators {
		s.OneOf = append(s.OneOf, having(op, "when"))
	}
	s.DependentRequired = map[string][]string{"until": {"sequence"}}
}

// oneOperatorOrNone says what the check of Match says.
func oneOperatorOrNone(s *generator.Schema) {
	none := &generator.Schema{Not: &generator.Schema{}}
	for _, op := range operators {
		none.Not.AnyOf = append(none.Not.AnyOf, having(op))
		s.OneOf = append(s.OneOf, having(op))
	}
	s.OneOf = append(s.OneOf, none)
	s.DependentRequired = map[string][]string{"until": {"sequence"}}
}

func reflector() *generator.Reflector {
	return &generator.Reflector{Anonymous: true, ExpandedStruct: true, Mapper: keyless}
}

func schema(t *testing.T) []byte {
	t.Helper()
	s := reflector().Reflect(Playbook{})
	s.ID, s.Title, s.Description = "urn:firebreak:playbook", "Firebreak playbook", "What to do when something happens on a container platform"
	oneOperatorOrNone(s.Definitions["Match"])
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
		t.Errorf("the schema of playbooks is not what the types say; run go generate ./services/playbook/document (-types +file):\n%s", diff)
	}
}

// TestSchemaAgreesWithRead holds the editor's view and ours against each other.
func TestSchemaAgreesWithRead(t *testing.T) {
	t.Parallel()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema(t)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("playbook.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("playbook.json")
	if err != nil {
		t.Fatal(err)
	}
	const head = "apiVersion: firebreak/v1\nkind: Playbook\nmetadata: {name: a, summary: b, arena: host, severity: low}\n"
	for name, tt := range map[string]struct {
		text string
		good bool
	}{
		"whole":           {head + "on: {a: {type: b, when: c}}\nmatch: {by: d}\nonce: 1h\nguard: {mode: enforce, except: e, limit: {targets: 1, per: 1m, share: 5%}, staleAfter: 1m}\nthen: [{do: f, id: g, target: h, with: {i: [1]}, when: j, needs: [k], for: 1h, onExpire: keep, retry: {attempts: 3, backoff: 1s}, timeout: 1m, irreversible: true, onFailure: [{do: l}]}, {parallel: [{do: m}]}]\n", true},
		"by a list":       {head + "on: {a: {type: b}}\nmatch: {by: [c, d]}\nthen: [{do: e}]\n", true},
		"by for a signal": {head + "on: {a: {type: b}}\nmatch: {by: {a: c}}\nthen: [{do: e}]\n", true},
		"by lists":        {head + "on: {a: {type: b}}\nmatch: {by: {a: [c, d]}}\nthen: [{do: e}]\n", true},
		"every operator": {head + `on:
  a: {any: [b]}
  b: {all: [b, c], by: d, within: 1m}
  c: {sequence: [b, c], until: d, within: 1m}
  d: {count: {of: a, atLeast: 1}}
  e: {distinct: {of: a, field: f, atLeast: 2}}
  f: {absent: {after: a, expect: b}}
  g: {baseline: {of: a, field: f, factor: 1.5, over: 1h}, by: x}
match: {sequence: [a, b], until: c, within: 1m, by: x}
then: [{do: e}]
`, true},
		"neither event nor match": {head + "on: {a: {}}\nthen: [{do: e}]\n", false},
		"event and match":         {head + "on: {a: {type: b, any: [c]}}\nthen: [{do: e}]\n", false},
		"a match with when":       {head + "on: {a: {any: [c], when: d}}\nthen: [{do: e}]\n", false},
		"an event with by":        {head + "on: {a: {type: c, by: d}}\nthen: [{do: e}]\n", false},
		"two operators":           {head + "on: {a: {type: b}}\nmatch: {any: [a], all: [a, b]}\nthen: [{do: e}]\n", false},
		"two nested operators":    {head + "on: {a: {any: [a], all: [a, b]}}\nthen: [{do: e}]\n", false},
		"until without sequence":  {head + "on: {a: {type: b}}\nmatch: {any: [a], until: b}\nthen: [{do: e}]\n", false},
		"until alone":             {head + "on: {a: {type: b}}\nmatch: {until: b}\nthen: [{do: e}]\n", false},
		"nested until":            {head + "on: {a: {any: [a], until: b}}\nthen: [{do: e}]\n", false},
		"all of one":              {head + "on: {a: {type: b}}\nmatch: {all: [a]}\nthen: [{do: e}]\n", false},
		"too many operands":       {head + "on: {a: {type: b}}\nmatch: {any: [a" + strings.Repeat(", a", 32) + "]}\nthen: [{do: e}]\n", false},
		"count of nothing":        {head + "on: {a: {count: {of: b, atLeast: 0}}}\nthen: [{do: e}]\n", false},
		"count without of":        {head + "on: {a: {count: {atLeast: 1}}}\nthen: [{do: e}]\n", false},
		"count with a field":      {head + "on: {a: {count: {of: b, field: c, atLeast: 1}}}\nthen: [{do: e}]\n", false},
		"distinct of one":         {head + "on: {a: {distinct: {of: b, field: c, atLeast: 1}}}\nthen: [{do: e}]\n", false},
		"a factor below one":      {head + "on: {a: {baseline: {of: b, field: c, factor: 0.5, over: 1h}}}\nthen: [{do: e}]\n", false},
		"a factor that is none":   {head + "on: {a: {baseline: {of: b, field: c, factor: much, over: 1h}}}\nthen: [{do: e}]\n", false},
		"an empty by":             {head + "on: {a: {type: b}}\nmatch: {by: {}}\nthen: [{do: e}]\n", false},
		"no then":                 {head + "on: {a: {type: b}}\n", false},
		"no signal":               {head + "on: {}\nthen: [{do: e}]\n", false},
		"a key too many":          {head + "on: {a: {type: b, if: c}}\nthen: [{do: e}]\n", false},
		"a later key":             {head + "on: {a: {type: b}}\nthen: [{do: e, approve: {by: f}}]\n", false},
		"a bad mode":              {head + "on: {a: {type: b}}\nguard: {mode: enforced}\nthen: [{do: e}]\n", false},
		"a bad share":             {head + "on: {a: {type: b}}\nguard: {limit: {targets: 1, per: 1m, share: 0%}}\nthen: [{do: e}]\n", false},
		"too many attempts":       {head + "on: {a: {type: b}}\nthen: [{do: e, retry: {attempts: 11}}]\n", false},
		"a bad time":              {head + "on: {a: {type: b}}\nonce: soon\nthen: [{do: e}]\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := Read([]byte(tt.text))
			if (len(problems) == 0) != tt.good {
				t.Errorf("read with the problems %v, want it good: %v", problems, tt.good)
			}
			var value any
			if err := yaml.Unmarshal([]byte(tt.text), &value); err != nil {
				t.Fatal(err)
			}
			if err := compiled.Validate(value); (err == nil) != tt.good {
				t.Errorf("the schema says %v, want it good: %v", err, tt.good)
			}
		})
	}
}
