package trial

import (
	"encoding/json"
	"slices"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
	"firebreak/services/workshop/explain"
	"firebreak/services/workshop/testfile"
)

// Traced is one event with all that became of it in a playbook; or, without an
// event, what came when time had run on.
type Traced struct {
	Event     *schemas.Event
	Line      int // in the test file; 0: it is of none
	Signals   []explain.Signal
	Notes     []explain.Note
	Except    []explain.Verdict // of guard.except, where it opened an incident
	Incidents []Happened        // that it opened, as they stand in the end
}

// Trace runs a case for what became of each of its events; what it expects
// does not matter. An error is none of the playbook's.
func (r *Runner) Trace(p *playbook.Playbook, c testfile.Case) ([]Traced, error) {
	w := r.world(p, c)
	t := &tracer{world: w}
	w.engine.Observe = t.see
	w.before = t.event
	if len(c.Events) > 0 {
		w.now = c.Events[0].Stored // events of a log have times of their own
	}
	w.run()
	t.refusals()
	if len(w.faults) > 0 {
		return nil, w.faults[0]
	}
	t.files = append(t.files, len(w.files))
	for n := range t.out {
		one := &t.out[n]
		for _, f := range w.files[t.files[n]:t.files[n+1]] {
			one.Incidents = append(one.Incidents, w.happened(f))
			if one.Event != nil {
				one.Except = except(f.inc.Opened().Guard.Except, f.event.Type, f.inc.Opened().Signals)
			}
		}
	}
	return slices.DeleteFunc(t.out, func(one Traced) bool {
		return one.Event == nil && len(one.Notes) == 0 && len(one.Incidents) == 0
	}), nil
}

type tracer struct {
	*world
	told  int // refusals that are noted already
	out   []Traced
	files []int // how many incidents there were when each of out began, and at the end
}

// refusals notes what the engine would not look at.
func (t *tracer) refusals() {
	for ; t.told < len(t.refused) && len(t.out) > 0; t.told++ {
		last := &t.out[len(t.out)-1]
		last.Notes = append(last.Notes, explain.Note{What: "refused", Text: t.refused[t.told]})
	}
}

// event begins the entry of an event, or of what comes without one.
func (t *tracer) event(e *testfile.Event) {
	t.refusals()
	if e == nil && (len(t.out) == 0 || t.out[len(t.out)-1].Event == nil) {
		return
	}
	one := Traced{}
	if e != nil {
		one = Traced{Event: &e.Event, Line: e.At.Line, Signals: explain.Signals(t.playbook, e.Event)}
	}
	t.out = append(t.out, one)
	t.files = append(t.files, len(t.world.files))
}

func (t *tracer) see(o engine.Observation) {
	if len(t.out) == 0 {
		return
	}
	if n, news := explain.NoteOf(t.playbook, o); news {
		last := &t.out[len(t.out)-1]
		last.Notes = append(last.Notes, n)
	}
}

// except tells how the playbook's exception stood for the event that opened.
func except(text, typ string, signals map[string]schemas.Signal) []explain.Verdict {
	if text == "" {
		return nil
	}
	p, err := expr.ConditionOn(text, nil)
	if err != nil {
		return nil
	}
	for _, s := range signals {
		var data map[string]any
		if s.Type == typ && json.Unmarshal(s.Data, &data) == nil {
			return explain.Verdicts(p, data)
		}
	}
	return nil
}
