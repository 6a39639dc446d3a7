// Package conductor asks for the steps of open incidents: it folds the ledger,
// asks the incident what comes next, lets decide say what that means, and
// stores the requests. One conductor is active at a time (services/lease),
// because budgets need one decider.
//
// All it knows follows from the ledger, the hold and its timers in STATE, and
// every record it writes has an id that follows from what it records. A crash
// between any two of them is therefore harmless: the next conductor folds the
// ledger and goes on.
//
// It acts in the callback that brings a record: no queue, no polling. What
// waits for time is counted in ticks while it runs, so that its own downtime
// does not count: a step's timeout, the backoff of a retry, and `for`, whose
// count is kept in STATE under timer.<incident>.<task>.
//
// Decisions taken here:
//   - A place that does not answer a request within the step's `timeout` (2 min
//     when left out; 10 min from the last record once it has planned) is
//     recorded as `failed` at the core with the cause timeout, so that the next
//     step and `onFailure` may run. The request stands; the incident stays open
//     until the place answers or a person releases it, since nobody knows what
//     is held there.
//   - A group is armed again when its response failed or was ineffective, and
//     when its target was gone: a container that is started again under its old
//     id must not run uncontained for the rest of `once`.
//   - Retries are for failures that the place called transient, not for timeouts.
//   - Releases are sent step by step in reverse order; a place that does not
//     answer for 2 min no longer keeps the others waiting.
//   - A release because `for` has passed waits while the global hold is on, and
//     while the incident recurred in the last 5 min. `onExpire: terminate` has
//     no action yet: it keeps, and says so.
//
// It is not for carrying anything out, nor for opening incidents.
//
// Start with [Conductor.Run] and advance.go.
package conductor
