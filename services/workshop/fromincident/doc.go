// Package fromincident makes a test of a real incident: the events that had to
// do with it, at the times they had, and what came of them.
//
// It reads no log: records and events are given. It is pure. Start with [Make].
//
// Decisions taken here:
//   - An event belongs to the incident when it meets the condition of one of
//     the playbook's signals and contradicts none of the fields of the group.
//     One that an event of the group may need is rather kept than lost.
//   - What the log has let go is taken from the incident's own records, which
//     carry the events that completed its signals.
//   - Where a step came to a bad end, a mock brings that about again. What a
//     test cannot bring about (a budget that other incidents had used up, what
//     a configuration protects) is told in the file's head and in
//     [Made.Notes], never left out silently.
package fromincident
