package engine

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"firebreak/schemas"
)

const (
	// beatBound is how long a source that lives leaves between two heartbeats.
	beatBound = 30 * int64(1e9)
	// maxBreaks bounds what is known of a source's silences; the oldest two
	// become one that spans both.
	maxBreaks = 64
	// maxBeats bounds the heartbeats that the watermark has not passed.
	maxBeats = 1024
	// goneAfter is how long a source must have been silent before a time for it
	// to be no source any more, such as that of a node that was taken away.
	goneAfter = 3600 * int64(1e9)
	// maxTypes bounds the types that one source gives, and maxType their
	// length: whoever has a node's key chooses them.
	maxTypes = 128
	maxType  = 128
)

// life is what is known of whether a source was alive.
type life struct {
	host   string
	types  []string
	beats  []int64 // times of heartbeats that the watermark has not passed, in order
	last   int64   // the latest that it has passed
	beaten bool    // there is one
	breaks []span  // when it was not alive or lost something, in order
}

// span is a time with both ends.
type span struct{ from, to int64 }

// beat hears a heartbeat.
func (s *source) beat(at int64, say *schemas.SourceEvent, c *clock) {
	if say.Host != nil {
		s.host = say.Host.Name
	}
	if types := given(say.Types); !slices.Equal(s.types, types) {
		s.types, c.givers = types, nil
	}
	i, _ := slices.BinarySearch(s.beats, at)
	s.beats = slices.Insert(s.beats, i, at)
	s.settle(c.mark)
	if len(s.beats) > maxBeats {
		s.settle(s.beats[maxBeats/2]) // a source that lags holds the watermark back
	}
}

// given are the types that a heartbeat lists, as far as they are taken.
func given(types []string) (out []string) {
	for _, typ := range types {
		if len(out) < maxTypes && len(typ) <= maxType && !slices.Contains(out, typ) {
			out = append(out, typ)
		}
	}
	return out
}

// settle takes over the heartbeats that the watermark has passed: none can
// come between them any more.
func (s *source) settle(mark int64) {
	n := 0
	for ; n < len(s.beats) && s.beats[n] < mark; n++ {
		at := s.beats[n]
		switch {
		case !s.beaten:
			s.hurt(span{earliest, at - 1})
		case at <= s.last:
			continue // it came too late to tell anything
		case at-s.last > beatBound:
			s.hurt(span{s.last + beatBound + 1, at - 1})
		}
		s.last, s.beaten = at, true
	}
	s.beats = slices.Delete(s.beats, 0, n)
}

// hurt notes a time in which the source may have missed something.
func (s *source) hurt(b span) {
	i, _ := slices.BinarySearchFunc(s.breaks, b, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	s.breaks = slices.Insert(s.breaks, i, b)
	if len(s.breaks) > maxBreaks {
		s.breaks[1] = span{s.breaks[0].from, max(s.breaks[0].to, s.breaks[1].to)}
		s.breaks = slices.Delete(s.breaks, 0, 1)
	}
}

// throughout says why the source was not alive in all of a time; "" when it was.
func (s *source) throughout(t span, mark int64) string {
	s.settle(mark)
	for _, b := range s.breaks {
		if b.from <= t.to && t.from <= b.to {
			return "its source " + s.key.source + " was silent or lost events in between"
		}
	}
	if !s.beaten || t.to-s.last > beatBound {
		return "its source " + s.key.source + " fell silent before the time was over"
	}
	return ""
}

// gone says that the source fell silent so long before a time that its silence
// means nothing.
func (s *source) gone(from, mark int64) bool {
	s.settle(mark)
	return s.beaten && len(s.beats) == 0 && from-s.last > goneAfter
}

// alive says why an absence of events of these types means nothing; "" when it
// does mean something.
func (c *clock) alive(types []string, host string, t span) string {
	if c.givers == nil {
		c.givers = map[string][]*source{}
		for _, s := range c.sorted() {
			for _, typ := range s.types {
				c.givers[typ] = append(c.givers[typ], s)
			}
		}
	}
	for _, typ := range types {
		all := c.givers[typ]
		if len(all) == 0 {
			return "no source has told by its heartbeats that it gives " + schemas.ShortType(typ)
		}
		heard, here := false, host != "" && slices.ContainsFunc(all, func(s *source) bool { return s.host == host })
		for _, s := range all {
			if here && s.host != host {
				continue
			}
			if !here && s.gone(t.from, c.mark) {
				continue
			}
			if why := s.throughout(t, c.mark); why != "" {
				return why
			}
			heard = true
		}
		if !heard {
			return "no source that gives " + schemas.ShortType(typ) + " was heard of in the hour before"
		}
	}
	return ""
}

// sorted gives the sources by their names.
func (c *clock) sorted() []*source {
	all := make([]*source, 0, len(c.sources))
	for _, s := range c.sources {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *source) int {
		return cmp.Or(strings.Compare(a.key.source, b.key.source), strings.Compare(a.key.writer, b.key.writer))
	})
	return all
}

// sourceSays takes what sources say of themselves.
func (e *Engine) sourceSays(ev *schemas.Event, m moment) {
	switch ev.Type {
	case schemas.Heartbeat:
		var say schemas.SourceEvent
		if len(ev.Source) > maxSourceName || json.Unmarshal(ev.Data, &say) != nil {
			return
		}
		if say.Host != nil && len(say.Host.Name) > maxType {
			return
		}
		node, ok := schemas.NodeOf(ev.Writer)
		if ok && (say.Host == nil || say.Host.Name != node) {
			return // a node speaks for itself alone
		}
		e.clock.source(ev).beat(m.at, &say, &e.clock)
	case schemas.SourceLost, schemas.EventsLost:
		e.lost(ev, m.at)
	case schemas.LogGap:
		if e.Marker != "" && ev.Writer != "" && ev.Writer != e.Marker {
			return // a node does not speak of the log
		}
		for _, s := range e.clock.sources {
			s.hurt(span{m.was, max(m.at, m.was)})
		}
	}
}

// lost notes a loss of the source that tells it. One that no heartbeat is known
// of speaks for its node: any of the node's sources may have lost something.
func (e *Engine) lost(ev *schemas.Event, at int64) {
	own := e.clock.sources[sourceKey{ev.Writer, ev.Source}]
	if own != nil && len(own.types) > 0 {
		own.hurt(span{at, at})
		return
	}
	for _, s := range e.clock.sources {
		if ev.Writer != "" && s.key.writer == ev.Writer {
			s.hurt(span{at, at})
		}
	}
}
