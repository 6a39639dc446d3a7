// Package decodetest compares what decoders give with what is wanted: a sample
// testdata/<name>.json of a package with testdata/<name>.want.json beside it.
//
// It is for tests of decoders alone. Start with [Golden]; go test -update writes
// what is wanted anew: read the difference before it is kept.
package decodetest

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

// golden is what a sample gives, in a form for people to read.
type golden struct {
	Events []event  `json:"events"`
	Error  []string `json:"error,omitempty"`
}

type event struct {
	Type, ID, Source, Subject string
	Time                      time.Time
	Data                      json.RawMessage
}

// Samples names the samples of the package under test.
func Samples(t testing.TB) []string {
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

// Content reads a sample.
func Content(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file) //nolint:gosec // a test's own file
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Golden fails the test when a sample gives anything but what is wanted, when
// an event is not what its type promises, or when an error is of no class.
func Golden(t *testing.T, file string, events []schemas.Event, err error) {
	t.Helper()
	got := golden{Events: []event{}}
	for _, e := range events {
		schemastest.Valid(t, e)
		got.Events = append(got.Events, event{e.Type, e.ID, e.Source, e.Subject, e.Time, e.Data})
	}
	if err != nil {
		got.Error = strings.Split(err.Error(), "\n")
		if !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("error %v does not wrap ErrInvalid", err)
		}
	}
	compare(t, strings.TrimSuffix(file, ".json")+".want.json", got)
}

func compare(t *testing.T, file string, got golden) {
	t.Helper()
	raw, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil { //nolint:gosec // sources are readable
			t.Fatal(err)
		}
	}
	var want, is any
	if err := json.Unmarshal(Content(t, file), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &is); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Error(diff)
	}
}
