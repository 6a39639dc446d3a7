package correlate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// Recovery measures how long a core that was killed needs until it is at work
// again, with so many events in open windows: a process of its own with the
// bus and the core, as `firebreak run` has them, is killed by SIGKILL as soon as
// it has decided on the last event, and started again on the same folder.
//
// Then one more event must complete a window that was opened before.
type Recovery struct {
	N        int // events in open windows
	Windows  int
	Data     string // the process's data folder
	Process  Process
	Progress Progress
}

// Process is a core that can be killed.
type Process interface {
	// Start gives the time from the start until it says that it is at work.
	Start(ctx context.Context) (time.Duration, error)
	Kill() error
	// Resumed says from which sequence the one that runs went on.
	Resumed() (uint64, error)
}

// RecoveryResult is what came of it.
type RecoveryResult struct {
	Measure string  `json:"measure"`
	N       int     `json:"events"`
	Windows int     `json:"windows"`
	Filled  float64 `json:"filled_events_per_second"` // publish → decided, before the kill
	Empty   float64 `json:"empty_start_seconds"`      // on a fresh folder
	Behind  uint64  `json:"events_behind"`            // events after the last checkpoint: decided on again
	Seconds float64 `json:"seconds"`                  // start of the process → at work, all events handled
}

const (
	countBook = "bench-count"
	doneBook  = "bench-done"
	donePath  = "bench-done"
)

// RecoveryPlaybooks are what the process must have in force: by file name.
func (r Recovery) RecoveryPlaybooks() map[string]string {
	text := func(name, program, match string) string {
		return `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: ` + name + `, summary: Recovery is measured, arena: runtime, severity: low}
on:
  it:
    type: runtime.process.started
    when: process.executable.name == "` + program + `"
match:
` + match + `
  by: container.id
once: 1h
guard: {mode: observe}
then:
  - do: notify.log
    with: {text: "matched"}
`
	}
	count := "  count: {of: it, atLeast: " + strconv.Itoa(r.each()+1) + "}\n  within: 24h"
	return map[string]string{countBook + ".yaml": text(countBook, "ls", count), doneBook + ".yaml": text(doneBook, donePath, "  any: [it]")}
}

// each is how many events a window holds: one fewer than it waits for.
func (r Recovery) each() int { return max(r.N/max(r.Windows, 1), 1) }

// Run takes the measurement.
func (r Recovery) Run(ctx context.Context) (out RecoveryResult, err error) {
	out = RecoveryResult{Measure: "recovery", N: r.N, Windows: r.Windows}
	if r.Windows < 1 || r.N%r.Windows != 0 || r.N < r.Windows {
		return out, fmt.Errorf("bench correlate: recovery: %d events cannot be the same number in each of %d windows", r.N, r.Windows)
	}
	took, err := r.Process.Start(ctx)
	if err != nil {
		return out, fmt.Errorf("bench correlate: recovery: %w", err)
	}
	defer func() { err = errors.Join(err, r.Process.Kill()) }()
	out.Empty = round(took.Seconds(), 3)
	begin := time.Now()
	last, err := r.fill(ctx)
	if err != nil {
		return out, fmt.Errorf("bench correlate: recovery: fill: %w", err)
	}
	out.Filled = round(float64(r.N)/time.Since(begin).Seconds(), 0)
	if err := r.Process.Kill(); err != nil {
		return out, err
	}
	if took, err = r.Process.Start(ctx); err != nil {
		return out, fmt.Errorf("bench correlate: recovery: after the kill: %w", err)
	}
	out.Seconds = round(took.Seconds(), 3)
	from, err := r.Process.Resumed()
	if err != nil {
		return out, err
	}
	if from < last {
		out.Behind = last - from
	}
	if err := r.one(ctx, r.N, container(0), "ls", countBook); err != nil {
		return out, fmt.Errorf("bench correlate: recovery: a window that was open before the kill: %w", err)
	}
	return out, nil
}

// fill publishes all events and waits until the core has decided on them.
func (r Recovery) fill(ctx context.Context) (uint64, error) {
	nc, err := administrator(r.Data)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	last, err := flood(ctx, nc, r.N, func(i int) (*nats.Msg, error) { return message(execOf(i, container(i%r.Windows), "ls")), nil }, r.Progress)
	if err != nil {
		return 0, err
	}
	if err := r.one(ctx, r.N+1, "done", donePath, doneBook); err != nil {
		return 0, err
	}
	r.Progress.tell(r.N, r.N)
	return last, nil
}

func execOf(i int, container, program string) schemas.Event {
	return schemas.Event{
		ID: "r" + strconv.Itoa(i), Source: "/local/n1/exec", Type: schemas.ProcessStarted, Time: time.Now().UTC(),
		Data: json.RawMessage(`{"host":{"name":"n1"},"k8s":{"namespace":{"name":"shop"},"pod":{"name":"web-5d8f","uid":"0b6c7a9e-6a51-4c0f-8f0e-2f6f0a9d1c11"}},` +
			`"container":{"id":"` + container + `","runtime":"containerd","namespace":"k8s.io","image":{"name":"registry.example/shop/web","tag":"1.2.3",` +
			`"digest":"sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"}},` +
			`"process":{"pid":4711,"executable":{"name":"` + program + `","path":"/usr/bin/` + program + `","origin":"image"},"command_args":["` + program + `","-l","/srv/shop"],` +
			`"parent":{"pid":4700,"executable":{"name":"tini","path":"/sbin/tini"}}},"user":{"id":"1000"}}`),
	}
}

// one publishes an event and waits until a playbook's incident of it is stored:
// whatever the log holds before has then been decided on.
func (r Recovery) one(ctx context.Context, i int, container, program, book string) error {
	people, err := dial(ctx, r.Data, bus.People)
	if err != nil {
		return err
	}
	defer people.Close()
	nc, err := administrator(r.Data)
	if err != nil {
		return err
	}
	defer nc.Close()
	if _, err := flood(ctx, nc, 1, func(int) (*nats.Msg, error) { return message(execOf(i, container, program)), nil }, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	err = people.FollowLedger(ctx, 0, func(rec schemas.Record) error {
		var o schemas.Opened
		if rec.Kind != schemas.KindOpened || rec.Decode(&o) != nil || o.Playbook.Name != book {
			return nil
		}
		return errSeen
	}, nil)
	if errors.Is(err, errSeen) {
		return nil
	}
	return errors.Join(err, fmt.Errorf("no incident of %s", book))
}

// errSeen ends the reading.
var errSeen = errors.New("it is there")
