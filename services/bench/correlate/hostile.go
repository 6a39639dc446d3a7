package correlate

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/bench/events"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Hostile measures what is meant to do harm: sets whose playbooks an index
// cannot tell apart, conditions that are costly or without end, and events that
// are large, deep, ambiguous or out of time.
type Hostile struct {
	Seed      uint64
	Playbooks int // of a hostile set, and of the one that hostile events meet
	Repeats   int // of each event
	Specs     []schemas.Spec
	Progress  Progress
}

// HostileResult is what came of it.
type HostileResult struct {
	Measure    string             `json:"measure"`
	Playbooks  int                `json:"playbooks"`
	Sets       []HostileSet       `json:"sets"`
	Conditions []HostileCondition `json:"conditions"`
	Events     []HostileEvent     `json:"events"`
	WorstEvent float64            `json:"worst_event_ms"`         // against ordinary playbooks
	WorstSet   float64            `json:"worst_set_event_ms"`     // of an event against a hostile set
	WorstWrong float64            `json:"worst_refusal_ms"`       // of a condition that is refused
	GrowthMB   float64            `json:"memory_growth_mb"`       // by all hostile events
	Through    int                `json:"hostile_not_refused"`    // events that had to be refused and were not
	Compiled   int                `json:"conditions_let_through"` // conditions that had to be refused and were not
}

// HostileSet is one set whose playbooks are all candidates for an event.
type HostileSet struct {
	Name   string  `json:"name"`
	Load   float64 `json:"load_seconds"`
	MB     float64 `json:"heap_mb"`
	Miss   float64 `json:"miss_ms"` // an event that is a candidate for all, and matches none: the worst
	Hit    float64 `json:"hit_ms"`  // one that matches all and opens as many incidents: the worst
	Opened int     `json:"opened"`
}

// HostileCondition is one that must be refused, or be cheap.
type HostileCondition struct {
	Name    string  `json:"name"`
	Refused bool    `json:"refused"`
	Took    float64 `json:"load_ms"`
	Eval    float64 `json:"event_ms,omitempty"` // when it is let through: the worst event
	Cut     bool    `json:"cut_off,omitempty"`  // then: it was ended as it ran, for its cost
}

// HostileEvent is one event.
type HostileEvent struct {
	Name    string  `json:"name"`
	Bytes   int     `json:"bytes"`
	Refused bool    `json:"refused"`
	Record  bool    `json:"record"` // a decision says so, to be stored in the log
	Worst   float64 `json:"worst_ms"`
}

// Run takes the measurement.
func (h Hostile) Run(ctx context.Context) (HostileResult, error) {
	defer oneCore()()
	out := HostileResult{Measure: "hostile", Playbooks: h.Playbooks}
	if h.Playbooks < 1 || h.Repeats < 1 {
		return out, fmt.Errorf("bench correlate: hostile: %w", errNothing)
	}
	parts := []func(*HostileResult) error{h.sets, h.conditions, h.events}
	for i, part := range parts {
		if err := ended(ctx, "hostile"); err != nil {
			return out, err
		}
		if err := part(&out); err != nil {
			return out, err
		}
		h.Progress.tell(i+1, len(parts))
	}
	return out, nil
}

// stopwatch measures by processor time and keeps what went wrong.
type stopwatch struct{ err error }

// ms gives the milliseconds that something took.
func (w *stopwatch) ms(do func()) float64 {
	took, err := spent(do)
	if err != nil {
		w.err = err
	}
	return round(took/1e3, 3)
}

// condition is a playbook with one condition on the start of a process.
func condition(name, when string) playbook.Source {
	return playbook.Source{Name: name + ".yaml", Data: []byte(`apiVersion: firebreak/v1
kind: Playbook
metadata: {name: ` + name + `, summary: It is meant to do harm, arena: runtime, severity: low}
on:
  it:
    type: runtime.process.started
    when: >-
      ` + when + `
match: {by: container.id}
once: 1h
guard: {mode: observe}
then:
  - do: notify.log
    with: {text: "matched"}
`)}
}

// sets measures sets of which every playbook has the same witness value.
func (h Hostile) sets(out *HostileResult) error {
	var watch stopwatch
	for _, s := range []struct{ name, when string }{
		{"same value, distinct conditions", `process.executable.name == "sh" && process.pid > %d`},
		{"same value, equal conditions", `process.executable.name == "sh" && process.pid > 50000`},
		{"no value at all", `process.pid > %d`},
		{"same prefix, a regular expression each", `process.executable.path.startsWith("/usr/") && process.executable.path.matches("^/usr/.*(a|b)+[^x]*z$|^%d")`},
	} {
		var sources []playbook.Source
		for i := range h.Playbooks {
			when := s.when
			if strings.Contains(when, "%d") {
				when = fmt.Sprintf(when, i+50_000)
			}
			sources = append(sources, condition(fmt.Sprintf("hostile-%05d", i), when))
		}
		one := HostileSet{Name: s.name}
		before := heap()
		begin := time.Now()
		set, err := load(sources, h.Specs)
		if err != nil {
			return fmt.Errorf("bench correlate: hostile: %s: %w", s.name, err)
		}
		e := engine.New(set)
		one.Load = round(time.Since(begin).Seconds(), 3)
		sources = nil
		one.MB = round(max(heap()-before, 0)/1e6, 1)
		f := newFeeder(h.Seed)
		for range h.Repeats {
			ev := f.shell("/usr/bin/abababababababababababababababab", 7)
			one.Miss = max(one.Miss, watch.ms(func() { e.Apply(ev) }))
		}
		ev := f.shell("/usr/bin/abz", 1<<20)
		one.Hit = watch.ms(func() { one.Opened = len(e.Apply(ev)) })
		out.Sets = append(out.Sets, one)
		out.WorstSet = max(out.WorstSet, one.Miss, one.Hit)
		runtime.KeepAlive(e)
	}
	return watch.err
}

