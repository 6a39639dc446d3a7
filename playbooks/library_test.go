package playbooks_test

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"firebreak/playbooks"
	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"

	"github.com/google/go-cmp/cmp"
)

const (
	// fewest is how many playbooks the library holds at least.
	fewest = 40
	// longest is how many characters a summary has at most: it is one line of
	// `playbook list` and of a message at night.
	longest = 160

	schemaLine = "# yaml-language-server: $schema=../../schemas/playbook.schema.json\n"
)

var arenas = []string{"registry", "runtime", "host", "cluster"}

// load gives the library as a deployment loads it, and wants lint to be silent.
func load(t *testing.T, mode string) *playbook.Set {
	t.Helper()
	sources, err := playbook.FromFS(playbooks.FS, mode)
	if err != nil {
		t.Fatal(err)
	}
	set, findings := playbook.Load(sources, action.Specs())
	for _, f := range findings {
		t.Error(f)
	}
	if set == nil {
		t.Fatal("the library does not load")
	}
	return set
}

func TestLibraryIsLarge(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for _, p := range load(t, "").Playbooks {
		got[p.Arena]++
	}
	total := 0
	for _, n := range got {
		total += n
	}
	if total < fewest {
		t.Errorf("%d playbooks (%v), want at least %d", total, got, fewest)
	}
}

func TestLibraryIsCapped(t *testing.T) {
	t.Parallel()
	own := map[string]string{}
	for _, p := range load(t, "").Playbooks {
		own[p.Name] = p.Guard.Mode
	}
	got := map[string]string{}
	for _, p := range load(t, playbook.ModeEnforce).Playbooks {
		got[p.Name] = p.Guard.Mode
	}
	if diff := cmp.Diff(own, got); diff != "" {
		t.Errorf("with library: enforce (-as written +got):\n%s", diff)
	}
	for _, p := range load(t, playbook.ModeObserve).Playbooks {
		if p.Guard.Mode != playbook.ModeObserve {
			t.Errorf("%s: mode %s with library: observe", p.Name, p.Guard.Mode)
		}
	}
}

func TestLibraryMetadata(t *testing.T) {
	t.Parallel()
	set := load(t, "")
	for _, p := range set.Playbooks {
		folder, file := path.Split(p.File)
		if want := p.Name + ".yaml"; file != want {
			t.Errorf("%s: the file is to be called %s", p.File, want)
		}
		if folder != p.Arena+"/" || !slices.Contains(arenas, p.Arena) {
			t.Errorf("%s: lies in %s, and its arena is %s", p.Name, folder, p.Arena)
		}
		if !strings.HasPrefix(string(set.Sources[p.File]), schemaLine) {
			t.Errorf("%s: does not begin with the line for editors, %s", p.File, schemaLine)
		}
		if n := len([]rune(p.Summary)); n > longest || n < 30 {
			t.Errorf("%s: the summary has %d characters, want 30 to %d", p.Name, n, longest)
		}
		if strings.HasSuffix(p.Summary, ".") || strings.Contains(p.Summary, ". ") {
			t.Errorf("%s: the summary is one sentence without a full stop: %q", p.Name, p.Summary)
		}
		if !strings.Contains(p.Summary, "people") {
			t.Errorf("%s: the summary does not name what is left to people: %q", p.Name, p.Summary)
		}
		if len(p.Attack) == 0 {
			t.Errorf("%s: names no technique of ATT&CK", p.Name)
		}
	}
}

