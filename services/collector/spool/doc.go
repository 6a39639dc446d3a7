// Package spool keeps events on disk that the bus did not take, in order and
// within a bound, until they are delivered.
//
// It is a folder of segment files (NDJSON, one event a line), appended at the
// last one and read from the first. Beside them lie "cursor" (how far was
// delivered), "lost.json" (how many events of which source found no room, so
// that the loss is still told after a crash) and "lock" (one process at a time).
//
// What survives: an append is one write, so a killed process (kill -9) loses
// at most the line it was writing; the torn rest is cut off at the next Open.
// Files are synced by [Spool.Sync] (the collector calls it every second while
// something was written), when a segment is full, and by [Spool.Close]; a
// power cut can therefore take the last second. Delivery is at least once: a
// crash between delivering an event and noting it repeats that event under its
// own id, and the bus drops the second.
//
// It is not a queue between goroutines and starts none. Start with [Open].
package spool
