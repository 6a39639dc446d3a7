// Package rehearsal is a world in memory with an action to act on it, for
// tests of the executor, of the conformance suite and of what stands above
// them. Nothing else belongs in here, and no product code imports it.
//
// Its things are containers that run or are paused, some of them together in a
// pod. The action is pause, with the same contract as the real one, and faults
// can be put into it. Start with [NewWorld] and [World.Action].
package rehearsal

import (
	"maps"
	"slices"
	"sync"

	"firebreak/schemas"
)

// States of a thing.
const (
	Running = "running"
	Paused  = "paused"
)

// World is a set of things. Safe for concurrent use.
type World struct {
	mu     sync.Mutex
	states map[string]string
	pods   map[string]string
	calls  map[string]int // how often each method was called
	halted map[string]int // how often a thing was really paused by Apply or Keep
	undone map[string]int // how often a thing was really set running again by Undo
}

// NewWorld gives an empty world.
func NewWorld() *World {
	return &World{states: map[string]string{}, pods: map[string]string{}, calls: map[string]int{}, halted: map[string]int{}, undone: map[string]int{}}
}

// Add puts a thing into the world; pod may be "".
func (w *World) Add(id, pod, state string) schemas.Target {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[id], w.pods[id] = state, pod
	return w.target(id)
}

func (w *World) target(id string) schemas.Target {
	t := schemas.Target{Kind: "container", ID: id, Place: schemas.NodePlace("n1"), Name: id}
	t.Container = &schemas.Container{ID: id, Name: id}
	if pod := w.pods[id]; pod != "" {
		t.K8s = &schemas.K8s{Pod: &schemas.Pod{UID: pod, Name: pod}, Namespace: &schemas.Namespace{Name: "shop"}}
	}
	return t
}

// Set changes a thing behind everybody's back; "" takes it away.
func (w *World) Set(id, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state == "" {
		delete(w.states, id)
		return
	}
	w.states[id] = state
}

// Snapshot gives the state of all things.
func (w *World) Snapshot() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.states)
}

// State gives the state of one thing.
func (w *World) State(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.states[id]
}

// Calls says how often a method of the action was called.
func (w *World) Calls(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// Halted says how often a thing that ran was paused by the action.
func (w *World) Halted(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.halted[id]
}

// pause pauses what is there; w.mu is held.
func (w *World) pause(id string) {
	if w.states[id] == Running {
		w.halted[id]++
	}
	w.states[id] = Paused
}

// Undone says how often a thing was set running again by Undo.
func (w *World) Undone(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.undone[id]
}

// podOf gives the things in the pod of one; w.mu is held.
func (w *World) podOf(id string) []string {
	pod := w.pods[id]
	if pod == "" {
		return []string{id}
	}
	var out []string
	for other := range w.states {
		if w.pods[other] == pod {
			out = append(out, other)
		}
	}
	slices.Sort(out)
	return out
}
