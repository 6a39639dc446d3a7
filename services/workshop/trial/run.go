package trial

import (
	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/playbook"
	"firebreak/services/workshop/testfile"
)

// Runner runs cases. It is safe for concurrent use.
type Runner struct {
	specs   map[string]schemas.Spec
	decider *decide.Decider
}

// New gives a runner for a deployment with the given actions.
func New(specs []schemas.Spec) *Runner {
	r := &Runner{specs: map[string]schemas.Spec{}, decider: decide.New(specs, decide.Protected{})}
	for _, s := range specs {
		r.specs[s.Name] = s
	}
	return r
}

// Result is what became of a case.
type Result struct {
	Playbook string
	File     string // of the test
	Name     string
	Line     int // where the case begins
	Failures []Failure
	Happened []Happened // the incidents, in the order in which they opened
}

// Passed says that all was as expected.
func (r Result) Passed() bool { return len(r.Failures) == 0 }

// Failure is one difference between what was expected and what happened.
type Failure struct {
	Line    int      `json:"line"` // of the expectation
	Column  int      `json:"column"`
	Message string   `json:"message"`
	Want    string   `json:"want,omitempty"`
	Got     string   `json:"got,omitempty"`
	Why     []string `json:"why,omitempty"` // what led to it, a sentence each
}

// Run runs one case of a playbook.
func (r *Runner) Run(p *playbook.Playbook, file string, c testfile.Case) Result {
	out := Result{Playbook: p.Name, File: file, Name: c.Name, Line: c.At.Line}
	w := r.world(p, c)
	w.engine.Observe = w.observe
	w.run()
	j := &judge{world: w}
	j.judge()
	out.Failures = j.failures
	for _, f := range w.files {
		out.Happened = append(out.Happened, w.happened(f))
	}
	return out
}
