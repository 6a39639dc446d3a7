package collector

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"firebreak/schemas"
)

const (
	refusedEvery = time.Minute // at most one record of a source and reason in that time
	maxReasons   = 128         // more reasons than that are told together
	maxName      = 128         // of what is quoted of a refused event
)

// refusals counts the events that no reader could be given, until they are told.
type refusals struct {
	mu  sync.Mutex
	all map[refusal]*refused
}

// refusal tells them apart: by source, and by the reason without the numbers
// and places in it.
type refusal struct{ source, reason string }

type refused struct {
	last  schemas.RefusedEvent
	count uint64
	told  time.Time
}

// add counts an event, and keeps what is needed to find it where it came from.
func (r *refusals) add(e schemas.Event, why error) {
	sum := sha256.Sum256(e.Data)
	say := schemas.RefusedEvent{
		Source: short(e.Source), ID: short(e.ID), Type: short(e.Type),
		Reason: short(why.Error()), Size: len(e.Data), Digest: "sha256:" + hex.EncodeToString(sum[:]),
	}
	k := refusal{say.Source, class(say.Reason)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[refusal]*refused{}
	}
	is := r.all[k]
	if is == nil && len(r.all) >= maxReasons {
		k = refusal{reason: "several"}
		is, say.Source = r.all[k], "several"
	}
	if is == nil {
		is = &refused{}
		r.all[k] = is
	}
	is.last = say
	is.count++
}

// due takes out what is to be told now; at the end of the process that is all.
func (r *refusals) due(now time.Time, all bool) []schemas.RefusedEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []schemas.RefusedEvent
	for k, is := range r.all {
		switch {
		case is.count > 0 && (all || now.Sub(is.told) >= refusedEvery):
			say := is.last
			say.Count = is.count
			out = append(out, say)
			is.count, is.told = 0, now
		case is.count == 0 && now.Sub(is.told) >= refusedEvery:
			delete(r.all, k)
		}
	}
	return out
}

// class is a reason without what differs from one event to the next.
func class(reason string) string {
	if _, after, ok := strings.Cut(reason, schemas.ErrInvalid.Error()+": "); ok {
		reason = after
	}
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, reason)
}

// short keeps what is quoted small, and readable wherever it is shown.
func short(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "") + "…"
	}
	return s
}
