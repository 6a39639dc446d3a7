package trial

import (
	"fmt"
	"strings"
	"time"

	"firebreak/services/playbook/document"
	"firebreak/services/workshop/explain"
	"firebreak/services/workshop/testfile"
)

// judge compares what happened with what the case expects.
type judge struct {
	*world
	happened []Happened
	failures []Failure
}

func (j *judge) fail(at document.Place, f Failure) {
	f.Line, f.Column = max(at.Line, 1), max(at.Column, 1)
	j.failures = append(j.failures, f)
}

func (j *judge) judge() {
	for _, err := range j.faults {
		j.fail(j.test.At, Failure{Message: "the test could not be run to its end: " + err.Error()})
	}
	for _, reason := range j.refused {
		j.fail(j.test.At, Failure{Message: reason})
	}
	for _, f := range j.files {
		j.happened = append(j.happened, j.world.happened(f))
	}
	for _, want := range j.test.Expect.Incidents {
		if got := j.find(want); got != nil {
			got.taken = true
			j.incident(want, *got)
			continue
		}
		j.missing(want)
	}
	for _, got := range j.happened {
		if !got.taken {
			j.unexpected(got)
		}
	}
	j.unknowns()
	j.mocks()
}

// mocks wants each of them to have been asked: one of a step that does not run
// says what becomes of it, and the test would pass whatever that is.
func (j *judge) mocks() {
	for _, m := range j.test.Mocks {
		if !j.mocked[m.Step] {
			j.fail(m.At, Failure{Message: "the mock of " + m.Step + " is of no use", Want: "that " + m.Step + " is asked for something", Got: "it is not"})
		}
	}
}

// find gives the first incident that an expectation can mean.
func (j *judge) find(want testfile.Incident) *Happened {
	for n := range j.happened {
		got := &j.happened[n]
		if got.taken || want.By != nil && !sameGroup(*want.By, got.Group, got.key) {
			continue
		}
		if want.At != nil && got.At != explain.Short(*want.At) {
			continue
		}
		return got
	}
	return nil
}

func (j *judge) missing(want testfile.Incident) {
	f := Failure{Message: "no incident was opened" + aside(want), Want: "an incident" + aside(want), Got: "none", Why: j.whyNot()}
	if len(j.happened) > 0 {
		var got []string
		for _, h := range j.happened {
			got = append(got, h.title())
		}
		f.Got = strings.Join(got, "; ")
	}
	j.fail(want.Place, f)
}

func (j *judge) unexpected(got Happened) {
	want := "none"
	if n := len(j.test.Expect.Incidents); n > 0 {
		want = fmt.Sprintf("%d of others", n)
	}
	j.fail(j.test.Expect.At, Failure{
		Message: "an incident that is not expected", Want: want, Got: got.title() + ": " + steps(got.Steps), Why: j.why(got),
	})
}

// title names an incident for people.
func (h Happened) title() string {
	group := h.Group
	if group == "" {
		group = "(no group)"
	}
	return fmt.Sprintf("an incident of %s at %s", group, h.At)
}

func aside(want testfile.Incident) string {
	text := ""
	if want.By != nil {
		text += " of " + want.By.String()
	}
	if want.At != nil {
		text += " at " + explain.Short(*want.At)
	}
	return text
}

// offset is a time as tests write it.
func offset(t time.Time) string { return explain.Short(t.Sub(testfile.Start())) }

// incident compares one incident with its expectation.
func (j *judge) incident(want testfile.Incident, got Happened) {
	if want.Severity != "" && want.Severity != got.Severity {
		j.fail(want.Place, Failure{Message: got.title() + ": another severity", Want: want.Severity, Got: got.Severity})
	}
	if want.Recurred != nil && *want.Recurred != got.Recurred {
		j.fail(want.Place, Failure{
			Message: got.title() + ": it recurred more or less often",
			Want:    fmt.Sprint(*want.Recurred), Got: fmt.Sprint(got.Recurred), Why: j.why(got),
		})
	}
	if want.Outcome != "" && want.Outcome != got.Outcome {
		j.fail(want.Place, Failure{Message: got.title() + ": another outcome", Want: want.Outcome, Got: got.Outcome, Why: reasons(got.Steps)})
	}
	if want.Steps != nil {
		j.path(want, got)
	}
	for _, n := range want.Not {
		for _, s := range got.Steps {
			if s.Ran && s.named(n) {
				j.fail(n.Place, Failure{Message: fmt.Sprintf("%s: %s ran", got.title(), n.Text), Want: "that it does not", Got: s.String()})
			}
		}
	}
}

// unknowns compares the groups of which it cannot be told.
func (j *judge) unknowns() {
	taken := make([]bool, len(j.unknown))
	for _, want := range j.test.Expect.Unknown {
		found := false
		for n, u := range j.unknown {
			if !taken[n] && sameGroup(want, u.Group, nil) {
				taken[n], found = true, true
				break
			}
		}
		if !found {
			j.fail(want.Place, Failure{Message: "it can be told whether something failed to come for " + want.String(), Want: "unknown", Got: "known"})
		}
	}
	for n, u := range j.unknown {
		if !taken[n] {
			j.fail(j.test.Expect.At, Failure{
				Message: "it cannot be told whether " + u.Signal + " failed to come", Want: "that it can", Got: "unknown for " + u.Group, Why: []string{u.Reason},
			})
		}
	}
}
