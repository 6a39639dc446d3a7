package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.want.json from what comes out: read the difference")

const source = "/test/k8s-audit"

// golden is what a sample gives, as testdata/*.want.json has it.
type golden struct {
	Events []goldenEvent `json:"events"`
	Error  []string      `json:"error,omitempty"` // lines
}

type goldenEvent struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time"`
	Data    any       `json:"data"`
}

func goldenOf(t *testing.T, events []schemas.Event, err error) golden {
	t.Helper()
	g := golden{Events: []goldenEvent{}}
	for _, e := range events {
		g.Events = append(g.Events, goldenEvent{e.ID, e.ShortType(), e.Subject, e.Time, value(t, e.Data)})
	}
	if err != nil {
		g.Error = strings.Split(err.Error(), "\n")
	}
	return g
}

func value(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	all := map[string][]byte{}
	for _, p := range paths {
		if strings.HasSuffix(p, ".want.json") {
			continue
		}
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(p), ".json")] = data
	}
	return all
}

func TestSamples(t *testing.T) {
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			events, err := Audit(data, Options{Source: source})
			for _, e := range events {
				schemastest.Valid(t, e)
				if e.Source != source {
					t.Errorf("source %q, want %q", e.Source, source)
				}
			}
			got := goldenOf(t, events, err)
			file := filepath.Join("testdata", name+".want.json")
			if *update {
				write(t, file, got)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want golden
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, file string, g golden) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(g); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whether a sample is one line or many, in an array, or wrapped by EKS and
// Azure into a text, the same events come out of it.
func TestFormsAreAlike(t *testing.T) {
	one := samples(t)["create-pod"]
	want, err := Audit(one, Options{Source: source})
	if err != nil || len(want) != 2 {
		t.Fatalf("%d events, %v", len(want), err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, one, "", "\t"); err != nil {
		t.Fatal(err)
	}
	text := string(quoted(string(one)))
	for name, form := range map[string]string{
		"indented":                            indented.String(),
		"in an array":                         "[" + string(one) + "]",
		"in a list":                           `{"items":[` + string(one) + `],"kind":"EventList"}`,
		"as a text":                           text,
		"of CloudWatch":                       `{"message":` + text + `}`,
		"of Azure":                            `{"properties":{"log":` + text + `}}`,
		"of Azure, with properties as a text": `{"properties":` + string(quoted(`{"log":`+text+`}`)) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Audit([]byte(form), Options{Source: source})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(goldenOf(t, want, nil), goldenOf(t, got, nil)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestNoSource(t *testing.T) {
	if _, err := Audit(samples(t)["create-pod"], Options{}); err == nil {
		t.Error("no error without a source")
	}
}

func TestRefused(t *testing.T) {
	whole := `{"auditID":"a","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-03-04T10:15:30Z"`
	tests := []struct{ name, input, want string }{
		{"nothing", ``, "want an object"},
		{"no JSON", `I0304 10:15:30 started`, "want an object"},
		{"cut off", `{"auditID":"a"`, "byte 14: want , or }"},
		{"two in one", whole + `}{}`, "more follows after the JSON text"},
		{"another form", `{"a":1}`, "none of the known forms"},
		{"no auditID", `{"stage":"Panic","verb":"get"}`, "it has no auditID"},
		{"no stage", `{"auditID":"a","verb":"get"}`, `audit event "a": it has no stage`},
		{"no verb", `{"auditID":"a","stage":"Panic","verb":null}`, "it has no verb"},
		{"no time", `{"auditID":"a","stage":"Panic","verb":"get"}`, "it has no time"},
		{"a time of another form", `{"auditID":"a","stage":"Panic","verb":"get","stageTimestamp":"yesterday"}`, "stageTimestamp is no time"},
		{"a time too far away", `{"auditID":"a","stage":"Panic","verb":"get","stageTimestamp":"9999-03-04T10:15:30Z"}`, "not between 1970 and 2262"},
		{"an unknown stage", `{"auditID":"a","stage":"Soon","verb":"get"}`, "stage is not RequestReceived"},
		{"an unknown level", whole + `,"level":"All"}`, "level is not None"},
		{"a member twice", whole + `,"verb":"list"}`, "verb is there twice"},
		{"a member twice inside", whole + `,"user":{"uid":"a","uid":"b"}}`, `there twice: "uid"`},
		{"a user of another kind", whole + `,"user":"alice"}`, "user is not an object"},
		{"groups of another kind", whole + `,"user":{"groups":[null]}}`, "user.groups is of another kind"},
		{"a name of another kind", whole + `,"objectRef":{"name":1}}`, "objectRef.name is no text"},
		{"a code of another kind", whole + `,"responseStatus":{"code":"200"}}`, "responseStatus.code is of another kind"},
		{"annotations of another kind", whole + `,"annotations":{"a":1}}`, "annotations is not"},
		{"addresses of another kind", whole + `,"sourceIPs":"10.0.0.1"}`, "sourceIPs is not"},
		{"GKE, another service", `{"protoPayload":{"serviceName":"container.googleapis.com"}}`, "want one of k8s.io"},
		{"GKE, another method", `{"protoPayload":{"methodName":"google.iam.SetIamPolicy"}}`, "no call of Kubernetes"},
		{"AKS without a log", `{"properties":{"pod":"x"}}`, "properties: no log in it"},
		{"EKS, a message cut off", `{"events":[{"message":"{\"auditID\":\"a"}]}`, "events[0].message: byte"},
		{"Insights without a message", `{"results":[[{"field":"@ptr","value":"x"}]]}`, "results[0]: no @message"},
		{"wrapped without end", strings.Repeat("[", 40) + strings.Repeat("]", 40), "wrapped more than"},
		{"nested without end", `{"auditID":` + strings.Repeat("[", 20_000), "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := Audit([]byte(tt.input), Options{Source: source})
			if len(events) > 0 {
				t.Errorf("gives %d events", len(events))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("%v does not wrap schemas.ErrInvalid", err)
			}
		})
	}
}

// A batch of nothing but bad items gives an error that can be read.
func TestErrorsAreBounded(t *testing.T) {
	_, err := Audit([]byte("["+strings.Repeat("{},", 999)+"{}]"), Options{Source: source})
	if err == nil || !strings.Contains(err.Error(), "980 more like these") || strings.Count(err.Error(), "\n") != maxErrors {
		t.Errorf("error %v", err)
	}
}
