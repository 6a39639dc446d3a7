package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesAreUpToDate(t *testing.T) {
	t.Chdir("../..")
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	again, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Fatalf("a second run gives something else (-first +second):\n%s", diff)
	}
	paths, err := filepath.Glob(folder + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, path := range paths {
		if got[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range want {
		if diff := cmp.Diff(string(data), string(got[name])); diff != "" {
			t.Errorf("%s is not what the types say; run go run ./schemas/gen (-types +file):\n%s", name, diff)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is of no type any more; run go run ./schemas/gen", name)
	}
}

func TestEveryKindIsListed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../record.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Kind" {
			kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, kind)
		}
		return true
	})
	var got []string
	for _, k := range kinds {
		got = append(got, string(k.kind))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("kinds with a schema (-declared +listed):\n%s", diff)
	}
}

func TestRunWritesAndRemoves(t *testing.T) {
	root := t.TempDir()
	t.Chdir("../..")
	if err := os.CopyFS(filepath.Join(root, "schemas"), os.DirFS("schemas")); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(root, folder, "firebreak.gone.json")
	changed := filepath.Join(root, folder, "firebreak.runtime.process.started.json")
	for _, path := range []string{stale, changed} {
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Join(folder, filepath.Base(changed)))
	if err != nil {
		t.Fatal(err)
	}
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the file of a type that is gone is still there: %v", err)
	}
	if got, err := os.ReadFile(changed); err != nil || string(got) != string(want) {
		t.Errorf("%s is not as it was: %v", changed, err)
	}
	if err := run(filepath.Join(root, "nowhere")); err == nil {
		t.Error("a root that is not there gives no error")
	}
}
