package playbook

import (
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"
)

// Set is all the playbooks that are in force together.
type Set struct {
	Digest    string            // hex SHA-256 over the names, contents and caps of the sources
	Playbooks []*Playbook       // by name
	Sources   map[string][]byte // what was loaded, by the source's name
}

// Playbook is one playbook, checked and compiled.
type Playbook struct {
	Name     string
	Summary  string
	Arena    string // registry | runtime | host | cluster
	Severity string // low | medium | high | critical
	Attack   []string
	Signals  []Signal
	By       []By          // the fields that make a group; none: each event is its own
	Once     time.Duration // one incident per group in that time; zero: every match
	Guard    schemas.Guard // with the mode that holds, the library's cap included
	Steps    []schemas.Step
	File     string // name of the source it came from
}

// Signal is one kind of event that a playbook waits for.
type Signal struct {
	Name string
	Type string        // the full CloudEvents type
	When *expr.Program // nil: always
}

// By is one field of the group's key.
type By struct {
	Signal string   // whose field it is; "" when the field is that of every signal
	Path   []string // members from the event's data inward
}
