package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// checkEvery is how often a follower asks whether it missed something. What is
// new comes by itself, and every break that can be seen makes it read the
// store again; this is for the losses that cannot, between servers of a cluster.
const checkEvery = 5 * time.Second

// How much of what is new waits for a follower. Beyond that it is dropped here
// and read from the store instead, which costs twice: a burst must fit in.
const (
	liveQueue = 65536
	liveBytes = 64 << 20
)

// reader says what is followed.
type reader struct {
	stream string
	space  string        // pattern of the subjects in the store
	live   string        // pattern of where the store tells of them
	whole  bool          // every sequence of the stream is within it, so that a missing one shows
	one    bool          // the space is a single subject whose last message counts alone
	forget time.Duration // the store forgets deletions after that time; 0: never
	handle func(message) error
	gap    func(from, to, seq uint64, at time.Time) error // from … to are gone; what is read next follows seq
}

// handlerError carries what a handler returned past the retries.
type handlerError struct{ err error }

func (e handlerError) Error() string { return e.err.Error() }

// follower is one run of follow.
type follower struct {
	c    *Client
	r    reader
	next uint64    // the first sequence not yet handled
	gaps bool      // a gap before next is to be told
	read time.Time // when it last knew that it had all
	at   time.Time // when the youngest of what it handled was stored
}

// follow joins what a store holds with what comes: it hears first, then reads
// up, then hands on what it hears, and reads again whenever it may have missed
// something. Sequences keep either from being handled twice.
func (c *Client) follow(ctx context.Context, r reader, from uint64, live func() error) error {
	f := &follower{c: c, r: r, next: max(from, 1), gaps: from > 0}
	err := f.run(ctx, live)
	if h := (handlerError{}); errors.As(err, &h) {
		return h.err
	}
	return err
}

func (f *follower) run(ctx context.Context, live func() error) error {
	heard, ended := make(chan *nats.Msg, 256), make(chan struct{})
	defer close(ended)
	hear := func(m *nats.Msg) {
		select {
		case heard <- m:
		case <-ended:
		}
	}
	sub, err := f.c.hear(ctx, f.r.live, hear)
	if err != nil {
		return err
	}
	defer func() { f.c.unhear(sub) }()
	_, changed, gen := f.c.link.state()
	if err := f.rewind(ctx); err != nil {
		return err
	}
	if err := f.readUp(ctx); err != nil {
		return err
	}
	if live != nil {
		if err := live(); err != nil {
			return handlerError{err}
		}
	}
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-heard:
			missed, err := f.take(ctx, m)
			if err != nil {
				return err
			}
			if n, err := sub.Dropped(); !missed && (err != nil || n == 0) {
				continue
			}
		case <-changed:
			var is uint64
			if _, changed, is = f.c.link.state(); is == gen {
				if f.c.link.nc.IsClosed() {
					return ErrClosed
				}
				continue // it broke; what was missed is read when it is back
			}
			gen = is
			if err := f.rewind(ctx); err != nil {
				return err
			}
		case <-check.C:
			if n, _, err := sub.Pending(); f.r.whole && (len(heard) > 0 || err == nil && n > 0) {
				continue // it is about to hear more, and what is missing before that shows
			}
			behind, err := f.behind(ctx)
			if err != nil {
				return err
			}
			if !behind {
				continue
			}
		}
		if n, err := sub.Dropped(); err == nil && n > 0 {
			// What comes while it reads would be dropped again, and costs as
			// much as what is read: it is heard again when all is read.
			f.c.unhear(sub)
			if err := f.readUp(ctx); err != nil {
				return err
			}
			again, err := f.c.hear(ctx, f.r.live, hear)
			if err != nil {
				return err
			}
			sub = again
		}
		if err := f.readUp(ctx); err != nil {
			return err
		}
	}
}

