// Package correlator is the loop around the engine: it reads EVENTS, lets the
// engine decide, and stores the decisions in LEDGER.
//
// It loses nothing: what it keeps in STATE (its checkpoint: the engine's state
// at a sequence of the log) lies only behind decisions that are stored, and
// what is read again after a crash decides the same, under the same ids. While
// the bus is away it waits and tries again. Of two correlators the older one
// ends: it cannot move the checkpoint any more.
//
// Another set of playbooks is announced in EVENTS (system.playbooks.changed)
// and comes into force where the log holds that event. A restart goes on with
// the set that was in force at its place in the log.
//
// While a playbook waits for time to pass, it publishes a tick each second, so
// that time goes on in the log though nothing happens.
//
// It is not for deciding what to do about an incident: that is the conductor.
//
// Start with [Correlator.Run]; then follow.go, checkpoint.go and recover.go.
// The engine is in engine/.
package correlator
