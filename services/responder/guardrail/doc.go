// Package guardrail holds the limits of one node that no message can change:
// what must not be touched here, which actions are allowed, and how many a
// minute. They come from a file on the node, never from the bus.
//
// It is not for the budgets of playbooks (the conductor's) nor for the global
// hold (STATE). A request cannot talk its way past it where the action itself
// finds out what the target is: what an action puts into its plan's members is
// checked again. Labels or a namespace that no action looks up at the source are
// only as true as the request.
//
// A label is as trustworthy as whoever may set it: one that tenants can put on
// their pods protects what they like.
//
// Start with [Parse], [Default] and [Guardrail.Check].
package guardrail
