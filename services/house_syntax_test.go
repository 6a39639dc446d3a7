package services_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pureTrees are the packages whose answers follow from their input alone.
var pureTrees = []string{
	"services/playbook/...",
	"services/correlator/engine/...",
	"services/incident/...",
	"services/conductor/decide/...",
	"services/collector/**/decode",
	"services/workshop/compare/...",
	"services/workshop/coverage/...",
	"services/workshop/explain/...",
	"services/workshop/format/...",
	"services/workshop/fromincident/...",
	"services/workshop/scaffold/...",
	"services/workshop/suite/...",
	"services/workshop/testfile/...",
	"services/workshop/trial/...",
	"schemas/intake/...",
}

func pureTree(file string) (string, bool) {
	dir := path.Dir(file)
	for _, p := range pureTrees {
		if before, name, deep := strings.Cut(p, "/**/"); deep {
			if strings.HasPrefix(dir, before+"/") && path.Base(dir) == name {
				return p, true
			}
		} else if matches(p, dir) {
			return p, true
		}
	}
	return "", false
}

// Imports that reach the world, with those below them that do not.
var (
	impureImports = []string{"os/...", "net/...", "syscall/...", "io/ioutil", "math/rand/...", "crypto/rand", "golang.org/x/sys/...", "unsafe", "C"}
	pureImports   = []string{"net/netip", "net/url", "net/mail"}
)

// impureNames are what a pure package must not take from a package it may import.
var impureNames = map[string][]string{
	"time":    {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep", "Local", "LoadLocation"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "AfterFunc"},
}

func impure(f *ast.File) []string {
	var found []string
	names := map[string]string{} // local name → import path
	for _, i := range f.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			found = append(found, "imports "+i.Path.Value)
			continue
		}
		if anyMatches(impureImports, imported) && !slices.Contains(pureImports, imported) {
			found = append(found, "imports "+imported)
		}
		if impureNames[imported] == nil {
			continue
		}
		local := path.Base(imported)
		if i.Name != nil {
			local = i.Name.Name
		}
		if local == "." {
			found = append(found, "dot-imports "+imported)
		}
		names[local] = imported
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, "starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(impureNames[names[x.Name]], n.Sel.Name) {
				found = append(found, "uses "+names[x.Name]+"."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func inits(f *ast.File) []string {
	var found []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			found = append(found, "has an init function")
		}
	}
	return found
}

// unfinished marks what is not done; a word of its own, in capitals.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// putOff finds what is left for later: marks in comments, and tests that skip
// themselves where something real is missing.
func putOff(f *ast.File) []string {
	var found []string
	for _, group := range f.Comments {
		for _, c := range group.List {
			if mark := unfinished.FindString(c.Text); mark != "" {
				found = append(found, "a comment says "+mark)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
				found = append(found, "a test skips itself")
			}
		}
		return true
	})
	return found
}

func undocumented(files []*ast.File) string {
	name := files[0].Name.Name
	start := "Package " + name + " "
	if name == "main" {
		start = "Command "
	}
	for _, f := range files {
		if f.Doc != nil && strings.HasPrefix(f.Doc.Text(), start) {
			return ""
		}
	}
	return fmt.Sprintf("no file has a comment that begins %q", start)
}

func badName(file string) string {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if slices.Contains([]string{"pkg", "util", "utils", "common", "helpers", "misc"}, path.Base(dir)) {
			return "a folder is named by what it is for, not " + path.Base(dir)
		}
	}
	if slices.Contains([]string{"types.go", "util.go", "utils.go", "common.go", "helpers.go"}, path.Base(file)) {
		return "a file is named by what it holds, not " + path.Base(file)
	}
	return ""
}

// machinePath is a path below somebody's home, checkout or session. What comes
// before it must not be part of a longer path.
var machinePath = regexp.MustCompile(`(?:^|[\s"'` + "`" + `=:(\[,])((?:/home/[a-z]|/Users/[A-Za-z]|/root/(?:go|src)\b|/work/[a-z]|/workspaces?/[a-z]|/tmp/(?:bash_jobs|brief)|[A-Z]:\\Users\\)[A-Za-z0-9_./\\-]*)`)

func machinePaths(text []byte) []string {
	var found []string
	for _, m := range machinePath.FindAllSubmatch(text, -1) {
		found = append(found, string(m[1]))
	}
	return found
}

// unlisted finds folders of which the list imports nothing.
func unlisted(folders map[string]bool, list *ast.File) []string {
	var found []string
	for dir := range folders {
		if !slices.ContainsFunc(list.Imports, func(i *ast.ImportSpec) bool {
			p, err := strconv.Unquote(i.Path.Value)
			return err == nil && matches(dir+"/...", strings.TrimPrefix(p, module))
		}) {
			found = append(found, dir+" is not in the list")
		}
	}
	slices.Sort(found)
	return found
}

