package conformance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/responder"
	"firebreak/services/responder/guardrail"
)

// patience is how long something may take on a slow machine; nothing is
// measured by it.
const patience = 60 * time.Second

const conductor = "conductor"

// desk is a ledger with a conductor's pen and an executor that can be stopped
// anywhere and started anew.
type desk struct {
	t      T
	c      Case
	place  string
	bus    *bustest.Bus
	cancel context.CancelFunc
	done   chan error
	points []string
}

func newDesk(t T, c Case, place string) *desk {
	d := &desk{t: t, c: c, place: place, bus: bustest.New()}
	t.Cleanup(func() { d.stop() })
	return d
}

// start runs an executor. With stopAt it crashes at that point, counted from 1.
func (d *desk) start(stopAt int) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	d.cancel, d.done, d.points = cancel, make(chan error, 1), nil
	var mu sync.Mutex
	at := func(point string) {
		mu.Lock()
		defer mu.Unlock()
		d.points = append(d.points, point)
		if len(d.points) == stopAt {
			cancel() // the executor looks at its context right after the point
		}
	}
	live := make(chan struct{})
	cfg := responder.Config{
		Place: d.place, Ledger: d.bus.Client("responder", d.place), State: d.bus.Client("responder", d.place),
		Actions: []responder.Action{d.c.New(d.t)}, Guard: guardrail.Default(), Log: slog.New(slog.DiscardHandler),
		Conductor: func(w string) bool { return w == conductor },
		KeepEvery: time.Hour, Backoff: 5 * time.Millisecond, Timeout: patience,
		At: at, Live: func() { close(live) },
	}
	go func(done chan error) { done <- responder.Run(ctx, cfg) }(d.done)
	select {
	case <-live:
	case <-d.t.Context().Done():
	case <-time.After(patience):
		d.t.Fatalf("the executor did not begin within %s", patience)
	}
}

// stop ends the executor and gives the points it passed.
func (d *desk) stop() []string {
	if d.cancel == nil {
		return nil
	}
	d.cancel()
	if err := <-d.done; err != nil {
		d.t.Errorf("the executor ended with %v", err)
	}
	d.cancel = nil // Run has ended: nobody writes points any more
	return d.points
}

// write appends a record in the conductor's name.
func (d *desk) write(incident, task string, kind schemas.Kind, data any) {
	d.t.Helper()
	pen := d.bus.Client(conductor, "")
	for {
		last, err := pen.Last(d.t.Context(), incident, task, d.place)
		if err != nil {
			d.t.Fatalf("read the ledger: %v", err)
		}
		r, err := schemas.NewRecord(incident, task, d.place, kind, 0, time.Now(), data)
		if err != nil {
			d.t.Fatalf("record: %v", err)
		}
		if _, err = pen.Append(d.t.Context(), r, last.Head()); err == nil {
			return
		}
		if !errors.Is(err, schemas.ErrConflict) {
			d.t.Fatalf("append %s: %v", kind, err)
		}
	}
}

func (d *desk) request(incident string, target schemas.Target, mode string) string {
	d.t.Helper()
	spec := d.c.New(d.t).Spec()
	task := schemas.TaskID("step", target.ID)
	d.write(incident, task, schemas.KindRequested, schemas.Requested{
		Step: "step", Action: spec.Name, Target: target, With: d.c.With, Mode: mode,
		NoUndo: spec.Undo == "", NoVerify: spec.Verify == "",
	})
	return task
}

func (d *desk) letGo(incident, task string) {
	d.t.Helper()
	d.write(incident, task, schemas.KindRelease, schemas.Release{Reason: "asked", By: "the suite"})
}

// wait gives the first record of one of the kinds at a task.
func (d *desk) wait(incident, task string, kinds ...schemas.Kind) schemas.Record {
	d.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		for _, r := range d.bus.Records() {
			for _, k := range kinds {
				if r.Incident == incident && r.Task == task && r.Kind == k {
					return r
				}
			}
		}
	}
	d.t.Fatalf("no record %v of %s/%s within %s; there is %v", kinds, incident, task, patience, d.kinds(incident, task))
	return schemas.Record{}
}

// kinds lists the kinds of a task's records; of all tasks with "".
func (d *desk) kinds(incident, task string) []string {
	var out []string
	for _, r := range d.bus.Records() {
		if incident == "" || r.Incident == incident && r.Task == task {
			text := string(r.Kind)
			var o schemas.Outcome
			if err := r.Decode(&o); err == nil && o.Reason != "" {
				text = fmt.Sprintf("%s (%s)", r.Kind, o.Reason)
			}
			out = append(out, text)
		}
	}
	return out
}

// settled are the kinds that a carried out task comes to rest with.
func settled(s schemas.Spec) []schemas.Kind {
	out := []schemas.Kind{schemas.KindFailed, schemas.KindRefused, schemas.KindGone}
	if s.Verify == "" {
		return append(out, schemas.KindApplied)
	}
	return append(out, schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified)
}

// wanted is the kind of a task that was carried out well.
func wanted(s schemas.Spec) schemas.Kind {
	if s.Verify == "" {
		return schemas.KindApplied
	}
	return schemas.KindEnforced
}
