package suite

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"firebreak/services/playbook"
	"firebreak/services/playbook/near"
)

// Ending is how the name of a test file ends: what stands before it is the
// name of the playbook's file without its ending.
const Ending = ".test.yaml"

// Test is the text of a test file.
type Test struct {
	Name string // as its playbook's, such as a path
	Data []byte
}

// Pair is a playbook with the tests beside it.
type Pair struct {
	Source playbook.Source
	Test   *Test // nil: there is none
}

// IsTest says whether a file's name is that of a test file.
func IsTest(name string) bool {
	base := path.Base(name)
	return strings.HasSuffix(base, Ending) || strings.HasSuffix(base, ".test.yml")
}

// stem is what a playbook and its tests have in common.
func stem(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, path.Ext(name)), ".test")
}

// Pairs puts each test to the playbook beside it. A test without one is an error.
func Pairs(sources []playbook.Source, tests []Test) ([]Pair, []playbook.Finding) {
	byStem := map[string]int{}
	var pairs []Pair
	var names []string
	for _, s := range sources {
		byStem[stem(s.Name)] = len(pairs)
		names = append(names, s.Name)
		pairs = append(pairs, Pair{Source: s})
	}
	var findings []playbook.Finding
	for _, t := range tests {
		n, beside := byStem[stem(t.Name)]
		switch {
		case !beside:
			fix := "put it beside its playbook: NAME.yaml and NAME" + Ending
			if word := near.Nearest(stem(t.Name)+".yaml", names); word != "" {
				fix = "is it for " + word + "? Then name it " + stem(word) + Ending
			}
			findings = append(findings, finding(t.Name, 1, 1, playbook.SeverityError, "there is no playbook beside these tests", fix))
		case pairs[n].Test != nil:
			findings = append(findings, finding(t.Name, 1, 1, playbook.SeverityError, fmt.Sprintf("%s tests the same playbook", pairs[n].Test.Name), "keep one of them"))
		default:
			pairs[n].Test = &t
		}
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Source.Name, b.Source.Name) })
	return pairs, findings
}

func finding(file string, line, column int, severity, message, fix string) playbook.Finding {
	return playbook.Finding{File: file, Line: line, Column: column, Severity: severity, Message: message, Fix: fix}
}
