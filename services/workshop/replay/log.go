package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// Bus is what a replay of the log needs of the bus.
type Bus interface {
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
	Event(ctx context.Context, seq uint64) (schemas.Event, error)
	Blob(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Log is the log of events with the playbooks that were in force in it.
type Log struct {
	Bus  Bus
	Core string // the writer whose word on playbooks counts
	// Compile makes a set of its sources.
	Compile func(sources map[string][]byte) (*playbook.Set, error)
	// Heard is called with whatever comes from the bus; may be nil.
	Heard func()

	ring [recalled]schemas.Event
}

// recalled is how many events are at hand without asking the bus, a power of two.
const recalled = 4096

// recallWait bounds how long the bus may take to give an event again.
const recallWait = 15 * time.Second

// errEnd ends the reading when no more is wanted.
var errEnd = errors.New("no more is wanted")

// errAll ends the reading of what is stored.
var errAll = errors.New("all that is stored is read")

func (l *Log) heard() {
	if l.Heard != nil {
		l.Heard()
	}
}

// Each hands on every event that the log holds now. What only stands for
// messages that are no events is left out, as it is live.
func (l *Log) Each(ctx context.Context, handle func(schemas.Event) error) error {
	err := l.Bus.FollowEvents(ctx, 0, func(e schemas.Event) error {
		l.heard()
		if e.Type == schemas.EventsRefused && e.Writer == "" {
			return nil
		}
		if e.Writer != "" {
			l.ring[e.Seq%recalled] = e
		}
		return handle(e)
	}, func() error { return errAll })
	if err != nil && !errors.Is(err, errAll) && !errors.Is(err, errEnd) {
		return fmt.Errorf("read the log of events: %w", err)
	}
	return nil
}

// Recall gives a function that reads events again, for [Config.Recall].
func (l *Log) Recall(ctx context.Context) func(seq uint64) (schemas.Event, error) {
	return func(seq uint64) (schemas.Event, error) {
		if e := l.ring[seq%recalled]; e.Seq == seq && seq > 0 {
			return e, nil
		}
		ctx, cancel := context.WithTimeout(ctx, recallWait)
		defer cancel()
		e, err := l.Bus.Event(ctx, seq)
		if errors.Is(err, schemas.ErrInvalid) {
			err = fmt.Errorf("%w: %w", schemas.ErrAbsent, err)
		}
		l.heard()
		return e, err
	}
}

// Ledger hands on every record that the ledger holds now.
func (l *Log) Ledger(ctx context.Context, handle func(schemas.Record) error) error {
	err := l.Bus.FollowLedger(ctx, 0, func(r schemas.Record) error {
		l.heard()
		return handle(r)
	}, func() error { return errAll })
	if err != nil && !errors.Is(err, errAll) {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return nil
}

// Changed gives the set that an event puts in force; nil when it is no
// announcement, or none that counts.
func (l *Log) Changed(ctx context.Context, e schemas.Event) (*playbook.Set, error) {
	if e.Type != schemas.PlaybooksChanged || e.Writer != l.Core {
		return nil, nil
	}
	var say schemas.PlaybooksEvent
	if json.Unmarshal(e.Data, &say) != nil || say.Digest == "" {
		return nil, nil
	}
	set, err := l.compile(ctx, say)
	if err != nil {
		return nil, fmt.Errorf("the playbooks that came into force at event %d (%s) cannot be had: %w", e.Seq, e.Stored.Format(time.RFC3339), err)
	}
	return set, nil
}

// mostContent is the largest set that is read.
const mostContent = 64 << 20

func (l *Log) compile(ctx context.Context, say schemas.PlaybooksEvent) (*playbook.Set, error) {
	if say.Content == "" {
		return nil, fmt.Errorf("set %s: %w: its sources were not kept", say.Digest, schemas.ErrAbsent)
	}
	ctx, cancel := context.WithTimeout(ctx, recallWait)
	defer cancel()
	blob, err := l.Bus.Blob(ctx, say.Content)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", say.Digest, err)
	}
	raw, err := io.ReadAll(io.LimitReader(blob, mostContent))
	if err = errors.Join(err, blob.Close()); err != nil {
		return nil, fmt.Errorf("set %s: %w", say.Digest, err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, fmt.Errorf("set %s: %w: %w", say.Digest, schemas.ErrInvalid, err)
	}
	sources := make(map[string][]byte, len(texts))
	for name, text := range texts {
		sources[name] = []byte(text)
	}
	set, err := l.Compile(sources)
	switch {
	case err != nil:
		return nil, fmt.Errorf("set %s: this version makes nothing of it: %w", say.Digest, err)
	case set.Digest != say.Digest:
		return nil, fmt.Errorf("set %s: %w: its sources make %s", say.Digest, schemas.ErrInvalid, set.Digest)
	}
	return set, nil
}

// Beginning says which events the log begins with, and which set was in force
// there: that of its first announcement when the log is whole. Nil: nobody can
// tell from the log.
func (l *Log) Beginning(ctx context.Context) (first uint64, set *playbook.Set, err error) {
	err = l.Each(ctx, func(e schemas.Event) error {
		if first == 0 {
			first = max(e.Seq, 1)
		}
		if first > 1 {
			return errEnd
		}
		now, err := l.Changed(ctx, e)
		set = now
		if err != nil || set != nil { // an error is told when the log is read
			return errEnd
		}
		return nil
	})
	return first, set, err
}
