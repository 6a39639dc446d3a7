package trial

import (
	"fmt"

	"firebreak/services/correlator/engine"
	"firebreak/services/workshop/explain"
)

// What a failure tells is bounded: the rest is for `playbook explain`.
const (
	mostEvents  = 8
	mostWindows = 4
)

// whyNot says of each event of the case why it did not match, or that it did.
func (j *judge) whyNot() []string {
	var out []string
	for _, e := range j.test.Events {
		for _, s := range explain.Signals(j.playbook, e.Event) {
			line := fmt.Sprintf("%s (%s at %s): %s", e.ID, e.ShortType(), offset(e.Time), s.String())
			out = append(out, line)
		}
	}
	switch {
	case len(j.test.Events) == 0:
		return []string{"the test has no event"}
	case len(out) == 0:
		return []string{"the playbook waits for none of the types of these events"}
	}
	return append(cut(out, mostEvents), cut(j.windows(), mostWindows)...)
}

// windows tells how far the matches came, each with its last word.
func (j *judge) windows() []string {
	var order []string
	last := map[string]string{}
	for _, o := range j.observed {
		n, news := explain.NoteOf(j.playbook, o)
		if !news || o.What == engine.Fired || o.What == engine.Recurs {
			continue // the incidents themselves are told
		}
		key := n.Signal + "\n" + n.Group
		if last[key] == "" {
			order = append(order, key)
		}
		last[key] = n.Text
	}
	var out []string
	for _, key := range order {
		out = append(out, last[key])
	}
	return out
}

// why says which event opened an incident, and how its conditions stood.
func (j *judge) why(got Happened) []string {
	var out []string
	trigger := got.file.event
	for _, e := range j.test.Events {
		if e.ID != trigger.ID || e.Source != trigger.Source {
			continue
		}
		for _, s := range explain.Signals(j.playbook, e.Event) {
			out = append(out, fmt.Sprintf("%s (%s at %s, line %d): %s", e.ID, e.ShortType(), offset(e.Time), e.At.Line, s.String()))
		}
	}
	return cut(out, mostEvents)
}

func cut(lines []string, most int) []string {
	if len(lines) <= most {
		return lines
	}
	return append(lines[:most:most], fmt.Sprintf("… and %d more; `firebreak playbook explain` tells all", len(lines)-most))
}
