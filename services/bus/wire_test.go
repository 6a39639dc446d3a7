package bus

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

var wireTime = time.Date(2026, 1, 2, 3, 4, 5, 67, time.UTC)

// The SDK reads what we write: the NATS binding names the attributes as the
// HTTP binding does.
func TestEventIsCloudEvent(t *testing.T) {
	e, err := schemas.NewEvent(schemas.ExecStarted, "/local/a/runtime", "id-1", "c1", wireTime, schemas.ProcessEvent{Process: &schemas.Process{PID: 1}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := encodeEvent("firebreak.events.local.node-a.runtime.exec.started", e)
	if err != nil {
		t.Fatal(err)
	}
	got := sdkEvent(t, m)
	want, err := e.CloudEvent()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.String(), got.String()); d != "" {
		t.Error(d)
	}
}

func TestRecordIsCloudEvent(t *testing.T) {
	r, err := schemas.NewRecord("inc", "pause-0011", schemas.NodePlace("a"), schemas.KindPlanned, 2, wireTime, map[string]int{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Writer, r.Prev, r.Signature = "UABC", "0011", "c2ln"
	got := sdkEvent(t, encodeRecord(r))
	want := map[string]any{"writer": "UABC", "prev": "0011", "signature": "c2ln"}
	if d := cmp.Diff(want, got.Extensions()); d != "" {
		t.Error(d)
	}
	if got.Type() != "firebreak.ledger.planned" || got.ID() != r.ID || got.Source() != r.Source() || !got.Time().Equal(r.Time) {
		t.Errorf("got %s", got)
	}
}

// sdkMessage is a NATS message as the SDK's bindings read one.
type sdkMessage struct{ *nats.Msg }

var sdkSpecs = spec.WithPrefix("ce-")

func (m sdkMessage) version() spec.Version {
	return sdkSpecs.Version(m.Header.Get(sdkSpecs.PrefixedSpecVersionName()))
}

func (m sdkMessage) ReadEncoding() binding.Encoding {
	if m.version() == nil {
		return binding.EncodingUnknown
	}
	return binding.EncodingBinary
}

func (m sdkMessage) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (m sdkMessage) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	v := m.version()
	for name, values := range m.Header {
		var err error
		switch ext, isCloud := strings.CutPrefix(name, "ce-"); {
		case name == "content-type":
			err = w.SetAttribute(v.AttributeFromKind(spec.DataContentType), values[0])
		case !isCloud:
		case v.Attribute(name) != nil:
			err = w.SetAttribute(v.Attribute(name), values[0])
		default:
			err = w.SetExtension(ext, values[0])
		}
		if err != nil {
			return err
		}
	}
	return w.SetData(bytes.NewReader(m.Data))
}

func (m sdkMessage) GetAttribute(k spec.Kind) (spec.Attribute, any) {
	a := m.version().AttributeFromKind(k)
	if a == nil {
		return nil, nil
	}
	return a, m.Header.Get(a.PrefixedName())
}

func (m sdkMessage) GetExtension(name string) any { return m.Header.Get("ce-" + name) }

func (m sdkMessage) Finish(error) error { return nil }

func sdkEvent(t *testing.T, m *nats.Msg) *event.Event {
	t.Helper()
	got, err := binding.ToEvent(t.Context(), sdkMessage{m})
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEncodeEventRefuses(t *testing.T) {
	good := schemas.Event{ID: "i", Source: "/s", Type: "t", Data: []byte("{}")}
	cases := map[string]func(*schemas.Event){
		"no id":         func(e *schemas.Event) { e.ID = "" },
		"no source":     func(e *schemas.Event) { e.Source = "" },
		"no type":       func(e *schemas.Event) { e.Type = "" },
		"no data":       func(e *schemas.Event) { e.Data = nil },
		"not an object": func(e *schemas.Event) { e.Data = []byte("[]") },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			e := good
			spoil(&e)
			if _, err := encodeEvent("s", e); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

// Whatever the attributes hold, they come back, and cannot become headers of
// their own.
func FuzzEventRoundTrip(f *testing.F) {
	f.Add("id", "/s", "t", "sub")
	f.Add("a b\r\nNats-Rollup: all", "ü%41", "\x00", "\"")
	f.Fuzz(func(t *testing.T, id, source, typ, subject string) {
		e := schemas.Event{ID: id, Source: source, Type: typ, Subject: subject, Time: wireTime, Data: []byte(`{}`)}
		name := schemas.EventSubject("local", "w", "firebreak.a.b")
		m, err := encodeEvent(name, e)
		if err != nil {
			return
		}
		for _, v := range m.Header {
			for i := range len(v[0]) {
				if v[0][i] <= ' ' || v[0][i] > '~' {
					t.Fatalf("header value %q", v[0])
				}
			}
		}
		got, err := decodeEvent(message{subject: name, header: m.Header, data: m.Data})
		if err != nil {
			t.Fatal(err)
		}
		e.Writer = "w"
		if d := cmp.Diff(e, got); d != "" {
			t.Error(d)
		}
	})
}

// Whatever lies in a store, reading it ends in a value or an error.
func FuzzDecode(f *testing.F) {
	f.Add("firebreak.ledger.i.t.node-a.planned", "1.0", "id%20", "2026-01-02T03:04:05Z", []byte("{}"))
	f.Add("firebreak.events.c.w.x", "1.0", "%4", "yesterday", []byte("["))
	f.Add("$KV.INVENTORY.container.sha256-aa.node-a", "", "", "", []byte(`{"kind":"container","id":"sha256:aa","owner":"node-a"}`))
	f.Fuzz(func(t *testing.T, subject, version, id, at string, data []byte) {
		h := nats.Header{headSpec: {version}, headID: {id}, headSource: {id}, headType: {id}, headTime: {at}}
		m := message{subject: subject, header: h, data: data}
		if r, err := decodeRecord(m); err == nil && r.Subject() != subject {
			t.Errorf("record of %q says %q", subject, r.Subject())
		}
		if _, err := decodeEvent(m); err == nil && version != specVersion {
			t.Error("took another version")
		}
		if it, _, err := decodeItem(m); err == nil && it.Kind == "" && len(data) > 0 && subject == "" {
			t.Error("item without a subject")
		}
	})
}
