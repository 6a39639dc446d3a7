package trial

import (
	"time"

	"firebreak/schemas"
	"firebreak/services/workshop/testfile"
)

// CaseOf makes a case of events that come from a file instead of a log: each
// was stored when it happened, and none before the one ahead of it.
func CaseOf(events []schemas.Event) testfile.Case {
	var c testfile.Case
	var clock time.Time
	for n, e := range events {
		if e.Time.After(clock) {
			clock = e.Time
		}
		if e.Stored.IsZero() {
			e.Stored = clock
		}
		e.Seq = uint64(n + 1)
		c.Events = append(c.Events, testfile.Event{Event: e})
	}
	return c
}
