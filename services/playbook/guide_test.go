package playbook_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

var fence = regexp.MustCompile("(?ms)^```(yaml|cel)\n(.*?)^```$")

// TestGuide holds the author's guide to what it says.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/playbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		language, example := m[1], m[2]
		count[language]++
		if language == "yaml" {
			_, findings := playbook.Load([]playbook.Source{{Name: "docs/playbooks.md", Data: []byte(example)}}, specs)
			for _, f := range findings {
				t.Errorf("%v\n%s", f, example)
			}
			continue
		}
		for condition := range strings.Lines(example) {
			p, err := expr.Condition(strings.TrimSpace(condition), schemas.ProcessStarted)
			if err != nil {
				t.Errorf("%s: %v", condition, err)
				continue
			}
			for _, w := range p.Warnings() {
				t.Errorf("%s: %s", condition, w.Message)
			}
		}
	}
	if count["yaml"] < 2 || count["cel"] < 3 {
		t.Errorf("found %v examples: the guide is not read as it is written", count)
	}
}