// hear subscribes, and waits until the server knows.
func (c *Client) hear(ctx context.Context, subject string, into nats.MsgHandler) (*nats.Subscription, error) {
	for {
		if _, err := c.connected(ctx); err != nil {
			return nil, err
		}
		sub, err := c.link.nc.Subscribe(subject, into)
		if err == nil {
			err = sub.SetPendingLimits(liveQueue, liveBytes)
		}
		if err != nil {
			return nil, fmt.Errorf("hear %s: %w", subject, err)
		}
		fctx, cancel := context.WithTimeout(ctx, attemptWait)
		err = c.link.nc.FlushWithContext(fctx)
		cancel()
		if err == nil {
			return sub, nil
		}
		c.unhear(sub)
		if c.link.nc.IsClosed() {
			return nil, ErrClosed
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (c *Client) unhear(sub *nats.Subscription) {
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrBadSubscription) {
		c.log.Debug("unsubscribe", "subject", sub.Subject, "error", err)
	}
}

// take handles one message that was heard, unless it was handled before. It
// says whether the store is to be read because something was missed.
func (f *follower) take(ctx context.Context, m *nats.Msg) (missed bool, err error) {
	msg, err := storedMessage(m)
	if err != nil {
		return false, nil //nolint:nilerr // not from the store: nothing that could be followed
	}
	switch {
	case msg.seq < f.next && (f.at.IsZero() || f.younger(msg)): // the sequences were given anew
		before := f.next
		if err := f.rewind(ctx); err != nil {
			return false, err
		}
		if f.at.IsZero() && f.next < before {
			f.next = min(f.next, msg.seq) // nothing of this history was read yet
		}
		return true, nil
	case msg.seq < f.next:
		return false, nil
	case f.r.whole && msg.seq > f.next: // something between was not heard, or is gone
		return true, nil
	default:
		return false, f.do(msg)
	}
}

// do hands on a message and moves past it.
func (f *follower) do(m message) error {
	if m.seq < f.next {
		return nil
	}
	if f.r.gap != nil && f.gaps && m.seq > f.next {
		if err := f.r.gap(f.next, m.seq-1, m.seq-1, m.stored); err != nil {
			return handlerError{err}
		}
	}
	f.gaps = true
	if err := f.r.handle(m); err != nil {
		return handlerError{err}
	}
	f.next = m.seq + 1
	if f.younger(m) || f.at.IsZero() {
		f.at = m.stored
	}
	return nil
}

// younger tells whether a message was stored after all that were handled. One
// whose sequence is that of an older one is then of another history.
func (f *follower) younger(m message) bool { return !f.at.IsZero() && m.stored.After(f.at) }

// keeps tells whether what was handled must still be there, or something after it.
func (f *follower) keeps() bool {
	return !f.at.IsZero() && (f.r.one || f.r.stream == ledgerStream)
}

// readUp reads what the store holds from next on, until there is no more.
func (f *follower) readUp(ctx context.Context) error {
	if f.r.forget > 0 && !f.read.IsZero() && time.Since(f.read) > f.r.forget {
		return fmt.Errorf("%s was out of reach since %s: %w: follow it anew", f.r.stream, f.read.Format(time.RFC3339), ErrStale)
	}
	var unread time.Time // since when the store has no reader for us
	for wait := 5 * time.Millisecond; ; wait = min(wait*2, 500*time.Millisecond) {
		before := f.next
		err := f.c.history(ctx, f.r, f.next, f.do)
		if err == nil {
			f.read = time.Now()
			return nil
		}
		if h := (handlerError{}); errors.As(err, &h) || errors.Is(err, ErrDenied) || errors.Is(err, ErrStale) || errors.Is(err, ErrNoStore) {
			return err
		}
		if f.c.link.nc.IsClosed() {
			return ErrClosed
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case !errors.Is(err, errNoReader):
			unread = time.Time{}
		case unread.IsZero():
			unread = time.Now()
		case time.Since(unread) > storeGrace:
			return noStore(f.r.stream, err.Error())
		}
		if err := f.c.gone(ctx, f.r.stream); err != nil {
			return err
		}
		f.c.log.Debug("reading a store again", "store", f.r.stream, "from", f.next, "error", err)
		if f.next > before {
			wait = 5 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// behind asks whether the store's last message of ours was not handled yet, and
// whether the store is still the one that was read. Without an answer the
// connection is at fault, and tells so.
func (f *follower) behind(ctx context.Context) (bool, error) {
	m, err := f.last(ctx)
	switch {
	case errors.Is(err, ErrNoStore):
		return false, err
	case errors.Is(err, ErrAbsent) && f.keeps(), err == nil && m.seq+1 < f.next && f.younger(m):
		return true, f.rewind(ctx)
	case err == nil && m.seq >= f.next:
		return true, nil
	case err == nil || errors.Is(err, ErrAbsent):
		f.read = time.Now()
	}
	return false, nil
}

func (f *follower) last(ctx context.Context) (message, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptWait)
	defer cancel()
	return f.c.last(ctx, f.r.stream, f.r.space)
}

// rewind goes back to where the store ends, when that is before what we are to
// read next: it came back from a power cut without its last writes (they are
// synced every two minutes unless bus.sync says always), and gives their
// sequences to others now. A store that was emptied or made anew cannot be
// followed on: what it gave and what was decided on it no longer agree.
func (f *follower) rewind(ctx context.Context) error {
	if f.next <= 1 {
		return nil
	}
	for try := 0; ; try++ {
		m, err := f.last(ctx)
		switch {
		case errors.Is(err, ErrNoStore):
			return err
		case errors.Is(err, ErrAbsent) && f.keeps():
			if try == 4 {
				return noStore(f.r.stream, "it holds nothing any more of what was read of it: it was emptied or made anew")
			}
		case err != nil || m.seq+1 >= f.next:
			return nil // nothing there, or no answer: readUp says which
		case f.younger(m):
			return noStore(f.r.stream, fmt.Sprintf("it ends with %d, written after %d was read of it: it was made anew, or lost its end", m.seq, f.next-1))
		case f.r.gap == nil:
			f.next = m.seq + 1
			if f.r.one {
				f.next = m.seq // an older value counts again
			}
			return nil
		case try == 4: // no replica of a cluster is behind for that long
			return f.lost(m)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// lost tells of the events between where the log ends and what was read.
func (f *follower) lost(m message) error {
	f.c.log.Error("the log ends before what was read of it: its last events were lost", "from", m.seq+1, "to", f.next-1)
	if err := f.r.gap(m.seq+1, f.next-1, m.seq, m.stored); err != nil {
		return handlerError{err}
	}
	f.next = m.seq + 1
	return nil
}
