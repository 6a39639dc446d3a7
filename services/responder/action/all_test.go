package action

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"firebreak/schemas"
	"firebreak/services/responder"
)

func TestEveryFolderIsListed(t *testing.T) {
	dirs, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var folders, list []string
	for _, d := range dirs {
		if sources, err := filepath.Glob(filepath.Join(d.Name(), "*.go")); err != nil {
			t.Fatal(err)
		} else if d.IsDir() && len(sources) > 0 {
			folders = append(folders, d.Name())
		}
	}
	for _, e := range listed() {
		list = append(list, e.folder)
	}
	slices.Sort(list)
	if diff := cmp.Diff(folders, slices.Compact(list)); diff != "" {
		t.Errorf("folders and the list in all.go differ (-folders +list):\n%s", diff)
	}
}

func TestSpecs(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Specs() {
		if seen[s.Name] || strings.Count(s.Name, ".") != 1 {
			t.Errorf("name %q: want <family>.<verb>, once", s.Name)
		}
		seen[s.Name] = true
		if !slices.Contains([]string{"node", schemas.PlaceCore}, s.Place) {
			t.Errorf("%s: place %q", s.Name, s.Place)
		}
		if !slices.Contains([]string{"container", "pod", "incident"}, s.TargetKind) {
			t.Errorf("%s: target kind %q", s.Name, s.TargetKind)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.Params))
		if err != nil {
			t.Errorf("%s: parameters: %v", s.Name, err)
			continue
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(s.Name, doc); err != nil {
			t.Errorf("%s: parameters: %v", s.Name, err)
		} else if _, err := c.Compile(s.Name); err != nil {
			t.Errorf("%s: parameters: %v", s.Name, err)
		}
	}
}

func TestActionsArePlacedWhereTheirSpecSays(t *testing.T) {
	got, err := All(schemas.PlaceCore, Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Spec().Name != "notify.log" {
		t.Errorf("at the core: %v", got)
	}
}

// TestReference fails when docs/actions.md is not what the Specs say. With
// UPDATE=1 it is written anew.
func TestReference(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "actions.md")
	want := responder.Reference(Specs())
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run UPDATE=1 go test ./services/responder/action -run TestReference", err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("%s is not what the Specs say; run UPDATE=1 go test ./services/responder/action -run TestReference (-have +want):\n%s", file, diff)
	}
}
