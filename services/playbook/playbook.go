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
	Matrix   []string      // ids of the Microsoft threat matrix for Kubernetes
	Signals  []Signal      // by their order in `on`
	Match    Match         // what opens an incident; of one signal alone: OpAny of it
	Once     time.Duration // one incident per group in that time; zero: every match
	Guard    schemas.Guard // with the mode that holds, the library's cap included
	Steps    []schemas.Step
	File     string // name of the source it came from
}

// Signal is what a playbook waits for: one kind of event, or a match of other
// signals.
type Signal struct {
	Name  string
	Type  string        // the full CloudEvents type; "" of a match
	When  *expr.Program // nil: always; of an event alone
	Match *Match        // nil of an event
	Types []string      // the full types that the event which stands for it can have
}

// Op is how a match joins its operands.
type Op string

// The operators. Each match is completed by one event, which stands for it
// outside: its time and its fields are those of the match.
const (
	OpAny      Op = "any"      // one of them
	OpAll      Op = "all"      // each of them, in any order
	OpSequence Op = "sequence" // each of them, in that order
	OpCount    Op = "count"    // one of them so many times
	OpDistinct Op = "distinct" // one of them with so many values of a field
	OpAbsent   Op = "absent"   // the first, and then not the second
	OpBaseline Op = "baseline" // one of them with a value far above what it was
)

// Match joins signals.
type Match struct {
	Op      Op
	Of      []int         // the operands, as indexes of Playbook.Signals; of OpAbsent: after, expect
	Until   int           // of OpSequence: the signal that breaks it off; -1 for none
	AtLeast int           // of OpCount and OpDistinct
	Field   []string      // of OpDistinct and OpBaseline: members from the event's data inward
	Factor  float64       // of OpBaseline
	Over    time.Duration // of OpBaseline: how far back the history reaches
	Within  time.Duration // zero of OpAny and OpBaseline

	// By holds, for each of Of and then for Until, the fields whose values make
	// the group: as many for each, members from the event's data inward. Empty:
	// every event is a group of its own.
	By [][][]string
}

// Grouped says whether the match has groups.
func (m Match) Grouped() bool { return len(m.By) > 0 && len(m.By[0]) > 0 }
