package playbooks_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/coverage"

	"github.com/google/go-cmp/cmp"
)

//go:generate env UPDATE=1 go test -count=1 -run ^TestReference$ .

const intro = `# The built-in library

Generated from the files of ` + "`playbooks/`" + ` (` + "`make generate`" + `); do not edit.

These playbooks are in the binary: %d of them, for what happens in a registry
(%d), in containers (%d), on hosts (%d) and in the cluster (%d). The setting
` + "`library`" + ` says what they may do: with ` + "`observe`" + `, the default, each records what it
would do; with ` + "`enforce`" + ` each acts in the mode that stands here; with ` + "`false`" + ` none
is loaded. A playbook fires only where something tells of the events that it
waits for.

A summary says what has happened and what is left to people. Each playbook has
tests beside it: ` + "`firebreak playbook test --library`" + ` runs them. The actions:
[actions.md](actions.md). To write your own: [playbooks.md](playbooks.md).
`

// TestReference fails when docs/library.md is not what the playbooks say. With
// UPDATE=1 it is written anew.
func TestReference(t *testing.T) {
	t.Parallel()
	const file = "../docs/library.md"
	want := reference(t)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go generate ./playbooks", err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("%s is not what the playbooks say; run go generate ./playbooks (-have +want):\n%s", file, diff)
	}
}

func reference(t *testing.T) []byte {
	t.Helper()
	all := load(t, "").Playbooks
	by := map[string][]*playbook.Playbook{}
	for _, p := range all {
		by[p.Arena] = append(by[p.Arena], p)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, intro, len(all), len(by["registry"]), len(by["runtime"]), len(by["host"]), len(by["cluster"]))
	techniques := coverage.Of(all)
	for _, arena := range arenas {
		fmt.Fprintf(&out, "\n## %s\n\n", title(arena))
		out.WriteString("| playbook | severity | mode | what has happened | does | ATT&CK | threat matrix |\n|---|---|---|---|---|---|---|\n")
		books := by[arena]
		slices.SortFunc(books, func(a, b *playbook.Playbook) int { return strings.Compare(a.Name, b.Name) })
		for _, p := range books {
			fmt.Fprintf(&out, "| [%s](../playbooks/%s) | %s | %s | %s | %s | %s | %s |\n",
				p.Name, p.File, p.Severity, p.Guard.Mode, cell(p.Summary), acts(p.Steps), named(p.Attack, techniques), strings.Join(p.Matrix, "<br>"))
		}
	}
	matrix(&out, techniques)
	return out.Bytes()
}

// matrix shows the coverage as `playbook list --attack` does: first how much of
// each tactic, then by which playbooks.
func matrix(out *bytes.Buffer, techniques []coverage.Technique) {
	tactics := coverage.ByTactic(techniques)
	out.WriteString("\n## Coverage of ATT&CK\n\n" +
		"The techniques of MITRE ATT&CK 19 for containers, and those for Linux that the events\n" +
		"of a container platform can show, each under the first of its tactics: ■ a playbook\n" +
		"names it, ▪ playbooks name sub-techniques of it alone, □ none does.\n" +
		"`firebreak playbook list --attack` prints the same for the playbooks that you load.\n\n")
	covered := 0
	out.WriteString("| tactic | | answered to |\n|---|---|---|\n")
	for _, tactic := range tactics {
		var marks strings.Builder
		for _, one := range tactic.Techniques {
			marks.WriteString(mark(one))
		}
		covered += tactic.Covered()
		fmt.Fprintf(out, "| %s | %s | %d of %d |\n", title(tactic.Name), marks.String(), tactic.Covered(), len(tactic.Techniques))
	}
	fmt.Fprintf(out, "| **all** | | %d of %d |\n", covered, len(techniques))
	for _, tactic := range tactics {
		fmt.Fprintf(out, "\n### %s\n\n| | technique | playbooks |\n|---|---|---|\n", title(tactic.Name))
		for _, one := range tactic.Techniques {
			books := strings.Join(one.Playbooks, ", ")
			switch {
			case one.Gap():
				books = "none"
			case books == "":
				books = "in part: " + strings.Join(one.Below, ", ")
			}
			fmt.Fprintf(out, "| %s | %s %s | %s |\n", mark(one), one.ID, cell(one.Name), books)
		}
	}
}

func mark(one coverage.Technique) string {
	switch {
	case one.Gap():
		return "□"
	case len(one.Playbooks) == 0:
		return "▪"
	}
	return "■"
}

// acts says what the steps do, in their order, each action once.
func acts(steps []schemas.Step) string {
	var out []string
	for _, do := range doing(steps) {
		if !slices.Contains(out, do) {
			out = append(out, do)
		}
	}
	return strings.Join(out, "<br>")
}

// named gives the techniques with their names.
func named(ids []string, known []coverage.Technique) string {
	var out []string
	for _, id := range ids {
		at := slices.IndexFunc(known, func(k coverage.Technique) bool { return k.ID == id })
		if at < 0 {
			out = append(out, id)
			continue
		}
		out = append(out, id+" "+cell(known[at].Name))
	}
	return strings.Join(out, "<br>")
}

// cell is a text that may stand in a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func title(name string) string {
	name = strings.ReplaceAll(name, "-", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}
