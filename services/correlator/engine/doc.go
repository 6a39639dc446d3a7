// Package engine matches events with playbooks: a deterministic function of
// the log of events. The same events give the same incidents, whether live,
// replayed or restarted.
//
// It is pure: no clock, no I/O. Time is event time, clamped so that it is
// never much later than the log's own stamp: a wrong clock would otherwise
// hold a window open for years. An event that comes late, from before the
// window of its group, counts as a recurrence and opens nothing.
//
// After a restart the engine is made again from three things: the records
// `opened` and `recurred` of the ledger ([Engine.Seed]), the marks that events
// have set on groups up to the cursor ([Engine.Marks], [Engine.Restore]), and
// the events after the cursor. An event that a recorded decision of its group
// already covers decides nothing again.
//
// It is not for asking the inventory, for targets or guardrails: those belong
// to the conductor, whose answers are recorded.
//
// Start with [Engine.Apply]. Today a playbook waits for single signals; the
// windows of several signals find their place in match.go.
package engine
