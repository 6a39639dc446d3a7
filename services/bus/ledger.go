package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"firebreak/schemas"
)

// Headers of a compare-and-set.
const (
	headLastSeq    = "Nats-Expected-Last-Subject-Sequence"
	headLastFilter = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// Append signs a record and stores it, if its task at its place still ends in
// after. A record that is there already (the same id by the same writer) is
// given back as stored; any other wraps schemas.ErrConflict.
//
// The filter compared under is the task at this place, never wider: else a
// node could keep another's task from going on.
func (c *Client) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	if r.ID == "" || r.Time.IsZero() || len(r.Data) == 0 {
		return schemas.Record{}, fmt.Errorf("append %s: %w: id, time and data are needed", r.Subject(), schemas.ErrInvalid)
	}
	if err := Allowed(c.user.Role(), c.user.Node(), r); err != nil {
		return schemas.Record{}, fmt.Errorf("append %s: %w", r.Subject(), err)
	}
	r = c.verify.sign(r, after)
	m := encodeRecord(r)
	m.Header[headLastSeq] = []string{strconv.FormatUint(after.Seq, 10)}
	m.Header[headLastFilter] = []string{schemas.PlaceSubject(r.Incident, r.Task, r.Place)}
	a, err := c.store(ctx, ledgerStream, m)
	if err == nil {
		r.Seq, r.Stored = a.Seq, now()
		return r, nil
	}
	if !wrongLast(err) {
		return schemas.Record{}, fmt.Errorf("append: %w", err)
	}
	last, lerr := c.Last(ctx, r.Incident, r.Task, r.Place)
	if lerr != nil {
		return schemas.Record{}, fmt.Errorf("append %s: %w: %w", r.Subject(), schemas.ErrConflict, lerr)
	}
	if last.ID == r.ID && last.Writer == r.Writer {
		return last, nil
	}
	return schemas.Record{}, fmt.Errorf("append %s after %d: %w: %q is there with sequence %d", r.Subject(), after.Seq, schemas.ErrConflict, last.Kind, last.Seq)
}

// Last gives the last record of a task at a place; the zero Record when there
// is none. One that is not validly signed is an error of class [ErrForged]:
// nothing can be appended to it that others would follow.
func (c *Client) Last(ctx context.Context, incident, task, place string) (schemas.Record, error) {
	filter := schemas.PlaceSubject(incident, task, place)
	m, err := c.last(ctx, ledgerStream, filter)
	if errors.Is(err, ErrAbsent) {
		return schemas.Record{}, nil
	}
	if err != nil {
		return schemas.Record{}, fmt.Errorf("last of %s: %w", filter, err)
	}
	r, err := c.verify.read(m)
	if err != nil {
		return schemas.Record{}, fmt.Errorf("last of %s: %w", filter, err)
	}
	return r, nil
}

// FollowLedger hands on every record the user may see, from a sequence on, in
// order, then what comes, until ctx ends or handle fails. live is called once,
// when what was stored at the call has been handled. Records that are not
// signed by a key that may write them there are logged, counted and left out.
func (c *Client) FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error {
	r := reader{
		stream: ledgerStream, space: ledgerSpace + ">", live: liveLedger + ">", whole: true,
		handle: func(m message) error {
			rec, err := c.verify.read(m)
			if err != nil {
				c.verify.reject(m, err)
				return nil
			}
			return handle(rec)
		},
	}
	if !c.user.readsAll() {
		own := schemas.Token(c.user.Writer())
		r.space, r.live, r.whole = ledgerSpace+"*.*."+own+".>", liveLedger+"*.*."+own+".>", false
	}
	if err := c.follow(ctx, r, from, live); err != nil {
		return fmt.Errorf("follow the ledger: %w", err)
	}
	return nil
}
