// Package compare tells what two sets of playbooks make of the same events
// differently: which incidents only one of them opens, and where the same
// incident would be answered otherwise.
//
// It runs nothing itself: both replays go over the same events, one after the
// other at each event, and tell it of their incidents. What agrees is forgotten
// at once. It is pure.
//
// Start with [Comparison].
package compare
