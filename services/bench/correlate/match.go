package correlate

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"firebreak/schemas"
	"firebreak/services/bench/events"
	"firebreak/services/collector/gateway/decode"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Match measures decoding and matching on one core: sets of several sizes, of
// playbooks that test two fields each, at several shares of events that match.
type Match struct {
	Seed      uint64
	N         int       // events that are made for each set and share
	Passes    int       // so many times they come in one measurement, each time as new ones
	Rounds    int       // the sets are measured in turn so many times
	Playbooks []int     // sizes of the sets
	Rates     []float64 // shares of events that match
	Specs     []schemas.Spec
	Progress  Progress
}

// MatchResult is what came of it.
type MatchResult struct {
	Measure string    `json:"measure"`
	N       int       `json:"events"` // of one measurement
	Rounds  int       `json:"rounds"`
	Bytes   float64   `json:"bytes_per_event"` // of the data
	Loads   []Load    `json:"sets"`
	Rates   []MatchAt `json:"rates"`
}

// Load is how long a set takes to come into force.
type Load struct {
	Playbooks int     `json:"playbooks"`
	Read      float64 `json:"load_seconds"`  // sources → a checked set
	Index     float64 `json:"index_seconds"` // a checked set → an engine
}

// MatchAt are the figures at one share of events that match.
type MatchAt struct {
	Share float64   `json:"match_share"`
	Map   Rate      `json:"decode_map"`   // encoding/json of the data into a map: the bare decoding
	Event Rate      `json:"decode_event"` // a structured CloudEvent into a schemas.Event, checked: as replay reads
	Sets  []Matched `json:"sets"`
	Ratio float64   `json:"ratio"` // rate of the largest set to that of the smallest, by processor time
}

// Matched is one set: raw data → decided, by [engine.Engine.Apply].
type Matched struct {
	Playbooks int     `json:"playbooks"`
	Matches   uint64  `json:"matches"`
	Rate      Rate    `json:"decode_and_match"`
	OfMap     float64 `json:"of_decode_map"` // ratio to the bare decoding, by processor time
}

// contestant is one set with the events for it.
type contestant struct {
	set    *playbook.Set
	events []schemas.Event
	rates  []Rate
	hits   uint64
}

// Run takes the measurement.
func (m Match) Run(ctx context.Context) (MatchResult, error) {
	defer oneCore()()
	out := MatchResult{Measure: "match", N: m.N * m.Passes, Rounds: m.Rounds}
	if m.N < 1 || m.Passes < 1 || m.Rounds < 1 || len(m.Playbooks) == 0 {
		return out, fmt.Errorf("bench correlate: match: %w", errNothing)
	}
	sets := make([]*playbook.Set, len(m.Playbooks))
	for i, n := range m.Playbooks {
		var took Load
		var err error
		if sets[i], took, err = m.load(n); err != nil {
			return out, err
		}
		out.Loads = append(out.Loads, took)
	}
	for i, share := range m.Rates {
		at, bytes, err := m.at(ctx, sets, share, func(round int) { m.Progress.tell(i*m.Rounds+round, len(m.Rates)*m.Rounds) })
		if err != nil {
			return out, err
		}
		out.Rates, out.Bytes = append(out.Rates, at), round(bytes, 0)
	}
	return out, nil
}

func (m Match) load(n int) (*playbook.Set, Load, error) {
	begin := time.Now()
	set, err := load(sources(events.New(m.Seed, n, 0)), m.Specs)
	if err != nil {
		return nil, Load{}, err
	}
	read := time.Since(begin)
	begin = time.Now()
	engine.New(set)
	return set, Load{Playbooks: n, Read: round(read.Seconds(), 3), Index: round(time.Since(begin).Seconds(), 3)}, nil
}

func sources(w *events.Workload) []playbook.Source {
	var out []playbook.Source
	for _, p := range w.Playbooks() {
		out = append(out, playbook.Source{Name: p.Name + ".yaml", Data: p.Data})
	}
	return out
}

