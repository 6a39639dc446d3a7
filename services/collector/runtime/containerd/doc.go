// Package containerd is the source that follows containerd: which containers
// start, end, are paused, run out of memory or get a process put into them.
// It keeps the node's table of containers ([runtime.Known]) and the inventory.
//
// It is not for processes (see the exec sensor) nor for what containers use
// (package usage); it touches nothing.
//
// Nothing that happens between two looks is missed: a run subscribes first,
// makes containerd send an event of its own and waits for it, so that the
// subscription is known to be in force, and only then lists. What the list
// shows beyond the table is observed; what the table had and the list lacks
// has exited. The same happens every few minutes and after every restart of
// containerd, which breaks the stream.
//
// The goroutine of Run alone writes the states in the table. Look-ups for
// containers whose events are still on their way, and the inventory, have a
// goroutine each, so that neither delays an event.
//
// Start with [New], then Run, then handle.go.
package containerd