func TestLibraryGuards(t *testing.T) {
	t.Parallel()
	for _, p := range load(t, "").Playbooks {
		if !p.Match.Grouped() || p.Once == 0 {
			t.Errorf("%s: without match.by and once each event would open an incident", p.Name)
		}
		if p.Guard.Limit == nil {
			t.Errorf("%s: has no guard.limit, and nothing but the deployment's own budget bounds it", p.Name)
		}
		does := doing(p.Steps)
		if len(does) == 0 || does[len(does)-1] != "notify.log" {
			t.Errorf("%s: does not end by telling people: %v", p.Name, does)
		}
		pauses := slices.Contains(does, "container.pause")
		if pauses && !slices.Contains(does, "evidence.capture") {
			t.Errorf("%s: pauses and keeps no evidence", p.Name)
		}
		if pauses && p.Guard.Mode == playbook.ModeEnforce && !slices.Contains([]string{"high", "critical"}, p.Severity) {
			t.Errorf("%s: pauses for a matter of severity %s", p.Name, p.Severity)
		}
		for _, s := range p.Steps {
			if s.Do == "container.pause" && (s.For == 0 || s.OnExpire == "") {
				t.Errorf("%s: step %s does not say for how long, and what then", p.Name, s.ID)
			}
		}
	}
}

func doing(steps []schemas.Step) []string {
	var out []string
	for _, s := range steps {
		if s.Do != "" {
			out = append(out, s.Do)
		}
		out = append(out, doing(s.Parallel)...)
	}
	return out
}

func TestLibraryUsesEveryOperator(t *testing.T) {
	t.Parallel()
	var used []string
	note := func(m playbook.Match) {
		used = append(used, string(m.Op))
		if m.Until >= 0 {
			used = append(used, "until")
		}
	}
	for _, p := range load(t, "").Playbooks {
		if p.Match.Op != playbook.OpAny || len(p.Match.Of) > 1 {
			note(p.Match)
		}
		for _, s := range p.Signals {
			if s.Match != nil {
				note(*s.Match)
			}
		}
	}
	slices.Sort(used)
	want := []string{"absent", "all", "any", "baseline", "count", "distinct", "sequence", "until"}
	if diff := cmp.Diff(want, slices.Compact(used)); diff != "" {
		t.Errorf("operators (-want +got):\n%s", diff)
	}
}

// TestLibraryTests runs the tests beside the playbooks as `playbook test` does,
// and wants of each playbook one that fires and says what is done, and one that
// stays silent.
func TestLibraryTests(t *testing.T) {
	t.Parallel()
	bench := &suite.Bench{
		Specs: action.Specs(), Formats: format.Names(),
		Decode: format.ForTests(testfile.Start()), Runner: trial.New(action.Specs()),
	}
	for _, pair := range pairs(t) {
		t.Run(strings.TrimSuffix(pair.Source.Name, ".yaml"), func(t *testing.T) {
			t.Parallel()
			unit := bench.Load(pair)
			for _, f := range append(unit.Broken, unit.Findings...) {
				t.Error(f) // that no test fires or none is silent is one of them
			}
			if unit.Tests == nil {
				t.Fatal("there are no tests that could be run")
			}
			if !slices.ContainsFunc(unit.Tests.Cases, says) {
				t.Error("no test says which steps run or what comes of them")
			}
			for _, r := range bench.Run(unit, nil) {
				for _, f := range r.Failures {
					t.Errorf("%s:%d: %s: %s: want %s, got %s\n%s", r.File, f.Line, r.Name, f.Message, f.Want, f.Got, strings.Join(f.Why, "\n"))
				}
			}
		})
	}
}

// says tells whether a test wants more than that there is an incident.
func says(c testfile.Case) bool {
	return slices.ContainsFunc(c.Expect.Incidents, func(i testfile.Incident) bool { return len(i.Steps) > 0 || i.Outcome != "" })
}

func pairs(t *testing.T) []suite.Pair {
	t.Helper()
	sources, err := playbook.FromFS(playbooks.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(playbooks.FS, "*/*"+suite.Ending)
	if err != nil {
		t.Fatal(err)
	}
	var tests []suite.Test
	for _, name := range names {
		data, err := fs.ReadFile(playbooks.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, suite.Test{Name: name, Data: data})
	}
	out, findings := suite.Pairs(sources, tests)
	for _, f := range findings {
		t.Error(f)
	}
	return out
}
