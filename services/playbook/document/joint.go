package document

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// operators are the keys that say how signals are joined.
var operators = []string{"any", "all", "sequence", "count", "distinct", "absent", "baseline"}

// Operator gives the operator's key, "" when there is none. Of several, which
// were reported, the first.
func Operator(keys map[string]Place) string {
	for _, name := range operators {
		if _, given := keys[name]; given {
			return name
		}
	}
	return ""
}

// Operators counts the operators' keys.
func Operators(keys map[string]Place) int {
	count := 0
	for _, name := range operators {
		if _, given := keys[name]; given {
			count++
		}
	}
	return count
}

// check wants an event or a match, and not both.
func (s *Signal) check(d *decoder, n *yaml.Node) {
	_, event := s.Keys["type"]
	if !event {
		if Operator(s.Keys) == "" {
			d.problem(n, "a signal has neither a type of event nor an operator", "add type: with the event it waits for, or join other signals with "+either(operators))
			return
		}
		if at, given := s.Keys["when"]; given {
			d.problemAt(at, "when belongs to an event, and this is a match of signals", "write the condition at the events that it joins")
		}
	}
	for _, name := range append(operators[:len(operators):len(operators)], "by", "within", "until") {
		if at, given := s.Keys[name]; given && event {
			d.problemAt(at, name+" belongs to a match of signals, and this is an event", "make it a signal of its own, with an operator over this one")
		}
	}
	if !event {
		oneOperator(d, s.Keys)
	}
}

// check wants one operator at most.
func (m *Match) check(d *decoder, _ *yaml.Node) { oneOperator(d, m.Keys) }

func oneOperator(d *decoder, keys map[string]Place) {
	first := ""
	for _, name := range operators {
		at, given := keys[name]
		switch {
		case !given:
		case first == "":
			first = name
		default:
			d.problemAt(at, fmt.Sprintf("a second operator beside %s", first), "make one of them a signal of its own, and join that")
		}
	}
	if at, given := keys["until"]; given && first != "sequence" {
		d.problemAt(at, "until without sequence: only a sequence can be broken off", "take it out, or write sequence")
	}
}

func either(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func (d *decoder) problemAt(at Place, message, fix string) {
	d.problems = append(d.problems, Problem{Place: at, Message: message, Fix: fix})
}
