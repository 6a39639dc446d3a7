package responder_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/incident"
	"firebreak/services/responder"
	"firebreak/services/responder/guardrail"
	"firebreak/services/responder/rehearsal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	place    = "node-n1"
	patience = 30 * time.Second
)

// tester is what a desk needs of a testing.T or a rapid.T.
type tester interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// desk is a world, a ledger, and an executor between them.
type desk struct {
	t      tester
	bus    *bustest.Bus
	world  *rehearsal.World
	ledger responder.Ledger // nil: the bus's own
	guard  *guardrail.Guardrail
	hints  chan schemas.Target
	crash  func() // ends the executor from inside one of its points
	ended  chan struct{}
	adjust func(*responder.Config)
	stop   func()
}

func newDesk(t tester) *desk {
	return &desk{t: t, bus: bustest.New(), world: rehearsal.NewWorld(), hints: make(chan schemas.Target), stop: func() {}}
}

// start runs an executor until stop is called or the test ends.
func (d *desk) start(f rehearsal.Faults) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	client := d.bus.Client("responder", place)
	cfg := responder.Config{
		Place: place, Ledger: client, State: client, Guard: d.guard, Hints: d.hints,
		Actions: []responder.Action{d.world.Action(f)}, Log: slog.New(slog.DiscardHandler),
		Conductor: func(w string) bool { return w == "conductor" },
		KeepEvery: time.Hour, Backoff: time.Millisecond,
	}
	if d.ledger != nil {
		cfg.Ledger = d.ledger
	}
	if d.adjust != nil {
		d.adjust(&cfg)
	}
	live := make(chan struct{})
	cfg.Live = func() { close(live) }
	done := make(chan error, 1)
	d.crash, d.ended = cancel, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		done <- responder.Run(ctx, cfg)
	}(d.ended)
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				d.t.Errorf("Run: %v", err)
			}
		})
	}
	d.t.Cleanup(d.readable)
	d.t.Cleanup(d.stop)
	select {
	case <-live:
	case <-d.ended: // crashed before it was live
	case <-time.After(patience):
		d.t.Fatal("the executor did not begin")
	}
}

func (d *desk) write(writer, incident, task string, kind schemas.Kind, n int, data any) {
	d.t.Helper()
	pen := d.bus.Client(writer, "")
	for {
		last, err := pen.Last(d.t.Context(), incident, task, place)
		if err != nil {
			d.t.Fatal(err)
		}
		r, err := schemas.NewRecord(incident, task, place, kind, n, time.Now(), data)
		if err != nil {
			d.t.Fatal(err)
		}
		if _, err = pen.Append(d.t.Context(), r, last.Head()); err == nil {
			return
		} else if !errors.Is(err, schemas.ErrConflict) {
			d.t.Fatal(err)
		}
	}
}

func requested(target schemas.Target) schemas.Requested {
	return schemas.Requested{Step: "stop", Action: rehearsal.Name, Target: target, Mode: "enforce"}
}

func (d *desk) request(incident string, target schemas.Target) string {
	d.t.Helper()
	task := schemas.TaskID("stop", target.ID)
	d.write("conductor", incident, task, schemas.KindRequested, 0, requested(target))
	return task
}

func (d *desk) letGo(incident, task string) {
	d.t.Helper()
	d.write("conductor", incident, task, schemas.KindRelease, 0, schemas.Release{Reason: "asked"})
}

func (d *desk) hold(h schemas.Hold) {
	d.t.Helper()
	c := d.bus.Client("people", "")
	_, rev, err := c.GetState(d.t.Context(), responder.HoldKey)
	if err != nil {
		d.t.Fatal(err)
	}
	raw := `{"on":false,"since":"2026-01-01T00:00:00Z"}`
	if h.On {
		raw = `{"on":true,"by":"` + h.By + `","why":"` + h.Why + `","since":"2026-01-01T00:00:00Z"}`
	}
	if _, err := c.PutState(d.t.Context(), responder.HoldKey, []byte(raw), rev); err != nil {
		d.t.Fatal(err)
	}
}

// until waits for a condition.
func (d *desk) until(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	d.t.Fatalf("not within %s: %s; the ledger holds:\n%s", patience, what, d.story())
}

// wait gives the last record of a task once it is of the kind.
func (d *desk) wait(incident, task string, kind schemas.Kind) schemas.Record {
	d.t.Helper()
	var last schemas.Record
	d.until(incident+" "+string(kind), func() bool {
		last = schemas.Record{}
		for _, r := range d.bus.Records() {
			if r.Incident == incident && r.Task == task {
				last = r
			}
		}
		return last.Kind == kind
	})
	return last
}

func (d *desk) outcome(incident, task string, kind schemas.Kind) schemas.Outcome {
	d.t.Helper()
	var o schemas.Outcome
	if err := d.wait(incident, task, kind).Decode(&o); err != nil {
		d.t.Fatal(err)
	}
	return o
}

// kinds of the records of an incident, in order.
func (d *desk) kinds(incident string) string {
	var out []string
	for _, r := range d.bus.Records() {
		if r.Incident == incident {
			out = append(out, string(r.Kind))
		}
	}
	return strings.Join(out, " ")
}

func (d *desk) story() string {
	var b strings.Builder
	for _, r := range d.bus.Records() {
		b.WriteString(r.Incident + " " + string(r.Kind) + " " + string(r.Data) + "\n")
	}
	return b.String()
}

// readable: whatever was stored is something that the fold of incidents, which
// the conductor and people go by, can follow.
func (d *desk) readable() {
	folds := map[string]*incident.Incident{}
	for _, r := range d.bus.Records() {
		if r.Writer == "thief" {
			continue
		}
		f := folds[r.Incident]
		if f == nil {
			f = incident.New(r.Incident)
			folds[r.Incident] = f
		}
		if err := f.Apply(r); err != nil {
			d.t.Errorf("the incident's fold cannot follow: %v; its records: %s", err, d.kinds(r.Incident))
		}
	}
}
