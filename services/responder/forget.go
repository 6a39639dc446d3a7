package responder

import (
	"slices"

	"firebreak/schemas"
)

// over says that nothing more can come of a task, by its own records: it has
// ended, holds nothing, and will not be asked again. Its last record must have
// come by the stream, which would otherwise make a task of it anew.
func (t *task) over() bool {
	if t.held || t.retry || t.release != nil || t.releasing != nil || len(t.early) > 0 || t.head.Seq > t.streamed {
		return false
	}
	switch t.stage {
	case stageReleased, stageDone:
		return true
	case stageApplied:
		return !t.pending()
	default:
		return false
	}
}

// tidy forgets the tasks of an idle lane that are over, and the lane with its
// last task: a responder lives long, and its memory must not grow with every
// incident there ever was.
func (b *book) tidy(l *lane) {
	if l.queued || l.running || l.late || l.keep {
		return
	}
	l.tasks = slices.DeleteFunc(l.tasks, func(t *task) bool {
		if !t.over() || b.holds.byName[t.holder()] != nil {
			return false
		}
		delete(b.tasks, t.holder())
		return true
	})
	if len(l.tasks) > 0 {
		return
	}
	delete(b.lanes, l.key)
	b.unlearn(l)
}

// stray forgets what a release has made a task of that was forgotten before: it
// crossed the task's end on its way.
func (b *book) stray(t *task, kind schemas.Kind) {
	if kind == schemas.KindRelease && t.req == nil && t.stage == stageNone {
		delete(b.tasks, t.holder())
	}
}
