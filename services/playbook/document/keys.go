package document

import (
	"reflect"
	"strings"
	"sync"
)

// keys are those of a type, with those that are required and those that a
// later version will know.
type keys struct {
	fields          map[string]reflect.StructField
	order           []string // as they are declared
	required, later []string
}

// known are the keys of the types that have some. They are made once: nothing
// in them changes afterwards.
var known = sync.OnceValue(func() map[reflect.Type]keys {
	out := map[reflect.Type]keys{}
	for _, t := range []reflect.Type{
		reflect.TypeFor[Playbook](), reflect.TypeFor[Metadata](), reflect.TypeFor[Signal](), reflect.TypeFor[Match](),
		reflect.TypeFor[Count](), reflect.TypeFor[Distinct](), reflect.TypeFor[Absent](), reflect.TypeFor[Baseline](),
		reflect.TypeFor[Guard](), reflect.TypeFor[Limit](), reflect.TypeFor[Step](), reflect.TypeFor[Retry](),
	} {
		out[t] = keysOf(t)
	}
	return out
})

// keysOf gives a type's keys, those of embedded types as its own.
func keysOf(t reflect.Type) keys {
	out := keys{fields: map[string]reflect.StructField{}}
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("later"); tag != "" {
			out.later = strings.Split(tag, ",")
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		out.fields[name] = f
		out.order = append(out.order, name)
		if options != "omitempty" {
			out.required = append(out.required, name)
		}
	}
	return out
}
