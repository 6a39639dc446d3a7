package trial

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
	"firebreak/services/workshop/testfile"
)

const (
	// beat is how often sources say that they are alive.
	beat = 10 * time.Second
	// most bounds the steps that time takes between two events.
	most = 2000
	// mostTold bounds the ticks and heartbeats of a case: some seconds' worth.
	mostTold = 1_000_000
)

// run applies the events in the order in which the log took them, and lets
// time run on behind them.
func (w *world) run() {
	w.alive(testfile.Start())
	for _, e := range w.test.Events {
		w.passTo(e.Stored)
		w.announce(&e)
		w.take(e.Event)
		w.hear(e.Source)
		w.announce(nil)
	}
	if w.test.Until != nil {
		w.passTo(testfile.Start().Add(*w.test.Until))
		// What ends at that time is decided when nothing can come up to it any more.
		w.passTo(w.now.Add(engine.Lateness + time.Millisecond))
		return
	}
	end := w.now.Add(longest(w.playbook) + engine.Lateness + beat)
	for w.engine.Waiting() && w.now.Before(end) && len(w.faults) == 0 {
		w.passTo(w.now.Add(max(time.Second, end.Sub(w.now)/most)))
	}
	for len(w.faults) == 0 {
		j := w.nextJob()
		if j == nil {
			return
		}
		w.passTo(j.at)
		w.runTo(w.now) // it may have been due before
	}
}

func (w *world) announce(e *testfile.Event) {
	if w.before != nil {
		w.before(e)
	}
}

// passTo lets time pass in steps, as ticks of the log do while something waits.
func (w *world) passTo(end time.Time) {
	step := max(time.Second, end.Sub(w.now)/most)
	if len(w.test.Silent) > 0 {
		step = beat // a source that does not say so is not alive
	}
	for w.now.Before(end) && len(w.faults) == 0 {
		if !w.engine.Waiting() && len(w.test.Silent) == 0 {
			w.runTo(end)
			return
		}
		next := w.now.Add(step)
		if next.After(end) {
			next = end
		}
		w.runTo(next)
		w.alive(next)
		w.publish("/test/core", schemas.Tick, schemas.TickEvent{At: next})
	}
}

// hear notes a source of events: it says from then on how far it has told all.
func (w *world) hear(source string) {
	if !slices.Contains(w.sources, source) {
		w.sources = append(w.sources, source)
	}
}

// alive lets the sources say that they are.
func (w *world) alive(at time.Time) {
	host := &schemas.Host{Name: "node-1"}
	for _, source := range w.sources {
		w.publish(source, schemas.Heartbeat, schemas.SourceEvent{Host: host, Source: "test"})
	}
	if len(w.test.Silent) == 0 {
		return
	}
	for _, typ := range types(w.playbook) {
		if !w.silent(typ, at) {
			w.publish("/test/alive/"+typ, schemas.Heartbeat, schemas.SourceEvent{Host: host, Source: "test", Types: []string{typ}})
		}
	}
}

func (w *world) silent(typ string, at time.Time) bool {
	return slices.ContainsFunc(w.test.Silent, func(s testfile.Silence) bool {
		return slices.Contains(s.Types, typ) && !at.Before(s.From) && (s.To.IsZero() || at.Before(s.To))
	})
}

// publish applies an event that is none of the test's.
func (w *world) publish(source, typ string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		w.fault(err)
		return
	}
	if w.told++; w.told > mostTold {
		w.fault(fmt.Errorf("it takes more than %d ticks and heartbeats until its time is over: let less time pass, or name fewer sources", mostTold))
		return
	}
	w.take(schemas.Event{
		ID: fmt.Sprintf("told-%d", w.told), Source: source, Type: typ, Time: w.now, Stored: w.now, Data: raw,
	})
}

// types are the event types that a playbook waits for.
func types(p *playbook.Playbook) []string {
	var out []string
	for _, s := range p.Signals {
		if s.Match == nil && !slices.Contains(out, s.Type) {
			out = append(out, s.Type)
		}
	}
	return out
}

// longest is the time in which every window of the playbook has ended.
func longest(p *playbook.Playbook) time.Duration {
	sum := p.Match.Within + p.Match.Over
	for _, s := range p.Signals {
		if s.Match != nil {
			sum += s.Match.Within + s.Match.Over
		}
	}
	return sum
}
