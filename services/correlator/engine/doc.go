// Package engine matches events with playbooks: a deterministic function of
// the log of events. The same events give the same incidents, whether live,
// replayed or restarted. What it must hold to stands in docs/playbooks.md, "The
// exact rules"; sentences_test.go has a case for each.
//
// It is pure: no clock, no I/O, no goroutines. Time is event time, clamped to
// the log's own stamp; how far it has come is the watermark (clock.go).
//
// An event comes in by [Engine.Apply]. The index says which signals it is one
// of, and match.go hands it to the matches that have those as operands: any.go,
// count.go, gather.go (all, distinct), sequence.go, absent.go, baseline.go. A
// match that is completed is handed to those that have it as an operand, up to
// the playbook's own, which opens an incident or lets one recur (fire.go,
// group.go). What waits for the watermark is in due.go.
//
// A match is completed by events and their times, not by their order: an event
// that comes late, but within [Lateness] of its source's latest, completes a
// match at later events too. Only what the watermark has passed is cut. So an
// operator asks at which events of a window it stands, and marks those.
//
// Windows hold times, sequences and hashes of events, never their data; [Fill]
// reads the data again from the log when a decision needs it.
//
// After a restart the engine goes on from a snapshot ([Engine.Restore]) with
// the events after it. Without one it learns from the ledger what was decided
// ([Engine.Seed]) and reads the log from its start.
//
// It is not for asking the inventory, for targets or guardrails: those belong
// to the conductor, whose answers are recorded.
package engine
