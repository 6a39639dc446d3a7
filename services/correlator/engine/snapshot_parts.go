package engine

import (
	"container/heap"
	"maps"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine/packed"
)

func (c *clock) write(w *packed.Writer) {
	for _, v := range []int64{c.log, c.stored, c.top, c.mark} {
		w.Int(v)
	}
	all := c.sorted()
	w.Uint(uint64(len(all)))
	for _, s := range all {
		w.Text(s.key.writer)
		w.Text(s.key.source)
		w.Int(s.high)
		w.Int(s.heard)
		w.Bool(s.place >= 0)
		s.write(w)
	}
}

func (c *clock) read(r *packed.Reader) {
	for _, v := range []*int64{&c.log, &c.stored, &c.top, &c.mark} {
		*v = r.Int()
	}
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		s := &source{key: sourceKey{r.Text(), r.Text()}, high: r.Int(), heard: r.Int(), place: -1}
		live := r.Bool()
		s.read(r)
		c.add(s)
		if live {
			heap.Push(&c.live, s)
		}
	}
}

func (l *life) write(w *packed.Writer) {
	w.Text(l.host)
	w.Uint(uint64(len(l.types)))
	for _, t := range l.types {
		w.Text(t)
	}
	w.Uint(uint64(len(l.beats)))
	for _, at := range l.beats {
		w.Int(at)
	}
	w.Int(l.last)
	w.Bool(l.beaten)
	w.Uint(uint64(len(l.breaks)))
	for _, b := range l.breaks {
		w.Int(b.from)
		w.Int(b.to)
	}
}

func (l *life) read(r *packed.Reader) {
	l.host = r.Text()
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		l.types = append(l.types, r.Text())
	}
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		l.beats = append(l.beats, r.Int())
	}
	l.last, l.beaten = r.Int(), r.Bool()
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		l.breaks = append(l.breaks, span{r.Int(), r.Int()})
	}
}

func (t *twice) write(w *packed.Writer) {
	for _, half := range t.order {
		w.Uint(uint64(len(half)))
		for _, hash := range half {
			w.Fixed(hash)
		}
	}
}

func (t *twice) read(r *packed.Reader) {
	for i, into := range []*map[uint64]struct{}{&t.young, &t.old} {
		n := r.Count()
		*into = make(map[uint64]struct{}, min(n, generation))
		for ; n > 0 && !r.Failed(); n-- {
			hash := r.Fixed()
			t.order[i] = append(t.order[i], hash)
			(*into)[hash] = struct{}{}
		}
	}
}

func writeTime(w *packed.Writer, t time.Time) {
	w.Bool(!t.IsZero())
	if !t.IsZero() {
		w.Int(t.Unix())
		w.Uint(uint64(t.Nanosecond())) //nolint:gosec // less than a second
	}
}

func readTime(r *packed.Reader) time.Time {
	if !r.Bool() {
		return time.Time{}
	}
	return time.Unix(r.Int(), int64(r.Uint())).UTC() //nolint:gosec // less than a second
}

func (e *Engine) writeGroups(w *packed.Writer) {
	w.Uint(uint64(len(e.books)))
	for _, name := range slices.Sorted(maps.Keys(e.books)) {
		b := e.books[name]
		w.Text(name)
		w.Uint(uint64(len(b.byKey)))
		for _, q := range b.queue {
			if g := b.byKey[q.group]; g != nil && g.incident == q.incident {
				w.Text(q.group)
				g.write(w)
			}
		}
	}
}

func readGroups(r *packed.Reader) (map[string]*groups, map[string]*group) {
	books, incidents := map[string]*groups{}, map[string]*group{}
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		b := &groups{byKey: map[string]*group{}}
		name := r.Text()
		books[name] = b
		for n := r.Count(); n > 0 && !r.Failed(); n-- {
			key, g := r.Text(), &group{playbook: name}
			g.read(r)
			b.byKey[key] = g
			b.queue = append(b.queue, queued{key, g.incident})
			if g.incident != "" {
				incidents[g.incident] = g
			}
		}
	}
	return books, incidents
}

func (g *group) write(w *packed.Writer) {
	w.Text(g.incident)
	for _, t := range []time.Time{g.opened, g.end, g.coveredAt, g.lastN, g.suppress} {
		writeTime(w, t)
	}
	w.Uint(uint64(len(g.seen)))
	for _, hash := range g.seen {
		w.Fixed(hash)
	}
	w.Uint(g.covered)
	w.Int(int64(g.n))
	w.Int(int64(g.arms))
	w.Bool(g.armed)
}

func (g *group) read(r *packed.Reader) {
	g.incident = r.Text()
	for _, t := range []*time.Time{&g.opened, &g.end, &g.coveredAt, &g.lastN, &g.suppress} {
		*t = readTime(r)
	}
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		g.seen = append(g.seen, r.Fixed())
	}
	g.covered = r.Uint()
	g.n, g.arms, g.armed = int(r.Int()), int(r.Int()), r.Bool()
}

// Kinds of reports.
const (
	overKind = iota
	refusedKind
	unknownKind
)

func (q *reports) write(w *packed.Writer) {
	w.Uint(uint64(len(q.list)))
	for _, r := range q.list {
		w.Bool(r.said)
		w.Int(r.last)
		w.Int(int64(r.each))
		w.Uint(r.count)
		switch {
		case r.over != nil:
			w.Uint(overKind)
			writeTexts(w, r.over.Playbook, r.over.Signal, r.over.Incident)
			w.Int(int64(r.over.Limit))
		case r.unknown != nil:
			w.Uint(unknownKind)
			writeTexts(w, r.unknown.Playbook, r.unknown.Signal, r.unknown.Group, r.unknown.After, r.unknown.Reason)
		default:
			w.Uint(refusedKind)
			writeTexts(w, r.refused.Source, r.refused.ID, r.refused.Type, r.refused.Reason, r.refused.Digest)
			w.Uint(r.refused.Seq)
			w.Int(int64(r.refused.Size))
		}
	}
}

func writeTexts(w *packed.Writer, texts ...string) {
	for _, s := range texts {
		w.Text(s)
	}
}

func (q *reports) read(r *packed.Reader) {
	for n := r.Count(); n > 0 && !r.Failed(); n-- {
		one := report{said: r.Bool(), last: r.Int(), each: int(r.Int()), count: r.Uint()}
		switch r.Uint() {
		case overKind:
			one.over = &schemas.OverflowEvent{Playbook: r.Text(), Signal: r.Text(), Incident: r.Text(), Limit: int(r.Int())}
		case unknownKind:
			one.unknown = &schemas.UnknownEvent{Playbook: r.Text(), Signal: r.Text(), Group: r.Text(), After: r.Text(), Reason: r.Text()}
		default:
			one.refused = &schemas.RefusedEvent{Source: r.Text(), ID: r.Text(), Type: r.Text(), Reason: r.Text(), Digest: r.Text()}
			one.refused.Seq, one.refused.Size = r.Uint(), int(r.Int())
		}
		q.list = append(q.list, one)
	}
}
