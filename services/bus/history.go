package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

// How much one request of history asks for.
const (
	batchMessages = 1024
	batchBytes    = 4 << 20
)

// Headers that JetStream puts on what it reads or tells of.
const (
	headSeq     = "Nats-Sequence"
	headAt      = "Nats-Time-Stamp"
	headName    = "Nats-Subject"
	headPending = "Nats-Num-Pending"
	headLast    = "Nats-Last-Sequence"
	headStatus  = "Status"
)

// errBroken makes a follower read again from where it was.
var errBroken = errors.New("the answer broke off")

// errNoReader says that the consumer a node reads through is not there.
var errNoReader = errors.New("it has no reader for this user")

// readers keeps apart the readings of one client through the one consumer
// that a node has at a store: its position is the consumer's.
type readers struct {
	name  string
	inUse map[string]*sync.Mutex
}

func newReaders(u User) *readers {
	r := &readers{name: u.token(), inUse: map[string]*sync.Mutex{}}
	for stream := range consumersOf(u) {
		r.inUse[stream] = &sync.Mutex{}
	}
	return r
}

// history hands on all that a store holds for the user from a sequence on, in
// order, and ends when there is no more.
func (c *Client) history(ctx context.Context, r reader, from uint64, do func(message) error) error {
	if r.one {
		m, err := c.last(ctx, r.stream, r.space)
		if errors.Is(err, ErrAbsent) || err == nil && m.seq < from {
			return nil
		}
		if err != nil {
			return err
		}
		return do(m)
	}
	if c.user.readsAll() {
		return c.directHistory(ctx, r, from, do)
	}
	mu := c.readers.inUse[r.stream]
	if mu == nil {
		return fmt.Errorf("read %s as %s: %w", r.stream, c.user, ErrDenied)
	}
	mu.Lock()
	defer mu.Unlock()
	return c.consumerHistory(ctx, r, from, do)
}

// directHistory reads by direct get, in batches, what the store held when it
// began. What was stored since is heard: a reader that went on would never come
// to an end while much is written, and get all of that twice.
func (c *Client) directHistory(ctx context.Context, r reader, from uint64, do func(message) error) error {
	req := map[string]any{"batch": batchMessages, "max_bytes": batchBytes}
	if !r.whole {
		req["next_by_subj"] = r.space
	}
	for left, begun := uint64(0), false; ; {
		req["seq"] = from
		pending, last, got := uint64(0), uint64(0), uint64(0)
		err := c.many(ctx, localAPI+"DIRECT.GET."+r.stream, req, func(m *nats.Msg) (bool, error) {
			switch status := first(m.Header, headStatus); status {
			case "":
			case "204": // the end of the batch; it names the last one sent
				if number(m.Header, headLast) != last {
					return true, errBroken
				}
				pending = number(m.Header, headPending)
				return true, nil
			case "404":
				return true, nil
			default:
				return true, fmt.Errorf("read %s: status %s %s", r.stream, status, first(m.Header, "Description"))
			}
			msg, err := storedMessage(m)
			if err != nil {
				return true, err
			}
			if number(m.Header, headLast) != last {
				return true, errBroken
			}
			last, from = msg.seq, msg.seq+1
			got++
			return false, do(msg)
		})
		if !begun {
			left, begun = pending+got, true
		}
		left -= min(left, got)
		if err != nil || pending == 0 || left == 0 {
			return err
		}
	}
}

// consumerHistory reads through the user's consumer. Another process with the
// same key may move it meanwhile, which must never make this one skip a
// message. So deliveries have to be numbered without a hole since the reset,
// and each may leave one message less to come than the last, never fewer;
// requests of uneven sizes keep two readers from falling into step.
func (c *Client) consumerHistory(ctx context.Context, r reader, from uint64, do func(message) error) error {
	pending, err := c.resetReader(ctx, r.stream, from)
	if err != nil {
		return err
	}
	call := localAPI + "CONSUMER.MSG.NEXT." + r.stream + "." + c.readers.name
	count, batch := uint64(0), batchMessages-rand.IntN(batchMessages/4) //nolint:gosec // no secret
	for got := batch; got == batch; {
		got = 0
		req := map[string]any{"batch": batch, "no_wait": true}
		err := c.many(ctx, call, req, func(m *nats.Msg) (bool, error) {
			switch status := first(m.Header, headStatus); status {
			case "":
			case "404", "408": // no more
				return true, nil
			default:
				return true, fmt.Errorf("read %s: status %s %s", r.stream, status, first(m.Header, "Description"))
			}
			msg, meta, err := consumedMessage(m)
			if err != nil {
				return true, err
			}
			if count++; meta.Sequence.Consumer != count || meta.NumPending+1 < pending {
				return true, errBroken
			}
			pending = meta.NumPending
			got++
			return got == batch, do(msg)
		})
		if err != nil {
			return err
		}
	}
	if pending > 0 {
		return errBroken
	}
	return nil
}

