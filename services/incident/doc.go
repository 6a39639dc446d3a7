// Package incident is the fold of an incident's records: what is known of it,
// how its tasks stand, what is held, and what comes next.
//
// It is pure: no clock, no I/O. Records of one task at one place must come in
// the ledger's order; between tasks and places any order gives the same
// incident, and a record that comes twice changes nothing. A record that
// cannot follow what was folded before is refused with [ErrImpossible]: its
// place in the chain is noted (the next record has to follow it), its content
// is not.
//
// It is not for deciding targets or guardrails (services/conductor/decide) and
// asks nobody for anything.
//
// Decisions taken here:
//   - "closed" is derived: a closed record, and nothing unfinished or held. A
//     late result of a place, or a recurrence that brings a new target, opens
//     the incident again.
//   - A plan in mode enforce counts as held from the moment it is stored, since
//     its effect may be there after a crash; so does a task that failed after
//     its plan. Only `released`, `refused`, `gone` and `observed` end it.
//   - A `failed` by the core for a task that another place works on says that
//     the place did not answer in time. What the place records later counts
//     more.
//   - A task that was released before its place had planned it is settled: the
//     place sees the release before it can store a plan.
//
// Start with [Incident.Apply] and [Incident.Next].
package incident
