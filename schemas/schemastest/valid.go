// Package schemastest checks in tests that events and records keep to the
// wire contract: their JSON Schema, the Go type of their data and the rules of
// CloudEvents.
//
// It is for tests of other packages alone. Start with [Valid].
package schemastest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"firebreak/schemas"
	files "firebreak/schemas/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Valid fails the test when the event is not what its type promises.
func Valid(t testing.TB, e schemas.Event) {
	t.Helper()
	if err := Check(e); err != nil {
		t.Errorf("event %s %q: %v\n%s", e.Type, e.ID, err, e.Data)
	}
}

// ValidRecord fails the test when the record's data is not what its kind promises.
func ValidRecord(t testing.TB, r schemas.Record) {
	t.Helper()
	if err := against(r.Type(), r.Data); err != nil {
		t.Errorf("record %s: %v\n%s", r.Subject(), err, r.Data)
	}
	if r.ID == "" || r.Time.IsZero() {
		t.Errorf("record %s: id %q, time %v: want both", r.Subject(), r.ID, r.Time)
	}
}

// Check is [Valid] without a test.
func Check(e schemas.Event) error {
	entry, known := schemas.Schema(e.Type)
	if !known {
		return fmt.Errorf("the catalog has no type %q", e.Type)
	}
	if e.Time.IsZero() {
		return fmt.Errorf("it has no time")
	}
	if _, err := e.CloudEvent(); err != nil {
		return err
	}
	// The schema lets unknown fields pass for the sake of newer writers; in our
	// own events they are mistakes.
	strict := json.NewDecoder(bytes.NewReader(e.Data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(reflect.New(reflect.TypeOf(entry.Data)).Interface()); err != nil {
		return fmt.Errorf("data does not fit %T: %w", entry.Data, err)
	}
	return against(e.Type, e.Data)
}

// against validates data against the schema of a type.
func against(typ string, data []byte) error {
	raw, err := files.FS.ReadFile(typ + ".json")
	if err != nil {
		return fmt.Errorf("schema of %s: %w: run go run ./schemas/gen", typ, err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("schema of %s: %w", typ, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	location := "urn:firebreak:" + typ
	if err := compiler.AddResource(location, doc); err != nil {
		return fmt.Errorf("schema of %s: %w", typ, err)
	}
	schema, err := compiler.Compile(location)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", typ, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return schema.Validate(value)
}
