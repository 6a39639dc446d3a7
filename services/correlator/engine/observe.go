package engine

import (
	"slices"

	"firebreak/schemas"
)

// What is what an observation tells.
type What string

// What becomes of an event at a signal or a match.
const (
	Matched    What = "matched"    // the event is one of the signal
	Unmatched  What = "unmatched"  // the signal's condition is not true
	Failed     What = "failed"     // a condition or a field could not be evaluated: no match
	Duplicate  What = "duplicate"  // the event had been delivered before
	Late       What = "late"       // the match's windows do not take the event
	Window     What = "window"     // the match has so many of what it needs
	Waits      What = "waits"      // the match is decided when the watermark has passed
	Met        What = "met"        // what absent waits for has come
	Broken     What = "broken"     // until broke the sequence off
	NotKnown   What = "unknown"    // an absence that cannot be told from a lost source
	Stands     What = "stands"     // a nested match is completed by the event
	Fired      What = "fired"      // an incident is opened
	Recurs     What = "recurs"     // an open incident hears of it, if it is not one of too many
	Suppressed What = "suppressed" // a person asked to leave the group alone
)

// Observation tells what became of an event at a signal or a match.
type Observation struct {
	What       What
	Playbook   string
	Signal     string // the signal or nested match; "" for the playbook's own
	Group      string
	Event      schemas.EventRef
	Have, Need int    // of Window: "7 of 10"
	Detail     string // why, in words
}

func (e *Engine) observe(what What, n *node, group string, h hit, have, need int, detail string) {
	if e.Observe == nil {
		return
	}
	e.Observe(Observation{
		What: what, Playbook: n.book.Name, Signal: n.name, Group: group, Event: ref(h),
		Have: have, Need: need, Detail: detail,
	})
}

// observeChain tells how far a sequence has come.
func (e *Engine) observeChain(a arrival) {
	if e.Observe == nil {
		return
	}
	have := 0
	for operand := range a.node.Of[:len(a.node.Of)-1] {
		if e.laneOf(a.slot, operand) != 0 {
			have++
		}
	}
	e.observe(Window, a.node, a.group, a.hit, have, len(a.node.Of), "")
}

func (e *Engine) observeLeaf(rule int, what What, err error) {
	if e.Observe == nil {
		return
	}
	o := Observation{What: what, Playbook: e.leaf[rule].book.Name, Signal: e.leaf[rule].name, Event: schemas.EventRef{
		Source: e.now.Source, ID: e.now.ID, Type: e.now.Type, Time: instant(e.now.at), Seq: e.now.Seq,
	}}
	if err != nil {
		o.Detail = err.Error()
	}
	e.Observe(o)
}

// observeRules tells which signals of the event's type it is one of.
func (e *Engine) observeRules(ev *schemas.Event) {
	for _, rule := range e.types[ev.Type] {
		what := Unmatched
		if slices.Contains(e.work.rules, rule) {
			what = Matched
		}
		e.observeLeaf(rule, what, nil)
	}
}
