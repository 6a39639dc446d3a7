package engine

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// unreadable is an event of a type that playbooks wait for, with a key twice.
func unreadable(id string) schemas.Event {
	return schemas.Event{
		Source: "/local/n1/exec", ID: id, Type: schemas.ProcessStarted, Time: epoch,
		Data: []byte(`{"process":{"pid":1,"pid":2}}`),
	}
}

// Every playbook of the type has lost what was refused, those of the set that
// was in force then.
func TestRefusedCounts(t *testing.T) {
	a, b, other := miner(t, "a", "xmrig", 0, "container.id"), miner(t, "b", "minerd", 0, "container.id"), miner(t, "c", "x", 0, "container.id")
	other.Signals[0].Type, other.Signals[0].When = schemas.ContainerStarted, nil
	e := New(set("1", a, b, other))
	var observed []string
	e.Observe = func(o Observation) {
		if o.What == Failed {
			observed = append(observed, o.Playbook)
		}
	}
	want := func(playbook string, errors uint64) {
		t.Helper()
		s := e.Stats()[playbook]
		if s.Errors != errors || (errors > 0) != strings.Contains(s.LastError, "pid") {
			t.Errorf("%s: %+v, want %d errors", playbook, s, errors)
		}
	}
	e.Apply(unreadable("1"))
	e.Apply(unreadable("2"))
	want("a", 2)
	want("b", 2)
	want("b", 2) // asking counts nothing
	want("c", 0)
	e.Apply(unreadable("3"))
	e.Swap(set("2", a, other))
	e.Apply(unreadable("4"))
	want("a", 4)
	want("b", 3)
	want("c", 0)
	if got := strings.Join(observed, ""); got != "abababa" {
		t.Errorf("observed %s", got)
	}
	// The last error is the later one, whoever counted it.
	e.leaf[0].book.stats.fail(fmt.Errorf("a field is absent"))
	if s := e.Stats()["a"]; s.Errors != 5 || s.LastError != "a field is absent" {
		t.Errorf("%+v", s)
	}
	e.Apply(unreadable("5"))
	want("a", 6)
}

// BenchmarkRefused is an event that intake refuses, by the number of playbooks.
func BenchmarkRefused(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("playbooks=%d", n), func(b *testing.B) {
			var all []*playbook.Playbook
			for i := range n {
				all = append(all, miner(b, fmt.Sprintf("p%d", i), "xmrig", 0, "container.id"))
			}
			e := New(set("d", all...))
			ev := unreadable("1")
			b.ReportAllocs()
			for b.Loop() {
				e.Apply(ev)
			}
		})
	}
}
