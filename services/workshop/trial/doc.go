// Package trial runs the tests beside playbooks: the events of a case go
// through the engine that matches live, its incidents through the fold and the
// deciding that the conductor uses, and a mock stands in for the places that
// would carry out the steps.
//
// Everything happens in event time. Nothing takes longer than it takes to
// compute: places answer at once, and where something waits (a backoff, a
// `for`, a window's deadline) time jumps there.
//
// It keeps the conductor's rules about time (world.go, due.go) in its own form,
// because those count ticks of a running process. It asks no inventory and
// stores nothing.
//
// Start with [Runner.Run]; judge.go compares what happened with what a test
// expects.
package trial
