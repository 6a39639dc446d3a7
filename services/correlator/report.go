package correlator

import (
	"context"
	"slices"
	"time"

	"firebreak/services/correlator/engine"
)

// reportEvery is how often the log hears what the engine counts.
const reportEvery = time.Minute

// report says at most once a minute what was counted since: events that came
// late, and conditions that could not be evaluated.
func (c *Correlator) report(ctx context.Context) error {
	before := map[string]engine.Stats{}
	for sleep(ctx, reportEvery) {
		c.reportOnce(before)
	}
	return ctx.Err()
}

func (c *Correlator) reportOnce(before map[string]engine.Stats) {
	now := c.Stats()
	names := make([]string, 0, len(now))
	for name := range now {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		is, was := now[name], before[name]
		late, failed := is.Late-min(was.Late, is.Late), is.Errors-min(was.Errors, is.Errors)
		if late > 0 || failed > 0 {
			c.cfg.Log.Warn("correlator: events that a playbook could not use", "playbook", name, "late", late, "errors", failed, "last_error", is.LastError)
		}
		before[name] = is
	}
}
