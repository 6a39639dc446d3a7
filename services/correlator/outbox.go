package correlator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
)

const (
	maxOwed    = 1024 // events of our own that wait for the bus
	maxReasons = 256  // refusals told apart in a minute
	refuseFor  = time.Minute
)

// outbox holds events of our own until the bus takes them. They are part of
// the checkpoint, so that none is lost with the process; and correlating does
// not wait for them, because with little disk space the bus takes decisions
// and no events.
type outbox struct {
	Owed    []schemas.Event `json:"owed,omitempty"`
	Refused []refusals      `json:"refused,omitempty"` // what reasons holds, in a checkpoint
	dropped int
	wake    chan struct{}
	reasons map[refusal]*refusals
}

// add takes an event. When there is no room, one that weighs least gives way,
// the oldest of those: many unknown absences must not displace a gap.
func (o *outbox) add(e schemas.Event, err error, log *slog.Logger) {
	if err != nil {
		log.Error("correlator: an event of our own could not be made", "error", err)
		return
	}
	o.Owed = append(o.Owed, e)
	if len(o.Owed) > maxOwed {
		least := 0
		for i := range o.Owed {
			if weight(o.Owed[i].Type) < weight(o.Owed[least].Type) {
				least = i
			}
		}
		o.Owed = slices.Delete(slices.Clone(o.Owed), least, least+1)
		o.dropped++
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// weight orders our own events by how much is lost with one: what was forgotten
// or not read concerns everything, an absence that is not known one group.
func weight(typ string) int {
	return slices.Index([]string{schemas.MatchUnknown, schemas.EventsRefused, schemas.WindowOverflowed, schemas.LogGap}, typ)
}

// say publishes what the engine has found out. The id is that of the content
// and of the event that brought it about: a restart says the same again, and
// the log holds it once.
func (c *Correlator) say(e schemas.Event, typ, name string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		c.outbox.add(schemas.Event{}, err, c.cfg.Log)
		return
	}
	sum := sha256.Sum256([]byte(string(raw) + "\n" + e.Key()))
	own, err := c.own(typ, name+"/"+hex.EncodeToString(sum[:12]), e.Stored, json.RawMessage(raw))
	c.outbox.add(own, err, c.cfg.Log)
}

// refusal tells refused events apart.
type refusal struct{ source, reason string }

// refusals are those of one kind that were not told yet.
type refusals struct {
	Last  schemas.RefusedEvent `json:"last"`
	Count uint64               `json:"count"`
	By    schemas.Event        `json:"by"` // the last event that was refused, or that made us know; without its data
	since time.Time            // when one was told
}

// copy gives the outbox as a checkpoint holds it.
func (o *outbox) copy() outbox {
	is := outbox{Owed: slices.Clone(o.Owed)}
	for _, r := range o.reasons {
		if r.Count > 0 {
			is.Refused = append(is.Refused, *r)
		}
	}
	return is
}

// restore takes back what copy gave.
func (o *outbox) restore(is outbox) {
	o.Owed, o.reasons = is.Owed, map[refusal]*refusals{}
	for _, r := range is.Refused {
		o.reasons[refusal{r.Last.Source, class(r.Last.Reason)}] = &r
	}
}

// class is a reason without the numbers in it, so that the same one is known again.
func class(reason string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, reason)
}

// refused takes what the bus says in the place of a message that is no event.
func (c *Correlator) refused(e schemas.Event) {
	var say schemas.RefusedEvent
	if err := json.Unmarshal(e.Data, &say); err != nil {
		c.cfg.Log.Error("correlator: a refused event that cannot be told", "seq", e.Seq, "error", err)
		return
	}
	c.outbox.refuse(say, e)
}

// refuse counts a refused event. The first of a source and reason is told at
// the next look, the others together a minute later.
func (o *outbox) refuse(say schemas.RefusedEvent, e schemas.Event) {
	k := refusal{say.Source, class(say.Reason)}
	if o.reasons == nil {
		o.reasons = map[refusal]*refusals{}
	}
	r := o.reasons[k]
	if r == nil && len(o.reasons) >= maxReasons { // a stranger must not fill our memory
		k = refusal{"several", ""}
		r, say.Source, say.Reason = o.reasons[k], k.source, k.reason
	}
	if r == nil {
		r = &refusals{}
		o.reasons[k] = r
	}
	e.Data = nil
	r.Count += max(say.Count, 1)
	r.Last, r.By = say, e
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// tell turns what was refused into events, at most one of a source and reason
// in a minute.
func (c *Correlator) tell(now time.Time) {
	for k, r := range c.outbox.reasons {
		switch {
		case now.Sub(r.since) < refuseFor:
		case r.Count == 0:
			delete(c.outbox.reasons, k)
		default:
			say := r.Last
			say.Count = r.Count
			c.cfg.Log.Warn("correlator: events were refused", "source", say.Source, "reason", say.Reason, "count", say.Count, "last", say.Seq)
			c.say(r.By, schemas.EventsRefused, "refused", say)
			r.since, r.Count = now, 0
		}
	}
}

// post publishes what the outbox holds, one after the other.
func (c *Correlator) post(ctx context.Context) error {
	every := time.NewTicker(refuseFor / 6)
	defer every.Stop()
	wait := time.Duration(0)
	for {
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		wait = 0
		e, ok := c.owed()
		if !ok {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-c.outbox.wake:
			case <-every.C:
			}
			continue
		}
		if err := c.deliver(ctx, e); err != nil {
			c.cfg.Log.Debug("correlator: an event of our own is not taken yet", "type", e.Type, "error", err)
			wait = time.Second
		}
	}
}

// owed gives the first event of the outbox.
func (c *Correlator) owed() (schemas.Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell(c.cfg.Now())
	if n := c.outbox.dropped; n > 0 {
		c.outbox.dropped = 0
		c.cfg.Log.Error("correlator: the bus takes no events, and events of our own were dropped", "count", n)
	}
	if len(c.outbox.Owed) == 0 {
		return schemas.Event{}, false
	}
	return c.outbox.Owed[0], true
}

func (c *Correlator) deliver(ctx context.Context, e schemas.Event) error {
	inner, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := c.cfg.Bus.Publish(inner, e)
	if errors.Is(err, schemas.ErrInvalid) {
		c.cfg.Log.Error("correlator: the bus refused an event of our own", "type", e.Type, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := &c.outbox; len(o.Owed) > 0 && o.Owed[0].Key() == e.Key() {
		o.Owed = o.Owed[1:]
	}
	return nil
}