func parse(t *testing.T, text string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPurityCanFail(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"pure", "package x\nimport (\"time\"; \"net/netip\"; \"context\")\nfunc f(t time.Time, c context.Context) (time.Time, netip.Addr) { return t.Add(time.Hour), netip.Addr{} }", nil},
		{"a method that is named alike", "package x\ntype clock struct{}\nfunc (clock) Now() int { return 1 }\nfunc f(time clock) int { return time.Now() }", nil},
		{"the clock", "package x\nimport \"time\"\nvar t = time.Now()", []string{"uses time.Now"}},
		{"the clock under another name", "package x\nimport clock \"time\"\nvar t = clock.Since", []string{"uses time.Since"}},
		{"the clock by a dot", "package x\nimport . \"time\"\nvar t = Now()", []string{"dot-imports time"}},
		{"a timer", "package x\nimport \"time\"\nfunc f() { <-time.After(1); time.NewTimer(1); time.Sleep(1) }", []string{"uses time.After", "uses time.NewTimer", "uses time.Sleep"}},
		{"the host's time zone", "package x\nimport \"time\"\nvar l = time.Local", []string{"uses time.Local"}},
		{"a timer in a context", "package x\nimport \"context\"\nvar f = context.WithTimeout", []string{"uses context.WithTimeout"}},
		{"a goroutine", "package x\nfunc f() { go f() }", []string{"starts a goroutine"}},
		{"files", "package x\nimport _ \"os\"", []string{"imports os"}},
		{"programs", "package x\nimport _ \"os/exec\"", []string{"imports os/exec"}},
		{"the network", "package x\nimport (_ \"net\"; _ \"net/http\")", []string{"imports net", "imports net/http"}},
		{"chance", "package x\nimport (_ \"math/rand\"; _ \"math/rand/v2\"; _ \"crypto/rand\")", []string{"imports math/rand", "imports math/rand/v2", "imports crypto/rand"}},
		{"the kernel", "package x\nimport (_ \"syscall\"; _ \"golang.org/x/sys/unix\")", []string{"imports syscall", "imports golang.org/x/sys/unix"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, impure(parse(t, tt.text))); diff != "" {
				t.Error(diff)
			}
		})
	}
	for file, want := range map[string]bool{
		"services/playbook/load.go":                  true,
		"services/playbook/expr/eval.go":             true,
		"services/correlator/engine/engine.go":       true,
		"services/correlator/run.go":                 false,
		"services/incident/fold.go":                  true,
		"services/conductor/decide/guard.go":         true,
		"services/conductor/run.go":                  false,
		"services/collector/runtime/decode/event.go": true,
		"services/collector/runtime/exec/exec.go":    false,
		"services/playbooks/x.go":                    false,
		"services/workshop/trial/run.go":             true,
		"services/workshop/replay/files.go":          false,
	} {
		if _, got := pureTree(file); got != want {
			t.Errorf("pureTree(%s) = %t", file, got)
		}
	}
}

func TestOtherRulesCanFail(t *testing.T) {
	if got := inits(parse(t, "package x\nfunc init() {}")); len(got) != 1 {
		t.Errorf("init was not found: %v", got)
	}
	if got := inits(parse(t, "package x\ntype a struct{}\nfunc (a) init() {}")); len(got) != 0 {
		t.Errorf("a method named init was found: %v", got)
	}
	if got := putOff(parse(t, "package x\n// TO"+"DO: later\nfunc f(t *testing.T) { t.Skip(); t.Run(`a`, nil) }")); len(got) != 2 {
		t.Errorf("what is put off: %v", got)
	}
	for text, want := range map[string]bool{
		"// Package x holds.\npackage x":   true,
		"// package x\n\npackage x":        false,
		"package x":                        false,
		"// Package y holds.\npackage x":   false,
		"// Command x does.\npackage main": true,
		"// Package main.\npackage main":   false,
	} {
		if got := undocumented([]*ast.File{parse(t, text)}) == ""; got != want {
			t.Errorf("%q documented = %t", text, got)
		}
	}
	for file, want := range map[string]bool{
		"services/incident/fold.go": false, "services/util/x.go": true, "services/x/types.go": true, "pkg/x/y.go": true, "types.go": true,
	} {
		if got := badName(file) != ""; got != want {
			t.Errorf("badName(%s) = %t", file, got)
		}
	}
	list := parse(t, "package action\nimport (_ \"firebreak/services/responder/action/container\"; _ \"firebreak/services/responder/action/podium\")")
	folders := map[string]bool{"services/responder/action/container": true, "services/responder/action/pod": true}
	if diff := cmp.Diff([]string{"services/responder/action/pod is not in the list"}, unlisted(folders, list)); diff != "" {
		t.Error(diff)
	}
}

func TestMachinePathsCanFail(t *testing.T) {
	for text, want := range map[string]int{
		"see /ho" + "me/jane/src":                 1,
		`dir: "/Us` + `ers/Jane/src"`:             1,
		"cd /wo" + "rk/main && make":              1,
		"a=/ro" + "ot/go/bin:/wo" + "rk/shared":   2,
		"/tm" + "p/brief/x":                       1,
		`C:\Us` + `ers\jane`:                      1,
		"/root/.ssh/authorized_keys /home/*/.ssh": 0,
		"/var/lib/containerd/snapshots/1/work/x":  0,
		"/tmp/xmrig /dev/shm/x /etc/passwd":       0,
	} {
		if got := machinePaths([]byte(text)); len(got) != want {
			t.Errorf("%q: %v, want %d", text, got, want)
		}
	}
}
