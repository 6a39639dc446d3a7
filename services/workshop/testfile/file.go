package testfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/document"
)

// Start is when tests begin: the time of an event at 0s.
func Start() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Decoder turns an event as another tool writes it into ours. format is the
// `as` of the test, one of formats.
type Decoder func(format string, raw []byte) ([]schemas.Event, error)

// File is the tests of one playbook.
type File struct {
	Name     string // of the source
	Playbook string
	Named    document.Place // where the playbook's name stands
	Cases    []Case
}

// Case is one test.
type Case struct {
	Name      string
	At        document.Place
	Inventory Inventory
	Events    []Event // in the order in which the log took them
	Silent    []Silence
	Until     *time.Duration // nil: until nothing waits for time to pass
	Hold      bool
	Mocks     []Mock
	Expect    Expect
}

// Event is one event with its place in the file.
type Event struct {
	schemas.Event
	At document.Place
}

// Silence is a time in which no source of some types was alive.
type Silence struct {
	Types    []string // full
	From, To time.Time
}

// Mock says what becomes of a step.
type Mock struct {
	Step    string // id or action
	At      document.Place
	Answers []Answer // one attempt after the other; the last one stays
}

// Answer is what a place answers to a request.
type Answer struct {
	State  string // one of [Answers]
	Reason string
}

// Answers are the states that a mock can bring about. Unanswered is a place
// that does not answer at all.
func Answers() []string {
	return []string{"enforced", "applied", "partial", "ineffective", "unverified", "failed", "refused", "gone", Unanswered}
}

// Unanswered is the answer of a place that does not answer.
const Unanswered = "unanswered"

// Read reads a test file. Where a finding is an error, what it gives is not to
// be run; it is nil when nothing could be read. formats are those that decode knows.
func Read(name string, data []byte, formats []string, decode Decoder) (*File, []playbook.Finding) {
	tree, problems := document.Tree(data)
	if tree == nil || len(problems) > 0 {
		return nil, findings(name, problems)
	}
	r := &reader{shape: &shape{tree: tree, whole: true, types: members{}}, formats: formats, decode: decode}
	var value any
	if err := json.Unmarshal(tree.JSON, &value); err != nil {
		r.problem("", "this cannot be read: "+err.Error(), "")
		return nil, findings(name, r.problems)
	}
	r.check(value, reflect.TypeFor[writtenFile](), "", "")
	if len(r.problems) > 0 {
		return nil, findings(name, r.problems)
	}
	var w writtenFile
	if err := json.Unmarshal(tree.JSON, &w); err != nil {
		r.problem("", "this cannot be read: "+err.Error(), "")
		return nil, findings(name, r.problems)
	}
	f := &File{Name: name, Playbook: w.Playbook, Named: tree.Place("/playbook")}
	names := map[string]bool{}
	for n, c := range w.Tests {
		p := fmt.Sprintf("/tests/%d", n)
		if names[c.Name] {
			r.problem(p+"/name", fmt.Sprintf("the name %q is given twice", shorten(c.Name)), "name each test by what is the matter in it")
		}
		names[c.Name] = true
		f.Cases = append(f.Cases, r.one(c, p))
	}
	if len(w.Tests) == 0 {
		r.problem("/tests", "there is no test", "write at least one that fires and one that stays silent")
	}
	return f, findings(name, r.problems)
}

// Fires says that the case expects an incident.
func (c Case) Fires() bool { return len(c.Expect.Incidents) > 0 }

func findings(file string, problems []document.Problem) []playbook.Finding {
	out := make([]playbook.Finding, 0, len(problems))
	for _, p := range problems {
		out = append(out, playbook.Finding{
			File: file, Line: max(p.Line, 1), Column: max(p.Column, 1),
			Severity: playbook.SeverityError, Message: p.Message, Fix: p.Fix,
		})
	}
	slices.SortStableFunc(out, func(a, b playbook.Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return out
}
