package main

import (
	"fmt"
	"time"

	"github.com/fatih/color"

	"firebreak/services/playbook"
	"firebreak/services/workshop/trial"
)

// testReport prints what became of tests, and sums it up.
type testReport struct {
	sh    *shell
	began time.Time
	sum   testSummary
}

// testSummary is the last line of --json.
type testSummary struct {
	Playbooks int     `json:"playbooks"`
	Tests     int     `json:"tests"`
	Passed    int     `json:"passed"`
	Failed    int     `json:"failed"`
	Errors    int     `json:"errors"` // files that could not be read or do not fit together
	Warnings  int     `json:"warnings"`
	Seconds   float64 `json:"seconds"`
}

// testView is one test of --json.
type testView struct {
	Playbook  string           `json:"playbook"`
	Test      string           `json:"test"`
	File      string           `json:"file"`
	Line      int              `json:"line"`
	Passed    bool             `json:"passed"`
	Failures  []trial.Failure  `json:"failures,omitempty"`
	Incidents []trial.Happened `json:"incidents"`
}

func (r *testReport) orphans(findings []playbook.Finding) error { return r.findings(findings) }

func (r *testReport) findings(findings []playbook.Finding) error {
	for _, f := range findings {
		if f.Severity == playbook.SeverityError {
			r.sum.Errors++
		} else {
			r.sum.Warnings++
		}
		if r.sh.json {
			if err := r.sh.line(f); err != nil {
				return err
			}
			continue
		}
		r.sh.say("  %s", visible(f.String()))
	}
	return nil
}

// unit prints a playbook with its tests.
func (r *testReport) unit(o outcome) error {
	failed := 0
	for _, t := range o.results {
		if !t.Passed() {
			failed++
		}
	}
	r.sum.Playbooks++
	r.sum.Tests += len(o.results)
	r.sum.Failed += failed
	r.sum.Passed += len(o.results) - failed
	findings := o.unit.Findings
	for _, f := range o.unit.Broken {
		if f.Severity == playbook.SeverityError { // its warnings are for lint
			findings = append(findings, f)
		}
	}
	if !r.sh.json {
		r.title(o, failed)
	}
	if err := r.findings(findings); err != nil {
		return err
	}
	for _, t := range o.results {
		if err := r.result(t); err != nil {
			return err
		}
	}
	return nil
}

func (r *testReport) title(o outcome, failed int) {
	name := o.unit.File
	if o.unit.Playbook != nil {
		name = o.unit.Playbook.Name
	}
	switch tests := len(o.results); {
	case o.unit.Failed():
		r.sh.say("%s %s  cannot be tested", color.RedString("✗"), visible(name))
	case failed > 0:
		r.sh.say("%s %s  %d of %s failed", color.RedString("✗"), visible(name), failed, count(tests, "test"))
	case tests == 0:
		r.sh.say("%s %s  no test", color.YellowString("–"), visible(name))
	default:
		r.sh.say("%s %s  %s", color.GreenString("✓"), visible(name), count(tests, "test"))
	}
}

func (r *testReport) result(t trial.Result) error {
	if r.sh.json {
		incidents := t.Happened
		if incidents == nil {
			incidents = []trial.Happened{}
		}
		return r.sh.line(testView{t.Playbook, t.Name, t.File, t.Line, t.Passed(), t.Failures, incidents})
	}
	if t.Passed() {
		return nil
	}
	r.sh.say("  %s %s", color.RedString("✗"), visible(t.Name))
	for _, f := range t.Failures {
		r.sh.say("    %s:%d:%d: %s", visible(t.File), f.Line, f.Column, visible(f.Message))
		if f.Want != "" || f.Got != "" {
			r.sh.say("      expected  %s", color.GreenString(visible(f.Want)))
			r.sh.say("      got       %s", color.RedString(visible(f.Got)))
		}
		for _, why := range f.Why {
			r.sh.say("        %s", visible(why))
		}
	}
	return nil
}

// end sums up, and says whether anything was wrong.
func (r *testReport) end() error {
	r.sum.Seconds = time.Since(r.began).Seconds()
	if r.sh.json {
		if err := r.sh.line(r.sum); err != nil {
			return err
		}
	} else {
		s := r.sum
		text := fmt.Sprintf("%s, %s: %d passed, %d failed", count(s.Playbooks, "playbook"), count(s.Tests, "test"), s.Passed, s.Failed)
		if s.Errors > 0 {
			text += ", " + count(s.Errors, "error")
		}
		if s.Warnings > 0 {
			text += ", " + count(s.Warnings, "warning")
		}
		r.sh.say("%s (%.2f s)", text, s.Seconds)
	}
	if r.sum.Failed > 0 || r.sum.Errors > 0 {
		return errFound
	}
	return nil
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
