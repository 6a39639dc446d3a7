package correlator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
)

const (
	// anchors are places of the last five minutes. A power cut takes two
	// minutes of the log at most, for so often the bus syncs its files; an end
	// that is older than all of them is that of a backup.
	anchors     = 10
	anchorEvery = 30 * time.Second
	// emptyAfter is how old the last event may be before an empty log is
	// believed to have let all of it go.
	emptyAfter = 24 * time.Hour
)

// errLog: the log is not the one that was read.
var errLog = errors.New("the log of events (EVENTS) is not the one that this core has read: it was deleted, or restored from a backup. " +
	"If that is meant, start once with --new-log: what was decided stays as it is, and the log is read from its start. " +
	"If not, bring the data of the bus back as it was")

// place is a place in the log. The event there tells this log from another one.
type place struct {
	Seq    uint64    `json:"seq"`
	Event  string    `json:"event,omitempty"` // hash of its source and id; empty where a gap stands
	Stored time.Time `json:"stored,omitzero"`
}

func hashed(source, id string) string {
	sum := sha256.Sum256([]byte(source + "\n" + id))
	return hex.EncodeToString(sum[:8])
}

// presence is what a log has at a place.
type presence int

const (
	absent presence = iota // nothing, any more or yet
	same
	other
)

func (c *Correlator) look(ctx context.Context, p place) (presence, error) {
	if p.Event == "" {
		return absent, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	e, err := c.cfg.Bus.Event(ctx, p.Seq)
	switch {
	case errors.Is(err, schemas.ErrAbsent):
		return absent, nil
	case errors.Is(err, schemas.ErrInvalid):
		return other, nil
	case err != nil:
		return absent, err
	case hashed(e.Source, e.ID) == p.Event && e.Stored.Equal(p.Stored):
		return same, nil
	default:
		return other, nil
	}
}

// check compares the log with where it was read to, and says from which place
// on it is to be read: that one, or an earlier one when the log has lost its
// end in a power cut. A log that was deleted, or comes from a backup, is an
// error: what is decided on it would not agree with what was decided.
func (c *Correlator) check(ctx context.Context, at place, anchors []place) (place, error) {
	if at.Seq == 0 {
		return at, nil
	}
	is, err := c.look(ctx, at)
	if err != nil || is == same {
		return at, err
	}
	ends, err := c.cfg.Bus.LastEvent(ctx)
	switch {
	case errors.Is(err, schemas.ErrAbsent) && c.cfg.Now().Sub(at.Stored) < emptyAfter:
		return at, fmt.Errorf("%w (it is empty; the last event that was read had sequence %d, of %s)", errLog, at.Seq, at.Stored.Format(time.RFC3339))
	case errors.Is(err, schemas.ErrAbsent):
		return at, nil // it has let all of it go
	case err != nil:
		return at, err
	case is == absent && ends.Seq >= at.Seq:
		return at, nil // it has let go of that place: the reader is told of the gap
	}
	for n := len(anchors) - 1; n >= 0; n-- {
		is, err := c.look(ctx, anchors[n])
		if err != nil {
			return at, err
		}
		if is == same {
			return anchors[n], nil
		}
	}
	return at, fmt.Errorf("%w (it ends with sequence %d, of %s; read was up to %d, of %s)",
		errLog, ends.Seq, ends.Stored.Format(time.RFC3339), at.Seq, at.Stored.Format(time.RFC3339))
}

// lost makes it known that the log has lost its end. What is read again from
// the place before changes nothing; what is gone stays decided.
func (c *Correlator) lost(from, at place) {
	c.cfg.Log.Error("correlator: the log has lost its end, as after a power cut; `bus.sync: always` prevents that", "from", from.Seq+1, "to", at.Seq)
	own, err := c.own(schemas.LogGap, fmt.Sprintf("gap/%d-%d/%s", from.Seq+1, at.Seq, at.Event), at.Stored,
		schemas.GapEvent{Reader: "correlator", From: from.Seq + 1, To: at.Seq})
	c.outbox.add(own, err, c.cfg.Log)
}

// anchor remembers a place now and then.
func anchor(all []place, p place) []place {
	if p.Event == "" || len(all) > 0 && p.Stored.Sub(all[len(all)-1].Stored).Abs() < anchorEvery {
		return all
	}
	if len(all) >= anchors {
		all = all[len(all)-anchors+1:]
	}
	return append(all[:len(all):len(all)], p)
}
