package playbook_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

const guideFile = "../../docs/playbooks.md"

var fence = regexp.MustCompile("(?ms)^```([a-z]+)(?: ([a-z0-9._]+))?\n(.*?)^```$")

// example is a piece of code of the guide.
type example struct{ language, about, text string }

func guide(t *testing.T) (whole string, examples []example) {
	t.Helper()
	text, err := os.ReadFile(guideFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		examples = append(examples, example{m[1], m[2], m[3]})
	}
	return string(text), examples
}

// TestGuide holds the author's guide to what it says.
func TestGuide(t *testing.T) {
	t.Parallel()
	_, examples := guide(t)
	count := map[string]int{}
	used := map[playbook.Op]bool{}
	for _, e := range examples {
		count[e.language]++
		switch {
		case e.language == "yaml" && e.about == "":
			for _, op := range guidePlaybook(t, e.text) {
				used[op] = true
			}
		case e.language == "cel":
			guideConditions(t, e)
		}
	}
	if count["yaml"] < 10 || count["cel"] < 5 {
		t.Errorf("found %v examples: the guide is not read as it is written", count)
	}
	for _, op := range []playbook.Op{playbook.OpAny, playbook.OpAll, playbook.OpSequence, playbook.OpCount, playbook.OpDistinct, playbook.OpAbsent, playbook.OpBaseline} {
		if !used[op] {
			t.Errorf("the guide has no example of %s", op)
		}
	}
}

// guidePlaybook wants a playbook without any finding, in its canonical form;
// it gives the operators that it uses.
func guidePlaybook(t *testing.T, text string) []playbook.Op {
	t.Helper()
	set, findings := playbook.Load([]playbook.Source{{Name: guideFile, Data: []byte(text)}}, action.Specs())
	for _, f := range findings {
		t.Errorf("%v\n%s", f, text)
	}
	if formatted, _ := playbook.Format([]byte(text)); string(formatted) != text {
		t.Errorf("this is not the canonical form, which is\n%s", formatted)
	}
	if set == nil {
		return nil
	}
	var ops []playbook.Op
	p := set.Playbooks[0]
	if len(p.Signals) > 1 || p.Match.Op != playbook.OpAny {
		ops = append(ops, p.Match.Op)
	}
	for _, s := range p.Signals {
		if s.Match != nil {
			ops = append(ops, s.Match.Op)
		}
	}
	return ops
}

// guideConditions wants conditions without any warning.
func guideConditions(t *testing.T, e example) {
	t.Helper()
	about := schemas.ProcessStarted
	if e.about != "" {
		full, known := schemas.FullType(e.about)
		if !known {
			t.Fatalf("the guide has conditions on %q, which is no type", e.about)
		}
		about = full
	}
	for condition := range strings.Lines(e.text) {
		p, err := expr.Condition(strings.TrimSpace(condition), about)
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		for _, w := range p.Warnings() {
			t.Errorf("%s: %s", condition, w.Message)
		}
	}
}

// TestGuideTests runs the tests of the guide on its playbooks.
func TestGuideTests(t *testing.T) {
	t.Parallel()
	_, examples := guide(t)
	bench := &suite.Bench{
		Specs: action.Specs(), Formats: format.Names(),
		Decode: format.ForTests(testfile.Start()), Runner: trial.New(action.Specs()),
	}
	name := regexp.MustCompile(`(?m)^playbook: ([a-z0-9-]+)$`)
	ran := 0
	for _, e := range examples {
		if e.language != "yaml" || e.about != "tests" {
			continue
		}
		of := name.FindStringSubmatch(e.text)[1]
		for _, p := range examples {
			if p.language != "yaml" || p.about != "" || !strings.Contains(p.text, "name: "+of) {
				continue
			}
			u := bench.Load(suite.Pair{
				Source: playbook.Source{Name: of + ".yaml", Data: []byte(p.text)},
				Test:   &suite.Test{Name: of + suite.Ending, Data: []byte(e.text)},
			})
			for _, f := range append(u.Broken, u.Findings...) {
				t.Errorf("%s: %v", of, f)
			}
			for _, r := range bench.Run(u, nil) {
				ran++
				for _, f := range r.Failures {
					t.Errorf("%s: %v", of, f)
				}
			}
		}
	}
	if ran < 4 {
		t.Errorf("%d tests of the guide ran, want 4", ran)
	}
}

// TestEverySentenceIsTested: the rules of the guide are numbered, and each
// number begins the name of a test somewhere.
func TestEverySentenceIsTested(t *testing.T) {
	t.Parallel()
	text, _ := guide(t)
	rules := regexp.MustCompile(`(?m)^- \[(S[0-9]+)\] `).FindAllStringSubmatch(text, -1)
	if len(rules) < 30 {
		t.Fatalf("%d rules are numbered: the guide is not read as it is written", len(rules))
	}
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r[1]] {
			t.Errorf("two rules have the number %s", r[1])
		}
		seen[r[1]] = true
	}
	tested := testedSentences(t)
	for number := range seen {
		if !tested[number] {
			t.Errorf("no test covers the rule %s of the guide: name one \"%s …\"", number, number)
		}
	}
	for number := range tested {
		if !seen[number] {
			t.Errorf("a test covers the rule %s, which the guide does not have", number)
		}
	}
}

// testedSentences finds the numbers that begin the names of tests: "S12 …", or
// several of them: "S12 S13 …", or TestS12….
func testedSentences(t *testing.T) map[string]bool {
	t.Helper()
	named := regexp.MustCompile("(?m)(?:[\"`]|^func Test)((?:S[0-9]+[ :,A-Z]+)+)")
	number := regexp.MustCompile(`S[0-9]+`)
	tested := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "guide_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range named.FindAllStringSubmatch(string(source), -1) {
			for _, n := range number.FindAllString(m[1], -1) {
				tested[n] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tested
}
