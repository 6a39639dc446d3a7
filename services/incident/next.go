package incident

import (
	"cmp"
	"slices"

	"firebreak/schemas"
)

// Ask is a step whose turn it is in a round.
type Ask struct {
	Step  schemas.Step
	Round int
	// Begun says that some of its tasks are recorded: it was decided to run it,
	// and only targets that are missing after a crash are to be asked.
	Begun bool
	// Only limits a step of `onFailure` to the targets that failed; nil for no limit.
	Only []schemas.Target
}

// Next is what the steps of an incident wait for.
type Next struct {
	Asks     []Ask
	Retries  []*Task // failed, and may be tried again after the backoff of their step
	Complete bool    // every step had its turn
}

// Key names a step in a round.
type Key struct {
	Round int
	Step  string
}

// Next says which steps' turn it is. Steps run in order, the next whatever
// became of the last; asked says which ones have all their tasks recorded.
// A release that a person asked for ends the steps of the rounds before it.
func (i *Incident) Next(asked func(Key) bool) Next {
	if i.opened == nil {
		return Next{}
	}
	w := walk{i: i, asked: asked, tasks: map[Key][]*Task{}}
	for _, t := range i.tasks {
		k := Key{t.Round, t.Step}
		w.tasks[k] = append(w.tasks[k], t)
	}
	for _, list := range w.tasks {
		slices.SortFunc(list, func(a, b *Task) int { return cmp.Compare(a.firstSeq, b.firstSeq) })
	}
	w.next.Complete = true
	for n, r := range i.rounds {
		if i.asked != nil && r.Seq < i.asked.Seq {
			continue
		}
		if !w.sequence(i.opened.Steps, n, nil) {
			w.next.Complete = false
		}
	}
	return w.next
}

type walk struct {
	i     *Incident
	asked func(Key) bool
	tasks map[Key][]*Task
	next  Next
}

// sequence says whether all the steps had their turn. A step that comes before
// one that has begun is not decided again: what it depended on may have changed.
func (w *walk) sequence(steps []schemas.Step, round int, only []schemas.Target) bool {
	last := -1
	for n := range steps {
		if w.begun(&steps[n], round) {
			last = n
		}
	}
	for n := range steps {
		if !w.step(&steps[n], round, only, n < last) {
			return false
		}
	}
	return true
}

func (w *walk) begun(s *schemas.Step, round int) bool {
	if len(w.tasks[Key{round, s.ID}]) > 0 {
		return true
	}
	for n := range s.Parallel {
		if w.begun(&s.Parallel[n], round) {
			return true
		}
	}
	return false
}

func (w *walk) step(s *schemas.Step, round int, only []schemas.Target, passed bool) bool {
	if len(s.Parallel) > 0 {
		done := true
		for n := range s.Parallel {
			done = w.step(&s.Parallel[n], round, only, passed) && done
		}
		if bad := w.bad(s, round); done && len(bad) > 0 && len(s.OnFailure) > 0 {
			return w.sequence(s.OnFailure, round, bad)
		}
		return done
	}
	k := Key{round, s.ID}
	tasks := w.tasks[k]
	if !passed && !w.asked(k) {
		w.next.Asks = append(w.next.Asks, Ask{Step: *s, Round: round, Begun: len(tasks) > 0, Only: only})
		return false
	}
	done := true
	var bad []schemas.Target
	for _, t := range tasks {
		switch {
		case w.i.retryable(t, s):
			w.next.Retries = append(w.next.Retries, t)
			done = false
		case !t.Final():
			done = false
		case t.Bad():
			bad = append(bad, t.Target)
		}
	}
	if !done {
		return false
	}
	if len(bad) > 0 && len(s.OnFailure) > 0 {
		return w.sequence(s.OnFailure, round, bad)
	}
	return true
}

// bad gives the targets on which the steps of a parallel failed, each once.
func (w *walk) bad(s *schemas.Step, round int) []schemas.Target {
	var out []schemas.Target
	for n := range s.Parallel {
		sub := &s.Parallel[n]
		found := w.bad(sub, round)
		for _, t := range w.tasks[Key{round, sub.ID}] {
			if t.Bad() {
				found = append(found, t.Target)
			}
		}
		for _, t := range found {
			if !slices.ContainsFunc(out, func(o schemas.Target) bool { return o.Kind == t.Kind && o.ID == t.ID }) {
				out = append(out, t)
			}
		}
	}
	return out
}

// retryable says whether a failed task is to be tried again: its place said
// that it can help, and not all attempts are used up.
func (i *Incident) retryable(t *Task, s *schemas.Step) bool {
	return s.Retry != nil && t.place.state == Failed && !t.undoing && !t.release &&
		t.place.outcome.Transient && t.Requested.Attempt <= s.Retry.Attempts &&
		!i.covered(t)
}

// MayClose says that an incident whose steps are complete can be closed now:
// nothing is unfinished or held, and it is not closed already.
func (i *Incident) MayClose() bool {
	return i.opened != nil && i.State() == Open && i.settled()
}

// Tasks gives the tasks in the order of rounds and steps.
func (i *Incident) Tasks() []*Task {
	out := make([]*Task, 0, len(i.tasks))
	for _, t := range i.tasks {
		if t.State() != "" {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *Task) int {
		return cmp.Or(
			cmp.Compare(a.Round, b.Round),
			cmp.Compare(i.position(a.Step), i.position(b.Step)),
			cmp.Compare(a.firstSeq, b.firstSeq),
		)
	})
	return out
}

func (i *Incident) position(step string) int {
	if s, known := i.steps[step]; known {
		return s.index
	}
	return len(i.steps)
}

// Task gives a task by its id.
func (i *Incident) Task(id string) (*Task, bool) {
	t, known := i.tasks[id]
	if !known || t.State() == "" {
		return nil, false
	}
	return t, true
}

// Holding gives the tasks whose effect is there, or may be there, in order.
func (i *Incident) Holding() []*Task {
	return slices.DeleteFunc(i.Tasks(), func(t *Task) bool { return !t.held })
}
