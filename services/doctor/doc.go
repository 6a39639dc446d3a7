// Package doctor says what this host can and cannot do for Firebreak, and what
// to do about it.
//
// Each [Check] looks at one thing and answers with a state, a detail and a
// remedy. Checks change nothing that lasts (the freezing check makes a cgroup
// of its own and takes it away again), and none of them can hang: a check that
// does not answer in time is itself a finding.
//
// It is not for watching a running Firebreak: that is what the events
// source.lost and events.lost are for.
//
// Start with [Checks] for the list and [Run] for the report.
package doctor
