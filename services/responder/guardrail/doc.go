// Package guardrail holds the limits of one node that no message can change:
// what must not be touched here, which actions are allowed, and how many a
// minute. They come from a file on the node, never from the bus.
//
// It is not for the budgets of playbooks (the conductor's) nor for the global
// hold (STATE). Even a stolen conductor's key cannot get past it.
//
// Start with [Parse], [Default] and [Guardrail.Check].
package guardrail
