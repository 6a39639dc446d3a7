package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

// attemptWait is how long one attempt may take before it is made again. Every
// write of a client may be repeated safely.
const attemptWait = 5 * time.Second

// Client is the bus as one user sees it. It is safe for use by many goroutines.
type Client struct {
	*identity
	link    *link
	cluster string
	log     *slog.Logger
	space   *spaceMark
	verify  *verifier
	readers *readers
	stores  *storeWatch
	rights  rights
}

func newClient(l *link, cfg DialConfig) (*Client, error) {
	c := &Client{link: l, cluster: cfg.Cluster, log: cfg.log(), space: &spaceMark{}}
	if c.cluster == "" {
		c.cluster = defaultCluster
	}
	var err error
	if c.identity, err = newIdentity(l.kp, l.user, l.public); err == nil {
		if cfg.signed == nil {
			cfg.signed = newSigned()
		}
		c.verify, err = newVerifier(cfg.Roster, c.identity, cfg.signed, c.log)
	}
	if err != nil {
		l.nc.Close()
		return nil, err
	}
	c.readers, c.stores = newReaders(l.user), newStoreWatch()
	if l.user == Admin {
		return c, nil
	}
	if c.rights, err = rightsOf(l.user, c.cluster); err != nil {
		l.nc.Close()
		return nil, err
	}
	// A callback, so that no follower has to run for Publish to know.
	_, err = l.nc.Subscribe(spaceSubject, func(m *nats.Msg) { c.space.hear(string(m.Data), time.Now()) })
	if err == nil {
		err = l.nc.Flush()
	}
	if err != nil {
		l.nc.Close()
		return nil, fmt.Errorf("connect to the bus as %s: %w", l.user, err)
	}
	return c, nil
}

// User is whom the client speaks for.
func (c *Client) User() User { return c.user }

// Close ends the connection; calls under way return.
func (c *Client) Close() { c.link.nc.Close() }

// ask sends a request until it is answered or ctx ends, across lost
// connections and restarts of the server, unless the store that it is for is
// gone. The request must be safe to repeat.
func (c *Client) ask(ctx context.Context, store string, m *nats.Msg) (*nats.Msg, error) {
	for wait := 5 * time.Millisecond; ; wait = min(wait*2, 500*time.Millisecond) {
		answer, err := c.attempt(ctx, m)
		if err == nil {
			return answer, nil
		}
		if err := c.hopeless(ctx, m.Subject, err); err != nil {
			return nil, err
		}
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
			if err := c.gone(ctx, store); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Subject, err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// attempt waits for the connection and asks once; it gives up when the
// connection breaks, for then no answer comes any more.
func (c *Client) attempt(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	alive, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	actx, cancel := context.WithTimeout(ctx, attemptWait)
	defer cancel()
	defer context.AfterFunc(alive, cancel)()
	return c.link.nc.RequestMsgWithContext(actx, m)
}

// connected waits until there is a connection, and gives the context of its life.
func (c *Client) connected(ctx context.Context) (context.Context, error) {
	for {
		alive, changed, _ := c.link.state()
		if alive.Err() == nil {
			return alive, nil
		}
		if c.link.nc.IsClosed() {
			return nil, nats.ErrConnectionClosed
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// hopeless gives the error to return when another attempt makes no sense.
func (c *Client) hopeless(ctx context.Context, subject string, err error) error {
	if c.link.nc.IsClosed() {
		return fmt.Errorf("%s: %w", subject, ErrClosed)
	}
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) || errors.Is(err, nats.ErrHeadersNotSupported) {
		return fmt.Errorf("%s: %w: %w", subject, schemas.ErrInvalid, err)
	}
	if said := c.link.denied.Load(); said != nil && strings.Contains(*said, `"`+subject+`"`) {
		return fmt.Errorf("%s as %s: %w: %s: the server's users may be older than the roster (`firebreak bus users`)", subject, c.user, ErrDenied, *said)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w: %w", subject, ErrUnavailable, errors.Join(ctx.Err(), err))
	}
	return nil
}

// ack is what a stream answers to a write.
type ack struct {
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Error     *apiError `json:"error"`
}

// store writes a message and gives its sequence. A refusal is an *apiError,
// turned into its class.
func (c *Client) store(ctx context.Context, store string, m *nats.Msg) (ack, error) {
	if err := c.may(m.Subject); err != nil {
		return ack{}, err
	}
	for {
		answer, err := c.ask(ctx, store, m)
		if err != nil {
			return ack{}, err
		}
		var a ack
		if err := json.Unmarshal(answer.Data, &a); err != nil {
			return ack{}, fmt.Errorf("%s: answer: %w: %w", m.Subject, schemas.ErrInvalid, err)
		}
		switch {
		case a.Error == nil:
			return a, nil
		case a.Error.ErrCode == codeWrongLastInFlight, a.Error.ErrCode == codeNotNow:
			select {
			case <-ctx.Done():
				return ack{}, fmt.Errorf("%s: %w: %w", m.Subject, ErrUnavailable, errors.Join(ctx.Err(), a.Error))
			case <-time.After(20 * time.Millisecond):
			}
		default:
			return ack{}, fmt.Errorf("%s: %w", m.Subject, a.Error.class(store))
		}
	}
}

// wrongLast tells whether a write was refused because another came first.
func wrongLast(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.ErrCode == codeWrongLast
}

// may tells whether the user's rights take in a subject. The server enforces
// it; asking here gives the caller an error at once, where the server would
// only leave the request without an answer.
func (c *Client) may(subject string) error {
	for _, p := range c.rights.calls {
		if covers(p, subject) {
			return nil
		}
	}
	return fmt.Errorf("%s as %s: %w", subject, c.user, ErrDenied)
}
