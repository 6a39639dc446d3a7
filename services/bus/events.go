package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// headMessageID makes a stream drop a repetition.
const headMessageID = nats.MsgIdHdr

// Publish stores an event under the client's own subject and gives its
// sequence. The same event again, within two minutes, is stored once. One that
// two readers could read differently (see package intake) is refused with
// schemas.ErrInvalid. With too little disk space it refuses with [ErrNoSpace]
// before it asks.
func (c *Client) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
	if err := intake.Event(e); err != nil {
		return 0, fmt.Errorf("publish %s: %w", e.Type, err)
	}
	if c.space.low() {
		return 0, fmt.Errorf("publish %s: %w where the bus keeps its data: free some, events are taken again by themselves", e.Type, ErrNoSpace)
	}
	m, err := encodeEvent(schemas.EventSubject(c.cluster, c.user.Writer(), e.Type), e)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	m.Header[headMessageID] = []string{c.messageID(e.Key())}
	a, err := c.store(ctx, eventsStream, m)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	return a.Seq, nil
}

// FollowEvents hands on every event from a sequence on, then what comes, until
// ctx ends or handle fails. live is called once, when what was stored at the
// call has been handled.
//
// Two types of event stand for what cannot be handed on. They are nobody's
// (Writer is empty) and not stored: [schemas.LogGap] where the log had let go
// of events that were asked for (from 1 or a later sequence; 0 takes what there
// is), or lost its last ones in a power cut; [schemas.EventsRefused] in the
// place of a message that is no CloudEvent, which is logged too.
func (c *Client) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	r := reader{
		stream: eventsStream, space: eventsSpace + ">", live: liveEvents + ">", whole: true,
		handle: func(m message) error {
			e, err := decodeEvent(m)
			if err == nil {
				return handle(e)
			}
			c.verify.reject(m, err)
			if e, err = c.refusedEvent(m, err); err != nil {
				return err
			}
			return handle(e)
		},
		gap: func(from, to, seq uint64, at time.Time) error {
			c.log.Warn("the log no longer has events that were to be read", "from", from, "to", to)
			e, err := c.gapEvent(from, to, seq, at)
			if err != nil {
				return err
			}
			return handle(e)
		},
	}
	if err := c.follow(ctx, r, from, live); err != nil {
		return fmt.Errorf("follow events: %w", err)
	}
	return nil
}

// Event reads the event that the log holds at a sequence. One that it has let
// go, or never had, is an error of class [ErrAbsent].
func (c *Client) Event(ctx context.Context, seq uint64) (schemas.Event, error) {
	m, err := c.at(ctx, eventsStream, seq)
	if err != nil {
		return schemas.Event{}, fmt.Errorf("event %d: %w", seq, err)
	}
	e, err := decodeEvent(m)
	if err != nil {
		return schemas.Event{}, fmt.Errorf("event %d: %w", seq, err)
	}
	return e, nil
}

// LastEvent says where the log ends: the last event's Seq, Stored and Writer,
// and what else of it can be read. An empty log is an error of class
// [ErrAbsent].
func (c *Client) LastEvent(ctx context.Context) (schemas.Event, error) {
	m, err := c.last(ctx, eventsStream, eventsSpace+">")
	if err != nil {
		return schemas.Event{}, fmt.Errorf("last event: %w", err)
	}
	e, err := decodeEvent(m)
	if err != nil && !errors.Is(err, schemas.ErrInvalid) {
		return schemas.Event{}, fmt.Errorf("last event: %w", err)
	}
	e.Seq, e.Stored = m.seq, m.stored
	return e, nil
}

// gapEvent is the same for every reader of a user that meets the same gap; its
// time is when the event beside the gap was stored.
func (c *Client) gapEvent(from, to, seq uint64, at time.Time) (schemas.Event, error) {
	reader := string(c.user)
	e, err := schemas.NewEvent(schemas.LogGap, "/"+c.cluster+"/bus", fmt.Sprintf("gap/%s/%d-%d", reader, from, to), reader, at,
		schemas.GapEvent{Reader: reader, From: from, To: to})
	e.Seq, e.Stored = seq, at
	return e, err
}

// maxReason keeps what a stranger wrote from filling our own events.
const maxReason = 300

// refusedEvent is the same for every reader that meets the message.
func (c *Client) refusedEvent(m message, why error) (schemas.Event, error) {
	writer, err := schemas.EventWriter(m.subject)
	if err != nil {
		writer = "unknown"
	}
	sum, reason := sha256.Sum256(m.data), strings.ToValidUTF8(why.Error(), "?")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	e, err := schemas.NewEvent(schemas.EventsRefused, "/"+c.cluster+"/bus", fmt.Sprintf("refused/%d", m.seq), writer, m.stored, schemas.RefusedEvent{
		Source: writer, Seq: m.seq, Reason: reason, Size: len(m.data), Digest: "sha256:" + hex.EncodeToString(sum[:]), Count: 1,
	})
	e.Seq, e.Stored = m.seq, m.stored
	return e, err
}

// Rejected counts the messages that were left out because they were malformed
// or not signed by a key that may write them.
func (c *Client) Rejected() uint64 { return c.verify.rejected.Load() }

// logOnce keeps a flood of bad messages out of the log.
type logOnce struct {
	seen map[string]bool
	log  *slog.Logger
}

func (l *logOnce) leftOut(key string, args ...any) {
	if l.seen[key] || len(l.seen) >= 256 {
		return
	}
	l.seen[key] = true
	l.log.Warn("a message of the bus is left out", args...)
}
