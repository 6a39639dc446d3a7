// Package services_test holds the rules of the house over the whole tree: who
// may import whom, what is pure, and what no file may contain.
//
// Each rule is a function from source to findings, and is itself tested on
// source that breaks it: a rule that cannot fail guards nothing. Start with
// arrows in house_arrows_test.go.
package services_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

// root of the repository, seen from this folder.
const root = ".."

// source is one Go file of the module, by its path below the root.
type source struct {
	path string
	file *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// tree reads the module's files once.
var tree = sync.OnceValues(func() ([]source, error) {
	paths, err := files()
	if err != nil {
		return nil, err
	}
	var all []source
	set := token.NewFileSet()
	for _, p := range paths {
		if !strings.HasSuffix(p, ".go") {
			continue
		}
		f, err := parser.ParseFile(set, filepath.Join(root, p), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		all = append(all, source{path: p, file: f})
	}
	return all, nil
})

// files lists the repository's files: not git's, not what is built or written by a run.
func files() ([]string, error) {
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "data", "dist"}, rel) {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			all = append(all, filepath.ToSlash(rel))
		}
		return nil
	})
	return all, err
}

func sources(t *testing.T) []source {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file was found")
	}
	return all
}

func TestPurity(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		of, is := pureTree(s.path)
		if !is || s.test() {
			continue
		}
		seen[of] = true
		for _, finding := range impure(s.file) {
			t.Errorf("%s: %s: this package must give the same for the same log", s.path, finding)
		}
	}
	// A folder that was moved must not slip out of the rule.
	for _, of := range pureTrees {
		if !seen[of] {
			t.Errorf("no file was looked at for %s", of)
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, finding := range inits(s.file) {
			t.Errorf("%s: %s: use an explicit list", s.path, finding)
		}
	}
}

func TestNothingIsPutOff(t *testing.T) {
	for _, s := range sources(t) {
		for _, finding := range putOff(s.file) {
			t.Errorf("%s: %s", s.path, finding)
		}
	}
}

func TestPackageComments(t *testing.T) {
	packages := map[string][]*ast.File{}
	for _, s := range sources(t) {
		if !s.test() && !strings.Contains(s.path, "/testdata/") {
			dir := filepath.Dir(s.path)
			packages[dir] = append(packages[dir], s.file)
		}
	}
	for dir, of := range packages {
		if finding := undocumented(of); finding != "" {
			t.Errorf("%s: %s", dir, finding)
		}
	}
}

func TestNames(t *testing.T) {
	paths, err := files()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if finding := badName(p); finding != "" {
			t.Errorf("%s: %s", p, finding)
		}
	}
}

func TestNoFileNamesAMachine(t *testing.T) {
	paths, err := files()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range machinePaths(text) {
			t.Errorf("%s names %q", p, found)
		}
	}
}

// Every family of actions is in the list of all.go.
func TestEveryActionIsListed(t *testing.T) {
	const dir = "services/responder/action"
	folders := map[string]bool{}
	var list *ast.File
	for _, s := range sources(t) {
		if s.path == dir+"/all.go" {
			list = s.file
		}
		below, is := strings.CutPrefix(s.path, dir+"/")
		if family, _, deep := strings.Cut(below, "/"); is && deep && !s.test() {
			folders[dir+"/"+family] = true
		}
	}
	if list == nil {
		t.Fatalf("%s/all.go is not there", dir)
	}
	if len(folders) == 0 {
		t.Fatalf("no folder of actions below %s", dir)
	}
	for _, finding := range unlisted(folders, list) {
		t.Error(finding)
	}
}

func TestLibraryIsValid(t *testing.T) {
	paths, err := files()
	if err != nil {
		t.Fatal(err)
	}
	var library []playbook.Source
	for _, p := range paths {
		if !strings.HasPrefix(p, "playbooks/") || !strings.HasSuffix(p, ".yaml") || strings.HasSuffix(p, ".test.yaml") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		library = append(library, playbook.Source{Name: p, Data: data})
	}
	if len(library) == 0 {
		t.Fatal("no playbook was found")
	}
	specs := action.Specs()
	for _, finding := range findings(library, specs) {
		t.Error(finding)
	}
	bad := playbook.Source{Name: "playbooks/runtime/bad.yaml", Data: []byte("apiVersion: firebreak/v1\nkind: Playbook\nmetadata: {nam: x}\n")}
	if got := findings(append(slices.Clone(library), bad), specs); len(got) == 0 {
		t.Error("a bad playbook among them was not found")
	}
}

// findings are those of any severity: what we ship is an example to others.
func findings(library []playbook.Source, specs []schemas.Spec) []string {
	_, found := playbook.Load(library, specs)
	var all []string
	for _, f := range found {
		all = append(all, f.File+": "+f.Severity+": "+f.Message)
	}
	return all
}
