package incident

import "slices"

// ToRelease gives the tasks that are to be let go now because a person asked:
// those of the last step first, and those of the step before it when these are
// released, because undo runs in reverse order. late says for which tasks the
// place has not answered the release for too long, so that it does not keep
// the others waiting.
func (i *Incident) ToRelease(late func(*Task) bool) []*Task {
	if i.asked == nil {
		return nil
	}
	tasks := i.Tasks()
	slices.Reverse(tasks)
	var due []*Task
	waiting := false
	for n, t := range tasks {
		if n > 0 && (tasks[n-1].Step != t.Step || tasks[n-1].Round != t.Round) && (waiting || len(due) > 0) {
			break
		}
		if t.firstSeq > i.asked.Seq || !t.held && !t.pending() {
			continue
		}
		switch {
		case t.Releasing():
			waiting = waiting || !late(t)
		case t.relSeq < i.asked.Seq:
			due = append(due, t)
		}
	}
	return due
}

// ReleaseSeq is the sequence of the task's last release record; zero before one.
func (t *Task) ReleaseSeq() uint64 { return t.relSeq }

// Releases says how many release records the task has.
func (t *Task) Releases() int { return t.relCount }
