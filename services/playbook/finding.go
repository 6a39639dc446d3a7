package playbook

import "fmt"

// Severities of a finding. A set with one error is not loaded.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Finding is something wrong or doubtful at a place in a playbook.
type Finding struct {
	File     string `json:"file"`
	Line     int    `json:"line"`   // from 1
	Column   int    `json:"column"` // from 1, in characters
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Fix      string `json:"fix,omitempty"` // what to do about it
}

// String gives the finding as compilers write theirs: file:line:column.
func (f Finding) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s: %s", f.File, f.Line, f.Column, f.Severity, f.Message)
	if f.Fix != "" {
		s += " (" + f.Fix + ")"
	}
	return s
}

// Failed says whether any of the findings is an error.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity == SeverityError {
			return true
		}
	}
	return false
}
