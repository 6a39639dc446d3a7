package decode

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"
	"firebreak/services/collector/decodetest"
)

const (
	alert = `{"rule":"R","priority":"Error","time":"2026-03-04T05:06:07Z","output_fields":{"a":1,"b":2}}`
	exit  = `{"process_exit":{"process":{"pid":7,"uid":1}},"node_name":"n","time":"2026-03-04T05:06:07Z"}`
	exec  = `{"process_exec":{"process":{"exec_id":"abc","pid":7}},"node_name":"n","time":"2026-03-04T05:06:07Z"}`
)

// idOf decodes what is one event.
func idOf(t *testing.T, decode func([]byte, Options) ([]schemas.Event, error), text string) string {
	t.Helper()
	events, err := decode([]byte(text), given)
	if err != nil || len(events) != 1 {
		t.Fatalf("%s: %d events, error %v: want one", text, len(events), err)
	}
	return events[0].ID
}

// The id follows from what an event says, not from how it is written.
func TestIDs(t *testing.T) {
	tests := []struct {
		name   string
		decode func([]byte, Options) ([]schemas.Event, error)
		a, b   string
		same   bool
	}{
		{"alert twice", Falco, alert, alert, true},
		{"alert written otherwise", Falco, alert, `{ "output_fields":{"b":2,"a":1}, "time":"2026-03-04T05:06:07.0Z","priority":"Error","rule":"R"}`, true},
		{"another field", Falco, alert, strings.Replace(alert, `"b":2`, `"b":3`, 1), false},
		{"another time", Falco, alert, strings.Replace(alert, `:07Z`, `:08Z`, 1), false},
		{"a large number", Falco, strings.Replace(alert, `"b":2`, `"b":1772600767123456789`, 1), strings.Replace(alert, `"b":2`, `"b":1772600767123456788`, 1), false},
		{"exit twice", Tetragon, exit, exit, true},
		{"exit of another", Tetragon, exit, strings.Replace(exit, `"pid":7`, `"pid":8`, 1), false},
		{"exit elsewhere", Tetragon, exit, strings.Replace(exit, `"n"`, `"m"`, 1), false},
		{"exit later", Tetragon, exit, strings.Replace(exit, `:07Z`, `:08Z`, 1), false},
		{"exec told twice", Tetragon, exec, strings.Replace(exec, `"pid":7`, `"pid":7,"refcnt":2`, 1), true},
		{"exec of another", Tetragon, exec, strings.Replace(exec, `abc`, `abd`, 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := idOf(t, tt.decode, tt.a), idOf(t, tt.decode, tt.b)
			if (a == b) != tt.same {
				t.Errorf("ids %s and %s: want them to be the same: %v", a, b, tt.same)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	at := time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)
	timeless := strings.Replace(alert, `"time":"2026-03-04T05:06:07Z",`, "", 1)
	tests := []struct {
		name, in string
		o        Options
		want     string // of the error
	}{
		{"all of them", timeless, Options{Source: "/x", Time: at}, ""},
		{"no time is needed", alert, Options{Source: "/x"}, ""},
		{"no time", timeless, Options{Source: "/x"}, "does not say when it happened"},
		{"no source", alert, Options{}, "no source was given"},
		{"large enough", alert, Options{Source: "/x", MaxData: 200}, ""},
		{"too large", alert, Options{Source: "/x", MaxData: 50}, "more than the 50 that are allowed"},
		{"source that is none", alert, Options{Source: "a\nb"}, "control character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := Falco([]byte(tt.in), tt.o)
			switch {
			case tt.want == "" && (err != nil || len(events) != 1):
				t.Errorf("%d events, error %v: want one event", len(events), err)
			case tt.want != "" && (!errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v: want one that says %q and wraps ErrInvalid", err, tt.want)
			}
		})
	}
}

// What nests deeper than the log takes is refused, not followed.
func TestDepth(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for name, in := range map[string]string{
		"falco":    strings.Replace(alert, `{"a":1,"b":2}`, deep, 1),
		"tetragon": `{"process_exit":` + deep + `,"node_name":"n","time":"2026-03-04T05:06:07Z"}`,
	} {
		if _, err := decoders[name]([]byte(in), given); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: error %v: want ErrInvalid", name, err)
		}
	}
}

func TestArguments(t *testing.T) {
	tests := []struct {
		name string
		in   process
		want []string
		cut  bool
	}{
		{"none", process{Binary: "/bin/id"}, []string{"/bin/id"}, false},
		{"two", process{Binary: "/bin/ls", Arguments: "-l /"}, []string{"/bin/ls", "-l", "/"}, false},
		{"quotes", process{Binary: "/bin/sh", Arguments: `-c "curl x"`}, []string{"/bin/sh"}, true},
		{"small quotes", process{Binary: "/bin/sh", Arguments: `-c it's`}, []string{"/bin/sh"}, true},
		{"an empty one", process{Binary: "/bin/ls", Arguments: "a  b"}, []string{"/bin/ls"}, true},
		{"cut by the sensor", process{Binary: "/bin/ls", Arguments: "a b", Flags: "execve clone truncArgs"}, []string{"/bin/ls", "a", "b"}, true},
		{"no program", process{Arguments: "a b"}, nil, true},
		{"nothing", process{}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, cut := tt.in.args()
			if diff := cmp.Diff(tt.want, got); diff != "" || cut != tt.cut {
				t.Errorf("cut %v, want %v: %s", cut, tt.cut, diff)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	tests := []struct {
		address string
		port    uint32
		want    *schemas.Endpoint
	}{
		{"10.0.0.1", 80, &schemas.Endpoint{Address: "10.0.0.1", Port: 80}},
		{"::ffff:10.0.0.1", 80, &schemas.Endpoint{Address: "10.0.0.1", Port: 80}},
		{"2001:DB8::1", 0, &schemas.Endpoint{Address: "2001:db8::1"}},
		{"0.0.0.0", 80, nil},
		{"::", 80, nil},
		{"10.0.0.1", 65536, nil},
		{"example.com", 80, nil},
		{"", 0, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, endpoint(tt.address, tt.port)); diff != "" {
			t.Errorf("%s %d: %s", tt.address, tt.port, diff)
		}
	}
}

func TestSniff(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"CloudEvent", line, "cloudevents"},
		{"batch", `[` + line + `]`, "cloudevents"},
		{"alert", alert, "falco"},
		{"alerts", ` [ ` + alert + `, 1]`, "falco"},
		{"exit", exit, "tetragon"},
		{"rate limit", `{"rate_limit_info":{},"time":"2026-03-04T05:06:07Z"}`, "tetragon"},
		{"audit event", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"Panic"}`, "k8s-audit"},
		{"audit events", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","items":[]}`, "k8s-audit"},
		{"audit event of a list", `{"auditID":"a","stage":"ResponseComplete"}`, "k8s-audit"},
		{"pod", `{"kind":"Pod","apiVersion":"v1"}`, ""},
		{"apiVersion that is none", `{"apiVersion":7}`, ""},
		{"object", `{}`, ""},
		{"empty list", `[]`, ""},
		{"nested list", `[[]]`, ""},
		{"list that is broken", `[{]`, ""},
		{"text", `"falco"`, ""},
		{"log line", `Mar 4 05:06:07 node-7 sshd[1]: x`, ""},
		{"nothing", ``, ""},
		{"null", `null`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sniff([]byte(tt.in)); got != tt.want {
				t.Errorf("%q: want %q", got, tt.want)
			}
		})
	}
}

// check holds what a decoder gave to what every event is held to.
func check(t *testing.T, events []schemas.Event, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("error %v does not wrap ErrInvalid", err)
	}
	for _, e := range events {
		if err := schemastest.Check(e); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

func fuzz(f *testing.F, decode func([]byte, Options) ([]schemas.Event, error)) {
	for _, file := range decodetest.Samples(f) {
		f.Add(decodetest.Content(f, file))
	}
	for _, text := range []string{alert, exit, exec, "[" + alert + "]", "[]", "", "null", "[null]"} {
		f.Add([]byte(text))
	}
	for _, text := range padded(2000) {
		f.Add([]byte(text))
	}
	small := given
	small.MaxData = 2000 // so that much is cut
	f.Fuzz(func(t *testing.T, text []byte) {
		cut, err := decode(text, small)
		check(t, cut, err)
		events, err := decode(text, given)
		check(t, events, err)
		again, _ := decode(text, given)
		if diff := cmp.Diff(events, again); diff != "" {
			t.Errorf("the second time it gives something else: %s", diff)
		}
	})
}

func FuzzFalco(f *testing.F)    { fuzz(f, Falco) }
func FuzzTetragon(f *testing.F) { fuzz(f, Tetragon) }

func FuzzBatchAndSniff(f *testing.F) {
	for _, text := range []string{"[" + line + "]", line, alert, exit, "[]", "[null,{}]", `{"apiVersion":"audit.k8s.io/v1"}`} {
		f.Add([]byte(text))
	}
	known := map[string]bool{"": true, "k8s-audit": true, "falco": true, "tetragon": true, "cloudevents": true}
	f.Fuzz(func(t *testing.T, text []byte) {
		if what := Sniff(text); !known[what] {
			t.Errorf("%q is none of the answers", what)
		}
		events, err := Batch(text)
		if err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("error %v does not wrap ErrInvalid", err)
		}
		for _, e := range events {
			if !json.Valid(e.Data) {
				t.Errorf("data %q", e.Data)
			}
		}
	})
}
