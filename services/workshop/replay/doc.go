// Package replay runs recorded events through the engine that matches live,
// and tells which incidents they open and what the steps would do. Nothing is
// touched, and nothing is stored.
//
// Events come from files ([Files]): lines are read and decoded beside the
// engine, in their order, so that a replay is as fast as the slower of the two.
// Or they come from the log itself ([Log]), with the playbooks that were in
// force there; then a replay gives what was decided live, and [Check] compares
// the two.
//
// It is not for the steps' outcome: places answer as if all went well, no
// inventory is asked, and time does not run on behind the last event. The tests
// beside a playbook (package trial) are for that.
//
// Start with [New] and [Run.Apply].
package replay