// resetReader moves the user's consumer, and gives how many messages it has to come.
func (c *Client) resetReader(ctx context.Context, stream string, from uint64) (uint64, error) {
	body, err := json.Marshal(map[string]uint64{"seq": from})
	if err != nil {
		return 0, err
	}
	actx, cancel := context.WithTimeout(ctx, attemptWait)
	defer cancel()
	answer, err := c.ask(actx, stream, &nats.Msg{Subject: localAPI + "CONSUMER.RESET." + stream + "." + c.readers.name, Data: body})
	if err != nil {
		return 0, err
	}
	var reset struct {
		Pending uint64    `json:"num_pending"`
		Error   *apiError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &reset); err != nil {
		return 0, fmt.Errorf("reader of %s: %w", stream, err)
	}
	if e := reset.Error; e != nil && (e.ErrCode == codeNoConsumer || e.ErrCode == codeNoStream) {
		return 0, fmt.Errorf("reader of %s: %w: %w", stream, errNoReader, e)
	}
	if reset.Error != nil {
		return 0, fmt.Errorf("reader of %s: %w", stream, reset.Error)
	}
	return reset.Pending, nil
}

// many sends a request and takes its answers until take says that it was the
// last, an answer fails to come, or the connection breaks.
func (c *Client) many(ctx context.Context, subject string, req map[string]any, take func(*nats.Msg) (bool, error)) error {
	alive, err := c.connected(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	answers := make(chan *nats.Msg, batchMessages+1)
	inbox := c.link.nc.NewInbox()
	sub, err := c.link.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return err
	}
	defer c.unhear(sub)
	if err := c.link.nc.PublishRequest(subject, inbox, body); err != nil {
		return err
	}
	wait := time.NewTimer(attemptWait)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-alive.Done():
			return errBroken
		case <-wait.C:
			if err := c.hopeless(ctx, subject, nats.ErrTimeout); err != nil {
				return err
			}
			return errBroken
		case m := <-answers:
			if first(m.Header, headStatus) == "503" {
				return nats.ErrNoResponders
			}
			if done, err := take(m); done || err != nil {
				return err
			}
			wait.Reset(attemptWait)
		}
	}
}

// last gives the last message under a subject or pattern.
func (c *Client) last(ctx context.Context, stream, subject string) (message, error) {
	call := api + "DIRECT.GET." + stream + "." + subject
	if err := c.may(call); err != nil {
		return message{}, err
	}
	m, err := c.ask(ctx, stream, &nats.Msg{Subject: local(call)})
	if err != nil {
		return message{}, err
	}
	return answered(stream, m)
}

// at gives the message that a stream holds at a sequence.
func (c *Client) at(ctx context.Context, stream string, seq uint64) (message, error) {
	call := api + "DIRECT.GET." + stream
	if err := c.may(call); err != nil {
		return message{}, err
	}
	m, err := c.ask(ctx, stream, &nats.Msg{Subject: local(call), Data: []byte(`{"seq":` + strconv.FormatUint(seq, 10) + `}`)})
	if err != nil {
		return message{}, err
	}
	return answered(stream, m)
}

// answered reads the answer of a direct get of one message.
func answered(stream string, m *nats.Msg) (message, error) {
	switch status := first(m.Header, headStatus); status {
	case "":
		return storedMessage(m)
	case "404":
		return message{}, ErrAbsent
	default:
		return message{}, fmt.Errorf("read %s: status %s %s", stream, status, first(m.Header, "Description"))
	}
}

// storedMessage reads what direct get answers, and what a store tells of.
func storedMessage(m *nats.Msg) (message, error) {
	seq := number(m.Header, headSeq)
	at, err := time.Parse(time.RFC3339Nano, first(m.Header, headAt))
	if err != nil || seq == 0 {
		return message{}, fmt.Errorf("message on %s: %w: it names no sequence or time", m.Subject, schemas.ErrInvalid)
	}
	return message{subject: first(m.Header, headName), header: m.Header, data: m.Data, seq: seq, stored: at.UTC()}, nil
}

// consumedMessage reads what a consumer delivers, and what it says about it.
func consumedMessage(m *nats.Msg) (message, *nats.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return message{}, nil, fmt.Errorf("delivery of %s: %w: %w", m.Subject, schemas.ErrInvalid, err)
	}
	return message{
		subject: m.Subject, header: m.Header, data: m.Data,
		seq: meta.Sequence.Stream, stored: meta.Timestamp.UTC(),
	}, meta, nil
}

func number(h nats.Header, name string) uint64 {
	n, err := strconv.ParseUint(first(h, name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// now is a time as records carry it.
func now() time.Time { return time.Now().UTC() }
