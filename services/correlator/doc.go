// Package correlator is the loop around the engine: it reads EVENTS, lets the
// engine decide, and stores the decisions in LEDGER.
//
// It loses nothing: the cursor in STATE moves only behind a decision that is
// stored, and what is read again after a crash decides the same, under the
// same ids. While the bus is away it waits and tries again.
//
// Another set of playbooks is announced in EVENTS (system.playbooks.changed)
// and comes into force where the log holds that event, so that a replay knows
// which set an event met.
//
// It is not for deciding what to do about an incident: that is the conductor.
//
// Start with [Correlator.Run]; the engine is in engine/.
package correlator
