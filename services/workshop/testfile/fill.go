package testfile

import (
	"encoding/json"
	"reflect"
	"time"

	"firebreak/schemas"
)

// plain are the values of required fields that a test leaves out, by the path
// that they end. What is not listed is the first of the values that a text can
// have, or else "test", 0, false, or an empty list.
func plain(path string) (any, bool) {
	v, known := map[string]any{
		"host.name":      "node-1",
		"process.pid":    1000,
		"parent.pid":     1,
		"container.id":   "container-1",
		"registry.name":  "registry.example.com",
		"image.name":     "team/app",
		"audit.auditID":  "audit-1",
		"audit.stage":    "ResponseComplete",
		"audit.verb":     "get",
		"falco.priority": "Warning",
		"tetragon.kind":  "process_kprobe",
		"workload.kind":  "Pod",
		"workload.name":  "pod-1",
		"namespace.name": "default",
		"cluster.name":   "test",
	}[path]
	return v, known
}

// fill completes data with what the type requires: members that are missing,
// and those of the objects that are there or required. at is the event's time.
func (m members) fill(data map[string]any, t reflect.Type, at time.Time) {
	m.fillIn(data, t, "", at)
}

func (m members) fillIn(data map[string]any, t reflect.Type, owner string, at time.Time) {
	for name, f := range m.of(t) {
		ft := f.Type
		for ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if data[name] == nil {
			if !required(f) {
				continue
			}
			data[name] = missing(ft, owner+"."+name, f.Tag.Get("jsonschema"), at)
		}
		m.fillBelow(data[name], ft, name, at)
	}
}

func (m members) fillBelow(v any, t reflect.Type, owner string, at time.Time) {
	switch v := v.(type) {
	case map[string]any:
		if t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() {
			m.fillIn(v, t, owner, at)
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for _, e := range v {
				m.fillBelow(e, t.Elem(), owner, at)
			}
		}
	}
}

func missing(t reflect.Type, path, tag string, at time.Time) any {
	if v, known := plain(path); known {
		return v
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return at.UTC().Format(time.RFC3339Nano)
	case reflect.TypeFor[schemas.Duration]():
		return "0s"
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.String:
		if allowed := enumOf(tag); len(allowed) > 0 {
			return allowed[0]
		}
		return "test"
	case reflect.Bool:
		return false
	case reflect.Slice:
		return []any{}
	case reflect.Struct, reflect.Map, reflect.Interface:
		return map[string]any{}
	default:
		return 0
	}
}
