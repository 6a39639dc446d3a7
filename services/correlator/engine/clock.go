package engine

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"firebreak/schemas"
)

// Lateness is how much older than the latest of its own source an event may be.
const Lateness = 10 * time.Second

const (
	// aheadBound and behindBound are how far an event's own time may lie from
	// the log's stamp.
	aheadBound  = time.Minute
	behindBound = 24 * time.Hour
	// silence is how long a source that says nothing holds back the watermark.
	silence = time.Minute
	// laggard is how far behind the log a source's time may be and still hold
	// back the watermark: nobody must be able to stop it for a day by his clock.
	laggard = 5 * time.Minute
	// backBound is how far the log's time may run back before it begins anew.
	backBound = time.Minute
	// maxSources bounds the sources whose time is known, and maxOfWriter those
	// of one writer: a stolen key must not displace what others have told.
	maxSources  = 1 << 16
	maxOfWriter = maxSources / 8
	// maxSourceName is the longest name of a source that intake takes.
	maxSourceName = 1024

	systemPrefix  = schemas.Prefix + "system."
	runtimePrefix = schemas.Prefix + "runtime."
	hostPrefix    = schemas.Prefix + "host."
)

// sourceKey names a source. The writer belongs to it: a node that writes under
// another's name must not move the other's time.
type sourceKey struct{ writer, source string }

// source is what is known of a source's time.
type source struct {
	key   sourceKey
	high  int64 // the latest time of its events and heartbeats
	heard int64 // the log's time when it was heard of last
	place int   // in clock.live; -1 when it is not there

	life
}

// clock is the log's sense of time. Nothing else tells the engine what time it is.
type clock struct {
	log     int64 // the log's time
	stored  int64 // the latest stamp of the log; 0 when it has none
	top     int64 // the latest time of an event
	mark    int64 // the watermark: what comes from now on is not older, unless its source was unknown
	sources map[sourceKey]*source
	writers map[string]int // how many of them each writer has
	live    byHigh
	givers  map[string][]*source // by the types that their heartbeats list; nil: to be made anew
}

func newClock() clock {
	return clock{sources: map[sourceKey]*source{}, writers: map[string]int{}, mark: earliest, log: earliest, top: earliest}
}

// moment is what the clock makes of an event.
type moment struct {
	at   int64
	late bool
	anew bool  // the log's time has begun anew
	was  int64 // the log's time before it
}

// hear takes the next event of the log. One that the log has not stamped and
// whose own time cannot be counted tells no time.
func (c *clock) hear(ev *schemas.Event, fromSource bool) moment {
	m := moment{at: clamp(ev)}
	now := m.at
	if ev.Stored.IsZero() && (now < 0 || now >= latest) {
		m.was = c.log
		return m
	}
	if !ev.Stored.IsZero() {
		now = nanos(ev.Stored)
		if c.stored != 0 && now < c.stored-int64(backBound) {
			*c = newClock()
			m.anew = true
		}
		c.stored = max(c.stored, now)
	}
	if c.log == earliest {
		c.log = now
	}
	m.was = c.log
	c.log, c.top = max(c.log, now), max(c.top, m.at)
	if fromSource {
		m.late = c.source(ev).move(m.at, c)
	}
	c.advance()
	return m
}

func (c *clock) source(ev *schemas.Event) *source {
	key := sourceKey{ev.Writer, ev.Source}
	s := c.sources[key]
	if s == nil {
		switch {
		case c.writers[key.writer] >= maxOfWriter:
			c.forgetSources(func(k sourceKey) bool { return k.writer == key.writer })
		case len(c.sources) >= maxSources:
			c.forgetSources(func(sourceKey) bool { return true })
		}
		s = &source{key: key, high: earliest, place: -1}
		c.add(s)
	}
	return s
}

func (c *clock) add(s *source) {
	if c.sources[s.key] == nil {
		c.writers[s.key.writer]++
	}
	c.sources[s.key] = s
}

// move hears of a source, and says whether what it said is late.
func (s *source) move(at int64, c *clock) (late bool) {
	late = s.high != earliest && at < s.high-int64(Lateness)
	s.heard = c.log
	s.high = max(s.high, at)
	if s.place < 0 {
		heap.Push(&c.live, s)
	} else {
		heap.Fix(&c.live, s.place)
	}
	return late
}

// advance moves the watermark.
func (c *clock) advance() {
	for len(c.live) > 0 && (c.log-c.live[0].heard > int64(silence) || c.log-c.live[0].high > int64(laggard)) {
		heap.Pop(&c.live)
	}
	from := c.log
	if len(c.live) > 0 {
		from = c.live[0].high
	}
	c.mark = max(c.mark, from-int64(Lateness))
}

// forgetSources drops an eighth of some: those that were silent longest.
func (c *clock) forgetSources(some func(sourceKey) bool) {
	all := slices.DeleteFunc(c.sorted(), func(s *source) bool { return !some(s.key) })
	slices.SortStableFunc(all, func(a, b *source) int { return cmp.Compare(a.heard, b.heard) })
	for _, s := range all[:len(all)/8+1] {
		if s.place >= 0 {
			heap.Remove(&c.live, s.place)
		}
		delete(c.sources, s.key)
		if c.writers[s.key.writer]--; c.writers[s.key.writer] == 0 {
			delete(c.writers, s.key.writer)
		}
	}
	c.givers = nil
}

// byHigh is a heap of the sources that were heard of, the slowest first. One
// that has fallen silent stays until it comes first.
type byHigh []*source

func (h byHigh) Len() int           { return len(h) }
func (h byHigh) Less(i, j int) bool { return h[i].high < h[j].high }
func (h byHigh) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push and Pop are for container/heap.
func (h *byHigh) Push(x any) {
	if s, ok := x.(*source); ok {
		s.place = len(*h)
		*h = append(*h, s)
	}
}

// Pop takes the last one away.
func (h *byHigh) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	last.place = -1
	return last
}

// earliest stands for no time yet, and latest for the last that is counted with;
// sums with them do not overflow.
const (
	earliest = -1 << 62
	latest   = 1 << 62
)

// nanos is a time in nanoseconds; one that they cannot tell becomes the first
// or last that they can.
func nanos(t time.Time) int64 {
	const bound = 1 << 62 / int64(time.Second)
	switch s := t.Unix(); {
	case s < -bound:
		return earliest + 1
	case s > bound:
		return latest
	default:
		return t.UnixNano()
	}
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// clamp gives the time that an event counts with.
func clamp(ev *schemas.Event) int64 {
	at := nanos(ev.Time)
	if ev.Stored.IsZero() {
		return at
	}
	stored := nanos(ev.Stored)
	return min(max(at, stored-int64(behindBound)), stored+int64(aheadBound))
}
