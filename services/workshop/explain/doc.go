// Package explain says why an event did or did not match a playbook: condition
// by condition with the values that they looked at, then how the windows stood
// that it came into, what the guard leaves alone, and what the steps would do.
//
// It decides nothing itself: conditions are those of the playbook, windows are
// told by the engine that matches live. It prints nothing; package main does.
//
// It is pure. Start with [Signals] for one event by itself.
package explain
