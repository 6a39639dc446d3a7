package bus

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

// headMessageID makes a stream drop a repetition.
const headMessageID = nats.MsgIdHdr

// Publish stores an event under the client's own subject and gives its
// sequence. The same event again, within two minutes, is stored once. With too
// little disk space it refuses with [ErrNoSpace] before it asks.
func (c *Client) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
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
// call has been handled. Where the log had let go of events that were asked
// for (from 1 or a later sequence; 0 takes what there is), or lost its last ones
// in a power cut, handle gets an event of type schemas.LogGap in their place. Malformed messages are logged and left out.
func (c *Client) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	r := reader{
		stream: eventsStream, space: eventsSpace + ">", live: liveEvents + ">", whole: true,
		handle: func(m message) error {
			e, err := decodeEvent(m)
			if err != nil {
				c.verify.reject(m, err)
				return nil
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

// gapEvent is the same for every reader of a user that meets the same gap; its
// time is when the event beside the gap was stored.
func (c *Client) gapEvent(from, to, seq uint64, at time.Time) (schemas.Event, error) {
	reader := string(c.user)
	e, err := schemas.NewEvent(schemas.LogGap, "/"+c.cluster+"/bus", fmt.Sprintf("gap/%s/%d-%d", reader, from, to), reader, at,
		schemas.GapEvent{Reader: reader, From: from, To: to})
	e.Writer, e.Seq, e.Stored = c.user.Writer(), seq, at
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
