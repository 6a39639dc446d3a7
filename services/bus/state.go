package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

// Headers of the buckets. A deletion is a marker, never a roll-up: one
// message with that header would empty a bucket.
const (
	headOperation = "KV-Operation"
	deletion      = "DEL"
	headWrite     = "Firebreak-Write" // names one call, so that its repetition is known
	headTTL       = "Nats-TTL"
)

// GetState reads a key with its revision; nil and 0 when it is absent.
func (c *Client) GetState(ctx context.Context, key string) ([]byte, uint64, error) {
	m, err := c.stateEntry(ctx, key)
	if errors.Is(err, ErrAbsent) || err == nil && deleted(m) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("state %s: %w", key, err)
	}
	return m.data, m.seq, nil
}

func (c *Client) stateEntry(ctx context.Context, key string) (message, error) {
	token, err := c.user.stateToken(key)
	if err != nil {
		return message{}, err
	}
	return c.last(ctx, stateStream, stateSpace+token)
}

func deleted(m message) bool { return first(m.header, headOperation) == deletion }

// PutState writes a key that is still at the revision (0: that is absent), and
// gives the new revision; else it wraps schemas.ErrConflict.
func (c *Client) PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	token, err := c.user.stateToken(key)
	if err != nil {
		return 0, fmt.Errorf("put state: %w", err)
	}
	m := nats.NewMsg(stateSpace + token)
	m.Data = value
	call := nats.NewInbox() // a random name
	m.Header[headWrite] = []string{call}
	for expect := revision; ; {
		m.Header[headLastSeq] = []string{strconv.FormatUint(expect, 10)}
		a, err := c.store(ctx, stateStream, m)
		if err == nil {
			return a.Seq, nil
		}
		if !wrongLast(err) {
			return 0, fmt.Errorf("put state %s: %w", key, err)
		}
		is, err := c.stateEntry(ctx, key)
		switch {
		case err != nil && !errors.Is(err, ErrAbsent):
			return 0, fmt.Errorf("put state %s: %w: %w", key, schemas.ErrConflict, err)
		case err == nil && first(is.header, headWrite) == call && bytes.Equal(is.data, value):
			return is.seq, nil // an earlier attempt was stored, and its answer lost
		case err == nil && revision == 0 && deleted(is) && is.seq != expect:
			expect = is.seq // absent, but a marker stands there
		default:
			return 0, fmt.Errorf("put state %s: %w: revision %d is there, not %d", key, schemas.ErrConflict, is.seq, revision)
		}
	}
}

// DeleteState makes a key absent.
func (c *Client) DeleteState(ctx context.Context, key string) error {
	token, err := c.user.stateToken(key)
	if err != nil {
		return fmt.Errorf("delete state: %w", err)
	}
	m := nats.NewMsg(stateSpace + token)
	m.Header[headOperation] = []string{deletion}
	if _, err := c.store(ctx, stateStream, m); err != nil {
		return fmt.Errorf("delete state %s: %w", key, err)
	}
	return nil
}

// FollowState hands on a key's value now and at every change, nil when it is
// absent, until ctx ends or handle fails. Of changes in quick succession it may
// hand on the last alone.
func (c *Client) FollowState(ctx context.Context, key string, handle func(value []byte) error) error {
	token, err := c.user.stateToken(key)
	if err != nil {
		return fmt.Errorf("follow state: %w", err)
	}
	seen := false
	r := reader{stream: stateStream, space: stateSpace + token, live: liveState + token, one: true, handle: func(m message) error {
		seen = true
		if deleted(m) {
			return handle(nil)
		}
		return handle(m.data)
	}}
	absent := func() error {
		if seen {
			return nil
		}
		return handle(nil)
	}
	if err := c.follow(ctx, r, 0, absent); err != nil {
		return fmt.Errorf("follow state %s: %w", key, err)
	}
	return nil
}
