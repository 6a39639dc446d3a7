package engine

import (
	"slices"
	"time"

	"firebreak/schemas"
)

// between two reports of the same kind lies so much of the log's time; what
// happens in between is counted.
const reportEvery = int64(time.Minute)

// eachUnknown is how many unknown absences of one signal are told each by
// itself in that time: one source that falls silent may make a hundred
// thousand of them.
const eachUnknown = 32

// maxReports bounds the sources that are told apart: who sends what is refused
// chooses their names. Those beyond are counted together.
const maxReports = 1024

const otherSources = "(others)"

// reports holds back what would be said too often.
type reports struct{ list []report }

// report is one kind of thing that is said: what was forgotten of a match,
// refused from a source, or not known of a signal.
type report struct {
	said    bool
	last    int64 // when it was said last, by the log's time; of unknown the first of several
	each    int   // how many were told each by itself since then
	count   uint64
	over    *schemas.OverflowEvent
	refused *schemas.RefusedEvent
	unknown *schemas.UnknownEvent
}

func (r *report) same(o *report) bool {
	if r.over != nil && o.over != nil {
		return r.over.Playbook == o.over.Playbook && r.over.Signal == o.over.Signal
	}
	if r.unknown != nil && o.unknown != nil {
		return r.unknown.Playbook == o.unknown.Playbook && r.unknown.Signal == o.unknown.Signal
	}
	return r.refused != nil && o.refused != nil && r.refused.Source == o.refused.Source
}

// quiet says that it was said just now.
func (r *report) quiet(e *Engine) bool {
	return r.said && e.clock.log >= r.last && e.clock.log-r.last < reportEvery
}

// waiting says that something counted is not said yet.
func (q *reports) waiting() bool {
	return slices.ContainsFunc(q.list, func(r report) bool { return r.count > 0 })
}

func (q *reports) overflowed(e *Engine, n *node, limit, count int, incident string) {
	q.overflow(e, n.book.Name, n.name, limit, count, incident)
}

func (q *reports) overflow(e *Engine, playbook, signal string, limit, count int, incident string) {
	e.statsOf(playbook).Overflowed += uint64(count)                     //nolint:gosec // a number of windows
	q.add(e, report{count: uint64(count), over: &schemas.OverflowEvent{ //nolint:gosec // as above
		Playbook: playbook, Signal: signal, Limit: limit, Incident: incident,
	}})
}

// refusal counts a refused event. What is said of those that are held back is
// said of the first of them: describe is not called for the others.
func (q *reports) refusal(e *Engine, source string, describe func(source string) *schemas.RefusedEvent) {
	i := q.find(report{refused: &schemas.RefusedEvent{Source: source}})
	if i < 0 && len(q.list) >= maxReports {
		source = otherSources
		i = q.find(report{refused: &schemas.RefusedEvent{Source: source}})
	}
	if i >= 0 && q.list[i].count > 0 {
		q.list[i].count++
		return
	}
	q.add(e, report{count: 1, refused: describe(source)})
}

// notKnown tells of an unknown absence, or counts it when there were many.
func (q *reports) notKnown(e *Engine, u *schemas.UnknownEvent) {
	i := q.find(report{unknown: u})
	if i < 0 {
		q.list = append(q.list, report{unknown: u})
		i = len(q.list) - 1
	}
	r := &q.list[i]
	if !r.quiet(e) {
		q.say(e, r) // what was counted before
		r.said, r.last, r.each = true, e.clock.log, 0
	}
	r.unknown = u
	if r.each >= eachUnknown {
		r.count++
		return
	}
	r.each++
	d := *u
	d.Count = 1
	e.out = append(e.out, Unknown{d})
}

func (q *reports) find(r report) int {
	return slices.IndexFunc(q.list, func(o report) bool { return o.same(&r) })
}

// add counts a report, and says it unless it was said just now.
func (q *reports) add(e *Engine, r report) {
	i := q.find(r)
	if i < 0 {
		q.list = append(q.list, r)
		i = len(q.list) - 1
	} else {
		o := &q.list[i]
		o.count += r.count
		o.over, o.refused = r.over, r.refused
	}
	q.say(e, &q.list[i])
}

func (q *reports) say(e *Engine, r *report) {
	if r.count == 0 || r.quiet(e) {
		return
	}
	switch {
	case r.over != nil:
		d := *r.over
		d.Count = r.count
		e.out = append(e.out, Overflowed{d})
	case r.unknown != nil:
		d := *r.unknown
		d.Count = r.count
		e.out = append(e.out, Unknown{d})
	default:
		d := *r.refused
		d.Count = r.count
		e.out = append(e.out, Refused{d})
	}
	r.count, r.each, r.said, r.last = 0, 0, true, e.clock.log
}

// flush says what has been held back long enough, and forgets what is old.
func (q *reports) flush(e *Engine) {
	if len(q.list) == 0 {
		return
	}
	for i := range q.list {
		q.say(e, &q.list[i])
	}
	q.list = slices.DeleteFunc(q.list, func(r report) bool {
		return r.count == 0 && e.clock.log-r.last >= reportEvery
	})
}
