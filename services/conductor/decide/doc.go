// Package decide says what a step means for an incident: on which targets, in
// which mode, and whether the guardrails let it. It is pure: the same incident,
// hold, budget and time give the same tasks.
//
// Every step ends in records: a request at the place of each target, or, where
// nothing is asked, an outcome at the core with its cause, the reason in plain
// words and a remedy. A skip or a refusal is never a success.
//
// Which kind an outcome has: `refused` when a guardrail says no (approval,
// guard, protected, budget); `skipped` when there is nothing to do or nobody
// may act (condition, needs, target, unknown action, hold); `failed` when a
// `target` or a ${…} cannot be evaluated.
//
// `target` and `when` may ask the [Inventory]; what it said goes into the
// record. `limit.share` needs to know a workload's replicas and is not looked
// at yet.
//
// Start with [Decider.Step]; guard.go has the guardrails in their order.
package decide
