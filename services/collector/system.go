package collector

import (
	"fmt"
	"net/url"
	"path"
	"sync/atomic"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/spool"
)

// system makes the events of our own housekeeping.
type system struct {
	node, cluster string
	n             atomic.Uint64 // tells events of the same instant apart
}

func (s *system) host() *schemas.Host { return &schemas.Host{Name: s.node} }

func (s *system) event(typ, source string, data any) (schemas.Event, error) {
	return s.eventAt(typ, source, time.Now(), data)
}

func (s *system) eventAt(typ, source string, now time.Time, data any) (schemas.Event, error) {
	id := fmt.Sprintf("%s-%d-%d", path.Ext(typ)[1:], now.UnixNano(), s.n.Add(1))
	return schemas.NewEvent(typ, EventSource(s.cluster, s.node, source), id, source, now, data)
}

// heartbeat says that a source has told all up to a time.
func (s *system) heartbeat(source, detail string, types []string, at time.Time) (schemas.Event, error) {
	return s.eventAt(schemas.Heartbeat, source, at, schemas.SourceEvent{Host: s.host(), Source: source, Detail: detail, Types: types})
}

func (s *system) refused(x schemas.RefusedEvent) (schemas.Event, error) {
	return s.event(schemas.EventsRefused, "intake", x)
}

func (s *system) sourceLost(source, why string) (schemas.Event, error) {
	return s.event(schemas.SourceLost, source, schemas.SourceEvent{Host: s.host(), Source: source, Detail: why})
}

func (s *system) eventsLost(source string, count uint64, reason string) (schemas.Event, error) {
	return s.event(schemas.EventsLost, source,
		schemas.LossEvent{Host: s.host(), Source: source, Count: count, Reason: reason})
}

// spoolLoss tells a loss that the spool counted under a CloudEvents source.
func (s *system) spoolLoss(l spool.Loss) (schemas.Event, error) {
	name := "spool"
	if base, err := url.PathUnescape(path.Base(l.Source)); err == nil && l.Source != "" {
		name = base
	}
	return s.eventsLost(name, l.Count, l.Reason)
}

func (s *system) suppressed(x suppression, reason string) (schemas.Event, error) {
	data := schemas.LossEvent{Host: s.host(), Source: x.source, Count: x.count, Reason: reason}
	if x.container != "" {
		data.Container = &schemas.Container{ID: x.container}
	}
	e, err := s.event(schemas.EventsSuppressed, x.source, data)
	e.Subject = x.container
	return e, err
}
