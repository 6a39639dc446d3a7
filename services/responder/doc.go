// Package responder carries out what the conductor asks of one place (a node,
// or the core): it plans, records the plan, applies, verifies, keeps and
// releases.
//
// It is a fold over the ledger with hands. Every decision follows from the
// records of its own place, so that a crash at any moment loses nothing: a
// recorded plan is carried out as it stands, never planned anew, because a new
// plan would take our own effect for the prior state. An effect is a hold with
// a set of holders across incidents; the first holder's prior state counts and
// undo runs when the last holder lets go.
//
// It is not for deciding whether to act (the conductor does that) and knows no
// action by name. What an action has to offer is in [Action] and the optional
// [Verifier], [Keeper] and [Undoer]; the list is in the folder action/, the
// local limits that no message can change in guardrail/, and the suite that
// every action has to pass in conformance/.
//
// Start with [Run] and [Config]; then book.go (the fold), hold.go (the holder
// sets) and next.go (what follows from them).
package responder
