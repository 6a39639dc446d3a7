// Command testreport reads the JSON of `go test -json` and prints what people
// and machines want of it: a line a package as it ends, the output of what
// failed, and as last line how many tests passed and failed.
//
// It is not a test runner: deploy/test.sh starts go test and pipes it here.
// Start with [report].
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	failed, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build's output
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// name of a test; the empty Test is the package itself.
type name struct{ pkg, test string }

type totals struct {
	passed, failed, skipped, packages int

	output map[name][]string // of what has not passed yet
	builds map[string][]string
	open   map[string]bool // packages that have not ended
	names  []string        // of what failed
	broken map[string]bool // packages with a failed test
}

// report says whether anything failed.
func report(in io.Reader, out io.Writer) (bool, error) {
	t := &totals{output: map[name][]string{}, builds: map[string][]string{}, open: map[string]bool{}, broken: map[string]bool{}}
	w := bufio.NewWriter(out)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.line(w, line)
			if err := w.Flush(); err != nil { // people watch it grow
				return true, err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return true, fmt.Errorf("read the output of go test: %w", err)
		}
	}
	t.end(w)
	return t.failed > 0 || t.packages == 0, w.Flush()
}

func (t *totals) line(w io.Writer, line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(w, line) // not a test's: go itself speaks
		return
	}
	key := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		t.builds[e.ImportPath] = append(t.builds[e.ImportPath], e.Output)
	case "start":
		t.open[e.Package] = true
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageEnds(w, e)
			return
		}
		t.testEnds(w, e, key)
	}
}

func (t *totals) testEnds(w io.Writer, e event, key name) {
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
	case "fail":
		t.failed++
		t.broken[e.Package] = true
		t.names = append(t.names, e.Package+" "+e.Test)
		t.print(w, key)
	}
	delete(t.output, key)
}

// packageEnds prints the package's own line. A package can fail without a test
// that does: its build, its TestMain, a panic, a timeout.
func (t *totals) packageEnds(w io.Writer, e event) {
	t.packages++
	delete(t.open, e.Package)
	switch e.Action {
	case "fail":
		if !t.broken[e.Package] {
			t.failed++
			t.names = append(t.names, e.Package)
		}
		for _, text := range t.builds[e.FailedBuild] {
			fmt.Fprint(w, text)
		}
		t.printPackage(w, e.Package)
		fmt.Fprintf(w, "FAIL  %-50s %7.1f s\n", e.Package, e.Elapsed)
	case "skip":
		fmt.Fprintf(w, "-     %-50s no tests\n", e.Package)
	default:
		fmt.Fprintf(w, "ok    %-50s %7.1f s\n", e.Package, e.Elapsed)
	}
	for key := range t.output {
		if key.pkg == e.Package {
			delete(t.output, key)
		}
	}
}

// printPackage shows the package's own output and that of tests which never ended.
func (t *totals) printPackage(w io.Writer, pkg string) {
	var keys []name
	for key := range t.output {
		if key.pkg == pkg {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b name) int { return strings.Compare(a.test, b.test) })
	for _, key := range keys {
		t.print(w, key)
	}
}

func (t *totals) print(w io.Writer, key name) {
	for _, text := range t.output[key] {
		fmt.Fprint(w, text)
	}
}

func (t *totals) end(w io.Writer) {
	var cut []string
	for pkg := range t.open {
		cut = append(cut, pkg)
	}
	slices.Sort(cut)
	for _, pkg := range cut {
		t.failed++
		t.names = append(t.names, pkg+" (did not end)")
		t.printPackage(w, pkg)
	}
	if t.packages == 0 && len(cut) == 0 {
		fmt.Fprintln(w, "no package was tested")
	}
	if len(t.names) > 0 {
		fmt.Fprintln(w, "\nfailed:")
		for _, n := range t.names {
			fmt.Fprintln(w, "  "+n)
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
}
