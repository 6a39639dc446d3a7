package conductor

import (
	"time"

	"firebreak/schemas"
	"firebreak/services/incident"
)

// file is an incident with what the conductor remembers of it beside the
// ledger; all of that can be lost.
type file struct {
	inc   *incident.Incident
	asked map[incident.Key]bool // steps whose tasks are all recorded
	waits map[string]*wait      // by task
	timer map[string]*timer     // by task

	dirty     bool // something could not be stored: to be tried again
	conflicts int  // in a row
	armed     bool
	silenced  uint64 // sequence of the wish that was published
}

// wait counts how long a task has been waited for.
type wait struct {
	attempt int
	since   time.Duration // since the request
	at      time.Time     // of the last record of its place
	quiet   time.Duration // since then
	release time.Duration // since it was asked to let go
}

func newFile(id string) *file {
	return &file{
		inc: incident.New(id), asked: map[incident.Key]bool{},
		waits: map[string]*wait{}, timer: map[string]*timer{},
	}
}

// wait of a task, reset by another attempt and by an answer.
func (f *file) wait(t *incident.Task) *wait {
	w := f.waits[t.ID]
	if w == nil || w.attempt != t.Requested.Attempt {
		w = &wait{attempt: t.Requested.Attempt, at: t.Answered()}
		f.waits[t.ID] = w
	}
	if !t.Answered().Equal(w.at) {
		w.at, w.quiet = t.Answered(), 0
	}
	return w
}

// fold takes a record into its incident, and its cost into the budget.
func (c *Conductor) fold(f *file, r schemas.Record) {
	if err := f.inc.Apply(r); err != nil {
		c.cfg.Log.Warn("conductor: a record does not fit", "incident", r.Incident, "task", r.Task, "kind", r.Kind, "seq", r.Seq, "error", err)
	}
	o := f.inc.Opened()
	if o == nil || f.inc.State() == incident.Closed {
		delete(c.open, f.inc.ID)
		return
	}
	c.open[f.inc.ID] = f
	if r.Kind != schemas.KindRequested {
		return
	}
	if t, ok := f.inc.Task(r.Task); ok && t.Requested.Mode != incident.ModeObserve && t.Target.Kind != incident.KindIncident {
		c.budget.Note(o.Playbook.Name, t.Target.ID, o.Guard.Limit, r.Stored)
	}
}

// sweep forgets closed incidents that cannot recur any more, and what no
// budget looks back to.
func (c *Conductor) sweep(now time.Time) {
	if now.Sub(c.swept) < 10*time.Minute {
		return
	}
	c.swept = now
	c.budget.Forget(c.clock)
	for id, f := range c.files {
		if c.open[id] != nil {
			continue
		}
		until := f.inc.OpenedAt().Add(time.Hour)
		if o := f.inc.Opened(); o != nil {
			until = until.Add(time.Duration(o.Once))
		}
		if c.clock.After(until) {
			delete(c.files, id)
		}
	}
}