// shell is the start of a process with a path and a pid.
func (f *feeder) shell(path string, pid int) schemas.Event {
	e := f.next("c1", false)
	e.Data = json.RawMessage(fmt.Sprintf(`{"host":{"name":"n1"},"container":{"id":"c%d"},"process":{"pid":%d,"executable":{"name":"sh","path":%q}}}`, f.seq, pid, path))
	return e
}

// conditions loads playbooks whose condition alone is the attack.
func (h Hostile) conditions(out *HostileResult) error {
	var watch stopwatch
	const name = `process.executable.name`
	chain := func(n int, part, by string) string { return strings.TrimSuffix(strings.Repeat(part+by, n), by) }
	for _, c := range []struct {
		name, when string
		must       bool // it must be refused
	}{
		{"10,000 brackets", strings.Repeat("(", 10_000) + "true" + strings.Repeat(")", 10_000), true},
		{"10,000 negations", strings.Repeat("!", 10_000) + "true", true},
		{"20,000 terms", chain(20_000, name+` == "a"`, " || "), true},
		{"loops within loops", chain(6, `process.command_args.exists(a, `, "") + "true" + strings.Repeat(")", 6), true},
		{"text that doubles itself", `process.command_args.map(a, a + a).map(a, a + a).map(a, process.command_args.map(b, a + b)).size() > 0`, false},
		{"a repetition of repetitions", name + `.matches("((((a{100}){100}){100}){100})")`, true},
		{"a pattern of 500 kB", name + `.matches("` + strings.Repeat("(a|b)", 100_000) + `")`, true},
		{"a pattern that backtracks elsewhere", name + `.matches("^(a+)+$")`, false},
		{"a pattern taken from the event", `process.command_args.exists(a, a.matches(` + name + `))`, true},
	} {
		one := HostileCondition{Name: c.name}
		var set *playbook.Set
		one.Took = watch.ms(func() { set, _ = playbook.Load([]playbook.Source{condition("hostile", c.when)}, h.Specs) })
		one.Refused = set == nil
		if set != nil {
			h.evaluate(set, &one, &watch)
		}
		if one.Refused {
			out.WorstWrong = max(out.WorstWrong, one.Took)
		} else if c.must {
			out.Compiled++
		}
		out.Conditions = append(out.Conditions, one)
	}
	return watch.err
}

// evaluate applies an event that gives a condition as much to do as it can.
func (h Hostile) evaluate(set *playbook.Set, one *HostileCondition, watch *stopwatch) {
	e, f := engine.New(set), newFeeder(h.Seed)
	args := `"` + strings.Repeat(strings.Repeat("a", 60)+`","`, 2000) + `b"`
	for range h.Repeats {
		ev := f.next("c1", false)
		ev.Data = json.RawMessage(`{"host":{"name":"n1"},"container":{"id":"c1"},"process":{"pid":1,"command_args":[` + args + `],"executable":{"name":"` + strings.Repeat("a", 100_000) + `!"}}}`)
		one.Eval = max(one.Eval, watch.ms(func() { e.Apply(ev) }))
	}
	one.Cut = e.Stats()["hostile"].Errors > 0
}

// events applies hostile events to ordinary playbooks.
func (h Hostile) events(out *HostileResult) error {
	set, err := load(sources(events.New(h.Seed, h.Playbooks, 0)), h.Specs)
	if err != nil {
		return err
	}
	var watch stopwatch
	e, f := engine.New(set), newFeeder(h.Seed)
	before := heap()
	for _, c := range attacks() {
		one := HostileEvent{Name: c.name, Bytes: len(c.data)}
		refused := 0
		for range h.Repeats {
			ev := f.next("c1", false)
			ev.Data = json.RawMessage(c.data)
			if c.alter != nil {
				c.alter(&ev)
			}
			var decided []engine.Decision
			one.Worst = max(one.Worst, watch.ms(func() { decided = e.Apply(ev) }))
			for _, d := range decided {
				if r, is := d.(engine.Refused); is {
					refused += int(r.Count) //nolint:gosec // a count
				}
			}
		}
		// The engine tells of many refusals in one record a minute.
		tick := f.next("c1", false)
		f.at = f.at.Add(2 * time.Minute)
		tick.Type, tick.Data, tick.Stored, tick.Time = schemas.Tick, json.RawMessage(`{}`), f.at, f.at
		for _, d := range e.Apply(tick) {
			if r, is := d.(engine.Refused); is {
				refused += int(r.Count) //nolint:gosec // a count
			}
		}
		one.Record, one.Refused = refused > 0, refused >= h.Repeats
		if c.must && !one.Refused {
			out.Through++
		}
		out.Events = append(out.Events, one)
		out.WorstEvent = max(out.WorstEvent, one.Worst)
	}
	out.GrowthMB = round(max(heap()-before, 0)/1e6, 1)
	runtime.KeepAlive(e)
	return watch.err
}
