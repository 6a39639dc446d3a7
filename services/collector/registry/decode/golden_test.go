package decode

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"
)

var update = flag.Bool("update", false, "write what the decoders give as what is wanted; read the difference before it is kept")

// decoders by the first word of a sample's name.
var decoders = map[string]func([]byte, Options) ([]schemas.Event, error){
	"distribution": Distribution, "harbor": Harbor, "trivy": Trivy,
}

// given are the options of the samples.
var given = Options{Source: "/prod/gateway/registry", Time: time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)}

// golden is what a sample gives, in a form for people to read.
type golden struct {
	Events []goldenEvent `json:"events"`
	Error  []string      `json:"error,omitempty"`
}

type goldenEvent struct {
	Type, ID, Source, Subject string
	Time                      time.Time
	Data                      json.RawMessage
}

func samples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in testdata: %v", err)
	}
	var names []string
	for _, f := range files {
		if !strings.HasSuffix(f, ".want.json") {
			names = append(names, f)
		}
	}
	return names
}

func content(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decoder(t testing.TB, file string) func([]byte, Options) ([]schemas.Event, error) {
	t.Helper()
	name, _, _ := strings.Cut(filepath.Base(file), "-")
	d := decoders[name]
	if d == nil {
		t.Fatalf("%s: no decoder is named %s", file, name)
	}
	return d
}

func TestSamples(t *testing.T) {
	for _, file := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			events, err := decoder(t, file)(content(t, file), given)
			got := golden{Events: []goldenEvent{}}
			for _, e := range events {
				schemastest.Valid(t, e)
				got.Events = append(got.Events, goldenEvent{e.Type, e.ID, e.Source, e.Subject, e.Time, e.Data})
			}
			if err != nil {
				got.Error = strings.Split(err.Error(), "\n")
				if !errors.Is(err, schemas.ErrInvalid) {
					t.Errorf("error %v does not wrap ErrInvalid", err)
				}
			}
			compare(t, strings.TrimSuffix(file, ".json")+".want.json", got)
		})
	}
}

func compare(t *testing.T, file string, got golden) {
	t.Helper()
	raw, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var want, is any
	if err := json.Unmarshal(content(t, file), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &is); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Error(diff)
	}
}
