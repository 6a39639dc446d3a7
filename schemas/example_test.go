package schemas_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"
)

var at = time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.UTC)

// example fills a value of a Go type: everything it can hold, or only what its
// schema requires.
func example(t *testing.T, typ reflect.Type, whole bool, tag string) reflect.Value {
	t.Helper()
	v := reflect.New(typ).Elem()
	if typ == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(at))
		return v
	}
	switch typ.Kind() {
	case reflect.Pointer:
		v.Set(example(t, typ.Elem(), whole, "").Addr())
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			optional := strings.Contains(f.Tag.Get("json"), ",omit")
			if f.IsExported() && (whole || !optional) {
				v.Field(i).Set(example(t, f.Type, whole, f.Tag.Get("jsonschema")))
			}
		}
	case reflect.Slice:
		v.Set(reflect.Append(reflect.MakeSlice(typ, 0, 1), example(t, typ.Elem(), whole, "")))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(reflect.ValueOf("a.b/c"), example(t, typ.Elem(), whole, ""))
	case reflect.String:
		v.SetString(text(tag))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Interface:
		v.Set(reflect.ValueOf(map[string]any{"any": "thing"}))
	default:
		switch {
		case v.CanInt():
			v.SetInt(42)
		case v.CanUint():
			v.SetUint(42)
		default:
			t.Fatalf("no example of %s is known", typ)
		}
	}
	return v
}

func text(tag string) string {
	if _, rest, found := strings.Cut(tag, "enum="); found {
		first, _, _ := strings.Cut(rest, ",")
		return first
	}
	if strings.Contains(tag, "format=date-time") {
		return at.Format(time.RFC3339Nano)
	}
	return "a text ü"
}

func TestEveryTypeOfTheCatalogValidates(t *testing.T) {
	t.Parallel()
	for _, entry := range schemas.Catalog {
		for name, whole := range map[string]bool{"whole": true, "bare": false} {
			t.Run(entry.Type+"/"+name, func(t *testing.T) {
				t.Parallel()
				data := example(t, reflect.TypeOf(entry.Data), whole, "").Interface()
				e, err := schemas.NewEvent(entry.Type, "/local/n1/test", "id-1", "c1", at, data)
				if err != nil {
					t.Fatal(err)
				}
				schemastest.Valid(t, e)
			})
		}
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := `{"host":{"name":"n"},"process":{"pid":1}}`
	for name, tt := range map[string]struct {
		change func(*schemas.Event)
		want   string
	}{
		"an unknown type":      {func(e *schemas.Event) { e.Type = "firebreak.runtime.process.start" }, "the catalog has no type"},
		"no id":                {func(e *schemas.Event) { e.ID = "" }, "id"},
		"no source":            {func(e *schemas.Event) { e.Source = "" }, "source"},
		"no time":              {func(e *schemas.Event) { e.Time = time.Time{} }, "no time"},
		"a field missing":      {func(e *schemas.Event) { e.Data = json.RawMessage(`{"process":{"pid":1}}`) }, "host"},
		"a null":               {func(e *schemas.Event) { e.Data = json.RawMessage(`{"host":null,"process":{"pid":1}}`) }, "/host"},
		"a field too many":     {func(e *schemas.Event) { e.Data = json.RawMessage(`{"hots":1,"host":{"name":"n"},"process":{"pid":1}}`) }, "hots"},
		"another type of data": {func(e *schemas.Event) { e.Data = json.RawMessage(`{"host":{"name":"n"},"process":{"pid":"1"}}`) }, "pid"},
		"a value of no enum": {func(e *schemas.Event) {
			e.Data = json.RawMessage(`{"host":{"name":"n"},"process":{"pid":1,"executable":{"origin":"moon"}}}`)
		}, "/process/executable/origin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := schemas.Event{ID: "1", Source: "/local/n/exec", Type: schemas.ProcessStarted, Time: at, Data: json.RawMessage(good)}
			if err := schemastest.Check(e); err != nil {
				t.Fatalf("the event is wrong before it is changed: %v", err)
			}
			tt.change(&e)
			if err := schemastest.Check(e); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
