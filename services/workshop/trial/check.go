package trial

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/near"
	"firebreak/services/workshop/testfile"
)

// Check compares what a test file speaks of with the playbook that it tests.
func (r *Runner) Check(p *playbook.Playbook, f *testfile.File) []playbook.Finding {
	c := check{runner: r, playbook: p, file: f.Name, names: map[string]string{}}
	c.collect(p.Steps)
	for _, test := range f.Cases {
		for _, m := range test.Mocks {
			c.step(testfile.Name{Text: m.Step, Place: m.At})
			c.answers(m)
		}
		for _, i := range test.Expect.Incidents {
			for _, s := range i.Steps {
				c.step(s.Name)
			}
			for _, n := range i.Not {
				c.step(n)
			}
		}
		c.events(test)
	}
	return c.findings
}

type check struct {
	runner   *Runner
	playbook *playbook.Playbook
	file     string
	names    map[string]string // of steps, by id and by action: the action
	findings []playbook.Finding
}

func (c *check) collect(steps []schemas.Step) {
	for _, s := range steps {
		if s.Do != "" {
			c.names[s.ID], c.names[s.Do] = s.Do, s.Do
		}
		c.collect(s.Parallel)
		c.collect(s.OnFailure)
	}
}

func (c *check) add(at document.Place, severity, message, fix string) {
	c.findings = append(c.findings, playbook.Finding{
		File: c.file, Line: max(at.Line, 1), Column: max(at.Column, 1), Severity: severity, Message: message, Fix: fix,
	})
}

func (c *check) step(n testfile.Name) {
	if _, known := c.names[n.Text]; known || n.Text == "" {
		return
	}
	var all []string
	for name := range c.names {
		all = append(all, name)
	}
	slices.Sort(all)
	fix := "it has " + strings.Join(all, ", ")
	if word := near.Nearest(n.Text, all); word != "" {
		fix = "did you mean " + word + "?"
	}
	c.add(n.Place, playbook.SeverityError, fmt.Sprintf("the playbook %s has no step %q", c.playbook.Name, n.Text), fix)
}

// answers refuses a verdict on what nobody verifies: no place would give it.
func (c *check) answers(m testfile.Mock) {
	spec, known := c.runner.specs[c.names[m.Step]]
	if !known || spec.Verify != "" {
		return
	}
	for _, a := range m.Answers {
		switch a.State {
		case "enforced", "partial", "ineffective", "unverified":
			c.add(m.At, playbook.SeverityError, fmt.Sprintf("%s has nothing to verify, so it is never %s", spec.Name, a.State), "it ends in applied, failed, refused or gone")
		}
	}
}

// events warns of those that the playbook does not wait for, and of a test in
// which nothing can happen. An entry that makes several events, such as a raw
// one, need not mean all of them.
func (c *check) events(test testfile.Case) {
	waits := types(c.playbook)
	var short []string
	for _, t := range waits {
		short = append(short, schemas.ShortType(t))
	}
	fix := "it waits for " + strings.Join(short, ", ")
	meant := map[document.Place]bool{}
	for _, e := range test.Events {
		if slices.Contains(waits, e.Type) || e.Arena() == "system" {
			meant[e.At] = true
		}
	}
	for _, e := range test.Events {
		if !meant[e.At] {
			meant[e.At] = true // said once
			c.add(e.At, playbook.SeverityWarning, fmt.Sprintf("the playbook does not wait for %s", e.ShortType()), fix)
		}
	}
	if len(test.Events) == 0 && len(test.Expect.Incidents) == 0 {
		c.add(test.At, playbook.SeverityWarning, "a test without events cannot fail", fix)
	}
}
