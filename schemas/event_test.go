package schemas_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"firebreak/schemas"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEventThroughTheSDK(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("somewhere", 3600)
	want, err := schemas.NewEvent(schemas.ContainerStarted, "/local/n1/containerd", "k8s.io/start/c1/1", "c1", at.In(zone), map[string]any{"a": "<b>"})
	if err != nil {
		t.Fatal(err)
	}
	if want.Time.Location() != time.UTC {
		t.Errorf("time is in %v, want UTC", want.Time.Location())
	}
	ce, err := want.CloudEvent()
	if err != nil {
		t.Fatal(err)
	}
	if ce.SpecVersion() != "1.0" || ce.DataContentType() != "application/json" {
		t.Errorf("version %s, content type %s", ce.SpecVersion(), ce.DataContentType())
	}
	got, err := schemas.FromCloudEvent(ce)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestEventThatIsNone(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]schemas.Event{
		"no id":     {Source: "/a", Type: "b", Time: at, Data: json.RawMessage(`{}`)},
		"no source": {ID: "1", Type: "b", Time: at, Data: json.RawMessage(`{}`)},
		"no type":   {ID: "1", Source: "/a", Time: at, Data: json.RawMessage(`{}`)},
	} {
		ce, err := e.CloudEvent()
		if !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: CloudEvent gives %v, want one of the class ErrInvalid", name, err)
		}
		if _, err := schemas.FromCloudEvent(ce); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: FromCloudEvent gives %v, want one of the class ErrInvalid", name, err)
		}
	}
	if _, err := schemas.NewEvent("a", "/b", "1", "", at, func() {}); err == nil {
		t.Error("data that is no JSON gives no error")
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typ, short, arena string }{
		{schemas.ProcessStarted, "runtime.process.started", "runtime"},
		{schemas.LogGap, "system.log.gap", "system"},
		{"falco.rule.output.v1", "falco.rule.output.v1", "foreign"},
	} {
		e := schemas.Event{Type: tt.typ}
		if e.ShortType() != tt.short || e.Arena() != tt.arena {
			t.Errorf("%s: %s in %s, want %s in %s", tt.typ, e.ShortType(), e.Arena(), tt.short, tt.arena)
		}
	}
	if (schemas.Event{Source: "/a", ID: "b"}).Key() == (schemas.Event{Source: "/a\nb", ID: ""}).Key() {
		t.Error("two events have one key")
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := schemas.Duration(rapid.Int64().Draw(t, "duration"))
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got schemas.Duration
		if err := json.Unmarshal(raw, &got); err != nil || got != want {
			t.Fatalf("%v became %v: %v", want, got, err)
		}
	})
	for _, text := range []string{`15`, `"soon"`, `null1`, `{}`} {
		var d schemas.Duration
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s gives %v, want an error", text, d)
		}
	}
}