// at measures all sets in turn, and bare decoding beside them.
func (m Match) at(ctx context.Context, sets []*playbook.Set, share float64, done func(int)) (MatchAt, float64, error) {
	at := MatchAt{Share: share}
	all, bytes := make([]*contestant, len(sets)), 0
	for i, set := range sets {
		batch, err := placed(events.New(m.Seed, m.Playbooks[i], share), m.N)
		if err != nil {
			return at, 0, err
		}
		all[i] = &contestant{set: set, events: batch}
	}
	for _, e := range all[0].events {
		bytes += len(e.Data)
	}
	var maps, parsed []Rate
	for r := range m.Rounds {
		if err := ended(ctx, "match"); err != nil {
			return at, 0, err
		}
		one, two, err := bare(all[0].events, max(m.Passes/4, 1))
		if err != nil {
			return at, 0, err
		}
		maps, parsed = append(maps, one), append(parsed, two)
		for _, c := range all {
			if err := c.round(m.Passes); err != nil {
				return at, 0, err
			}
		}
		done(r + 1)
	}
	at.Map, at.Event = middle(maps), middle(parsed)
	for i, c := range all {
		at.Sets = append(at.Sets, Matched{m.Playbooks[i], c.hits, middle(c.rates), ratios(c.rates, maps, byCPU)})
	}
	at.Ratio = ratios(all[len(all)-1].rates, all[0].rates, byCPU)
	return at, float64(bytes) / float64(m.N), nil
}

// placed gives events as the log hands them on.
func placed(w *events.Workload, n int) ([]schemas.Event, error) {
	batch, err := w.Batch(n)
	for i := range batch {
		batch[i].Seq, batch[i].Stored, batch[i].Writer = uint64(i+1), batch[i].Time, "node-n1"
	}
	return batch, err
}

// later is more than `once` of the playbooks, so that a pass opens incidents
// as the one before did.
const later = 2 * time.Hour

// round applies all events to a fresh engine, again and again: a round must be
// so long that the collector of garbage comes by more than once.
func (c *contestant) round(passes int) error {
	e := engine.New(c.set)
	heap() // the former round's garbage is not this one's
	var m meter
	seq := uint64(0)
	for pass := range passes {
		for i := range c.events {
			seq++
			ev := &c.events[i]
			ev.ID, ev.Seq = "e"+strconv.FormatUint(seq, 10), seq
			if pass > 0 {
				ev.Time = ev.Time.Add(later)
				ev.Stored = ev.Time
			}
		}
		w, err := start()
		if err != nil {
			return err
		}
		for i := range c.events {
			e.Apply(c.events[i])
		}
		if err := m.add(w); err != nil {
			return err
		}
	}
	c.rates, c.hits = append(c.rates, m.rate(len(c.events)*passes)), 0
	for _, s := range e.Stats() {
		c.hits += s.Matched
	}
	return nil
}

// bare decodes without matching.
func bare(batch []schemas.Event, passes int) (maps, parsed Rate, err error) {
	lines := make([][]byte, min(len(batch), 10_000))
	for i := range lines {
		if lines[i], err = structured(batch[i]); err != nil {
			return maps, parsed, err
		}
	}
	heap()
	w, err := start()
	if err != nil {
		return maps, parsed, err
	}
	for i := range passes * len(batch) {
		var data map[string]any
		if err := json.Unmarshal(batch[i%len(batch)].Data, &data); err != nil {
			return maps, parsed, fmt.Errorf("decode event %d: %w", i, err)
		}
	}
	if maps, err = w.rate(passes * len(batch)); err != nil {
		return maps, parsed, err
	}
	heap()
	if w, err = start(); err != nil {
		return maps, parsed, err
	}
	for i := range passes * len(batch) {
		if _, err := decode.Recorded(lines[i%len(lines)]); err != nil {
			return maps, parsed, fmt.Errorf("decode event %d: %w", i, err)
		}
	}
	parsed, err = w.rate(passes * len(batch))
	return maps, parsed, err
}

// structured gives an event as one line of JSON, in CloudEvents' structured mode.
func structured(e schemas.Event) ([]byte, error) {
	raw, err := json.Marshal(struct {
		Spec    string          `json:"specversion"`
		ID      string          `json:"id"`
		Source  string          `json:"source"`
		Type    string          `json:"type"`
		Subject string          `json:"subject,omitempty"`
		Time    time.Time       `json:"time"`
		Content string          `json:"datacontenttype"`
		Data    json.RawMessage `json:"data"`
	}{"1.0", e.ID, e.Source, e.Type, e.Subject, e.Time, "application/json", e.Data})
	if err != nil {
		return nil, fmt.Errorf("event %s as JSON: %w", e.ID, err)
	}
	return raw, nil
}
