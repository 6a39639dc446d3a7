package correlate

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Windows measures what open windows cost: memory, and the time of an update.
//
// An update cannot be had alone from outside, so that events go through all of
// the engine, and others of the same form beside them whose time is past: all
// is done with those but for the window, which does not take them. The
// difference of the two is the update.
type Windows struct {
	Seed     uint64
	N        int // windows of each operator
	Updates  int // of the hot window and of random ones
	Specs    []schemas.Spec
	Progress Progress
}

// WindowsResult is what came of it.
type WindowsResult struct {
	Measure   string     `json:"measure"`
	N         int        `json:"windows"`
	Updates   int        `json:"updates"`
	Operators []Windowed `json:"operators"`
}

// Windowed are the figures of one operator.
type Windowed struct {
	Operator string  `json:"operator"`
	MB       float64 `json:"mb"` // 10^6 bytes of heap for all windows, beyond that without
	Each     float64 `json:"bytes_per_window"`
	HotP50   float64 `json:"hot_p50_us"`
	HotMean  float64 `json:"hot_mean_us"`
	Random   float64 `json:"random_mean_us"` // one of all windows
	Whole    float64 `json:"hot_event_us"`   // the whole event in the hot window: checked, decoded, matched, updated
}

// lot is how many events one sample is made of: a clock is too coarse for one.
const lot = 500

// operators are matches that wait for what does not come.
var operators = []struct{ name, on, match string }{
	{"count", "", "count: {of: it, atLeast: 1900}"},
	{"all", never, "all: [it, never]"},
	{"sequence", never, "sequence: [it, never]"},
	{"distinct", "", "distinct: {of: it, field: process.pid, atLeast: 1000}"},
}

const never = `
  never:
    type: runtime.process.started
    when: process.executable.name == "never"`

// Run takes the measurement.
func (w Windows) Run(ctx context.Context) (WindowsResult, error) {
	defer oneCore()()
	out := WindowsResult{Measure: "windows", N: w.N, Updates: w.Updates}
	if w.N < 1 || w.Updates < lot {
		return out, fmt.Errorf("bench correlate: windows: %w: want a window and %d updates", errNothing, lot)
	}
	for i, op := range operators {
		one, err := w.one(ctx, op.name, op.on, op.match)
		if err != nil {
			return out, err
		}
		out.Operators = append(out.Operators, one)
		w.Progress.tell(i+1, len(operators))
	}
	return out, nil
}

// window is a playbook whose windows stay open.
func window(on, match string) playbook.Source {
	return playbook.Source{Name: "window.yaml", Data: []byte(`apiVersion: firebreak/v1
kind: Playbook
metadata: {name: window, summary: Windows that stay open are measured, arena: runtime, severity: low}
on:
  it:
    type: runtime.process.started
    when: process.executable.name == "ls"` + on + `
match:
  ` + match + `
  by: container.id
  within: 24h
once: 1h
guard: {mode: observe}
then:
  - do: notify.log
    with: {text: "matched"}
`)}
}

// feeder makes the events of a log.
type feeder struct {
	seq uint64
	at  time.Time
	rnd *rand.Rand
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newFeeder(seed uint64) *feeder {
	return &feeder{at: epoch, rnd: rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // a measurement must be repeatable
}

// next is an event of a container that comes in time, or one minute late.
func (f *feeder) next(container string, late bool) schemas.Event {
	f.seq++
	f.at = f.at.Add(time.Millisecond)
	e := schemas.Event{
		ID: "e" + strconv.FormatUint(f.seq, 10), Source: "/bench/n1/exec", Type: schemas.ProcessStarted, Time: f.at,
		Writer: "node-n1", Seq: f.seq, Stored: f.at,
		Data: json.RawMessage(`{"host":{"name":"n1"},"container":{"id":"` + container + `"},"process":{"pid":` + strconv.FormatUint(f.seq%7, 10) + `,"executable":{"name":"ls"}}}`),
	}
	if late {
		e.Time = f.at.Add(-time.Minute)
	}
	return e
}

func container(n int) string { return "container-" + strconv.Itoa(n) }

func (w Windows) one(ctx context.Context, name, on, match string) (Windowed, error) {
	out := Windowed{Operator: name}
	set, err := load([]playbook.Source{window(on, match)}, w.Specs)
	if err != nil {
		return out, err
	}
	e, f := engine.New(set), newFeeder(w.Seed)
	before := heap()
	for i := range w.N {
		e.Apply(f.next(container(i), false))
		if i%65536 == 0 {
			if err := ended(ctx, "windows"); err != nil {
				return out, err
			}
		}
	}
	if e.Windows() != w.N {
		return out, fmt.Errorf("bench correlate: windows: %d of %d of %s are open", e.Windows(), w.N, name)
	}
	bytes := max(heap()-before, 0)
	out.MB, out.Each = round(bytes/1e6, 1), round(bytes/float64(w.N), 0)

	taken, passed, err := w.updates(e, f, func() string { return container(f.rnd.IntN(w.N)) })
	if err != nil {
		return out, err
	}
	out.Random = round(mean(taken)-mean(passed), 3)
	if taken, passed, err = w.updates(e, f, func() string { return "hot" }); err != nil {
		return out, err
	}
	out.HotP50, out.HotMean = round(median(taken)-median(passed), 3), round(mean(taken)-mean(passed), 3)
	out.Whole = round(mean(taken), 3)
	return out, nil
}

// updates gives the microseconds of the processor for each event, by lots: of
// those that windows take, and of those that they do not.
func (w Windows) updates(e *engine.Engine, f *feeder, name func() string) (taken, passed []float64, err error) {
	batch := make([]schemas.Event, lot)
	for range w.Updates / lot {
		for _, late := range []bool{false, true} {
			for i := range batch {
				batch[i] = f.next(name(), late)
			}
			took, err := spent(func() {
				for i := range batch {
					e.Apply(batch[i])
				}
			})
			switch took /= lot; {
			case err != nil:
				return nil, nil, err
			case late:
				passed = append(passed, took)
			default:
				taken = append(taken, took)
			}
		}
	}
	return taken, passed, nil
}
