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
		if !i.covered(t) || !t.held && !t.pending() {
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

// covered says that the last wish to release is about this task: its round
// began before it. A request that crossed the wish on its way is covered too;
// otherwise it would be held for good, with nobody going to ask for it.
func (i *Incident) covered(t *Task) bool {
	if i.asked == nil {
		return false
	}
	if t.Round >= 0 && t.Round < len(i.rounds) {
		return i.rounds[t.Round].Seq < i.asked.Seq
	}
	return t.firstSeq < i.asked.Seq
}

// ReleaseSeq is the sequence of the task's last release record; zero before one.
func (t *Task) ReleaseSeq() uint64 { return t.relSeq }

// Releases says how many release records the task has.
func (t *Task) Releases() int { return t.relCount }
