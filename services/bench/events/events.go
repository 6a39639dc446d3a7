// Package events makes the events and the playbooks that matching is measured
// with: from a seed, so that two runs see the same.
//
// A third each are processes that a collector saw, calls of the Kubernetes API
// and alerts of Falco, of some 750 bytes. Every playbook tests two fields. Of
// the events that match none, half meet the first test of some playbook.
//
// It is no model of what really happens in a cluster; package workload holds
// what runs in containers. Start with [New].
package events

import (
	"fmt"
	"math/rand/v2"
	"time"

	"firebreak/schemas"
)

// Sharing is how many playbooks of a type have the same first test.
const Sharing = 4

// Workload makes events for a number of playbooks.
type Workload struct {
	playbooks int
	rate      float64
	rnd       *rand.Rand
	made      int
}

// New gives the workload of a seed: events of which the share rate matches
// one of so many playbooks each.
func New(seed uint64, playbooks int, rate float64) *Workload {
	// A measurement must be repeatable, and nothing rests on its secrecy.
	return &Workload{playbooks: playbooks, rate: rate, rnd: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // see above
}

// Playbook is one playbook: its source, and what it waits for.
type Playbook struct {
	Name string
	Data []byte // YAML
	Type string // the full type of its event
	When string
}

// Playbooks gives the playbooks of the workload.
func (w *Workload) Playbooks() []Playbook {
	out := make([]Playbook, w.playbooks)
	for i := range out {
		out[i] = playbookOf(i)
	}
	return out
}

// kinds are the event types; playbook n waits for kinds[n%len(kinds)].
var kinds = [...]struct {
	short, when, by string
	data            func(w *Workload, first, second string) any
}{
	{
		"runtime.process.started", `process.executable.name == %q && k8s.namespace.name == %q`, "container.id",
		func(w *Workload, first, second string) any { return w.process(first, second) },
	},
	{
		"cluster.api.called", `audit.objectRef.resource == %q && audit.verb in [%q, "deletecollection"]`, "user.name",
		func(w *Workload, first, second string) any { return w.call(first, second) },
	},
	{
		schemas.FalcoRule, `falco.rule == %q && falco.output_fields["proc.name"].startsWith(%q)`, "container.id",
		func(w *Workload, first, second string) any { return w.alert(first, second) },
	},
}

// tests gives the values that playbook n tests for.
func tests(n int) (first, second string) {
	n /= len(kinds)
	return fmt.Sprintf("first-%05d", n/Sharing), fmt.Sprintf("second-%d", n%Sharing)
}

func playbookOf(n int) Playbook {
	k := kinds[n%len(kinds)]
	first, second := tests(n)
	p := Playbook{Name: fmt.Sprintf("bench-%05d", n), When: fmt.Sprintf(k.when, first, second)}
	p.Type, _ = schemas.FullType(k.short)
	p.Data = fmt.Appendf(nil, `apiVersion: firebreak/v1
kind: Playbook
metadata:
  name: %s
  summary: Measured, number %d
  arena: runtime
  severity: low
on:
  it:
    type: %s
    when: '%s'
match:
  by: %s
once: 1h
guard:
  mode: observe
then:
  - do: notify.log
    with:
      text: "matched"
`, p.Name, n, k.short, p.When, k.by)
	return p
}

// Next gives the next event.
func (w *Workload) Next() (schemas.Event, error) {
	n := w.rnd.IntN(w.playbooks)
	first, second := tests(n)
	if w.rnd.Float64() >= w.rate {
		second = "other"
		if w.rnd.IntN(2) == 0 {
			first = "other"
		}
	}
	kind := n % len(kinds)
	w.made++
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.made) * time.Millisecond)
	k := kinds[kind]
	full, known := schemas.FullType(k.short)
	if !known {
		return schemas.Event{}, fmt.Errorf("the catalog has no type %s", k.short)
	}
	return schemas.NewEvent(full, "/bench/n1/events", fmt.Sprintf("e%d", w.made), "", at, k.data(w, first, second))
}

// Batch gives the next so many events.
func (w *Workload) Batch(n int) ([]schemas.Event, error) {
	out := make([]schemas.Event, n)
	for i := range out {
		var err error
		if out[i], err = w.Next(); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return out, nil
}

// id is a text of hexadecimal digits, such as a container has.
func (w *Workload) id(digits int) string {
	text := ""
	for len(text) < digits {
		text += fmt.Sprintf("%016x", w.rnd.Uint64())
	}
	return text[:digits]
}
