// Package lease lets one process be the active one of its kind: the holder of
// a key in STATE.
//
// No clocks are compared. A waiting process sees that the key has not changed
// for as long as its holder promised to renew it, by its own clock, and takes
// it over by compare-and-set. A holder that cannot renew for two thirds of that
// time gives up before another can take over. A holder that was a process of
// this host and boot and is no longer alive is taken over at once, so that a
// restart after a kill does not wait.
//
// It is no lock on what the holder does: records carry the revision, and the
// stores refuse racing writers.
//
// Start with [Hold].
package lease
