package replay

import (
	"cmp"
	"context"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// Decided is an incident as the ledger or a replay has it.
type Decided struct {
	ID       string    `json:"id"`
	Playbook string    `json:"playbook"`
	Severity string    `json:"severity"`
	Group    string    `json:"group"`
	At       time.Time `json:"at"`
	Seq      uint64    `json:"seq"`    // of the event that completed the match
	Digest   string    `json:"digest"` // of the set in force; "" of a replay
}

// Check compares a replay of the log with what was decided live. Begin it
// before the log is read: then all that it finds in the ledger must be there.
type Check struct {
	log    *Log
	live   map[string]Decided
	replay map[string]Decided
	first  uint64    // sequence with which the log begins
	begins time.Time // when its first event was stored
	last   time.Time // when its last one was
	reach  map[string]time.Duration
}

// Checked is what a check finds.
type Checked struct {
	Live    int       `json:"live"`     // incidents in the ledger, of the time that was replayed
	Replay  int       `json:"replayed"` // incidents of the replay
	Same    int       `json:"same"`
	Missing []Decided `json:"live_only"`
	Extra   []Decided `json:"replay_only"`
	// Open are those that nobody can tell from this log: what they rest on may
	// lie before its beginning.
	Open int `json:"before_the_log"`
}

// Agrees says that live and replay gave the same.
func (c Checked) Agrees() bool { return len(c.Missing) == 0 && len(c.Extra) == 0 }

// NewCheck reads the ledger. Of a log that begins with a later sequence, the
// run is told what was decided before.
func NewCheck(ctx context.Context, l *Log, first uint64, run *Run) (*Check, error) {
	c := &Check{log: l, replay: map[string]Decided{}, first: first, reach: map[string]time.Duration{}}
	var err error
	c.live, err = c.ledger(ctx, func(r schemas.Record, trigger uint64) error {
		if trigger > 0 && trigger < first {
			return run.Seed(r)
		}
		return nil
	})
	return c, err
}

// ledger reads which incidents were opened.
func (c *Check) ledger(ctx context.Context, see func(r schemas.Record, trigger uint64) error) (map[string]Decided, error) {
	out := map[string]Decided{}
	return out, c.log.Ledger(ctx, func(r schemas.Record) error {
		switch r.Kind {
		case schemas.KindOpened:
			var o schemas.Opened
			if err := r.Decode(&o); err != nil {
				return err
			}
			out[r.Incident] = Decided{
				ID: r.Incident, Playbook: o.Playbook.Name, Severity: o.Playbook.Severity, Group: o.Group,
				At: o.Trigger.Time, Seq: o.Trigger.Seq, Digest: o.Playbook.Digest,
			}
			return see(r, o.Trigger.Seq)
		case schemas.KindRecurred:
			var o schemas.Recurred
			if err := r.Decode(&o); err != nil {
				return err
			}
			return see(r, o.Trigger.Seq)
		}
		return nil
	})
}

// Set notes a set that is in force somewhere in the log.
func (c *Check) Set(set *playbook.Set) {
	if set == nil {
		return
	}
	for _, p := range set.Playbooks {
		c.reach[p.Name] = max(c.reach[p.Name], reach(p))
	}
}

// reach is the longest time that a playbook's windows look back.
func reach(p *playbook.Playbook) time.Duration {
	sum := p.Match.Within + p.Match.Over
	for _, s := range p.Signals {
		if s.Match != nil {
			sum += s.Match.Within + s.Match.Over
		}
	}
	return sum
}

// Event notes an event of the log.
func (c *Check) Event(e schemas.Event) {
	if c.begins.IsZero() {
		c.begins = e.Stored
	}
	c.last = e.Stored
}

// Incident notes an incident of the replay.
func (c *Check) Incident(in Incident) {
	c.replay[in.ID] = Decided{ID: in.ID, Playbook: in.Playbook, Severity: in.Severity, Group: in.Group, At: in.At, Seq: in.Trigger.Seq}
}

const (
	// behind is how long the correlator is waited for, when the replay has seen
	// events that it may not have decided on yet.
	behind = 10 * time.Second
	// look is the time between two looks at the ledger.
	look = 500 * time.Millisecond
	// isNow is how old the log's last event is at most, for that to be so.
	isNow = 5 * time.Minute
)

// Compare says what live and replay have from a time on.
func (c *Check) Compare(ctx context.Context, since time.Time) (Checked, error) {
	for end := time.Now().Add(behind); ; {
		out := c.compare(since)
		if len(out.Extra) == 0 || time.Since(c.last) > isNow || time.Now().After(end) {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(look):
		}
		more, err := c.ledger(ctx, func(schemas.Record, uint64) error { return nil })
		if err != nil {
			return out, err
		}
		for _, d := range out.Extra {
			if is, there := more[d.ID]; there {
				c.live[d.ID] = is
			}
		}
	}
}

func (c *Check) compare(since time.Time) Checked {
	out := Checked{Missing: []Decided{}, Extra: []Decided{}}
	for id, d := range c.live {
		if d.At.Before(since) || d.Seq < c.first {
			continue
		}
		out.Live++
		if _, same := c.replay[id]; same {
			out.Same++
		} else if c.untold(d) {
			out.Open++
		} else {
			out.Missing = append(out.Missing, d)
		}
	}
	for id, d := range c.replay {
		out.Replay++
		if _, same := c.live[id]; same {
			continue
		}
		if c.untold(d) {
			out.Open++
		} else {
			out.Extra = append(out.Extra, d)
		}
	}
	for _, list := range [][]Decided{out.Missing, out.Extra} {
		slices.SortFunc(list, func(a, b Decided) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	}
	return out
}

// untold says that what led to an incident may lie before the log's beginning.
func (c *Check) untold(d Decided) bool {
	return c.first > 1 && d.At.Before(c.begins.Add(c.reach[d.Playbook]))
}
