package replay

import (
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Config of a run. Only Set is needed.
type Config struct {
	Set   *playbook.Set
	Specs []schemas.Spec // of the actions there are
	Alive bool           // every source is taken for alive
	// Core is the writer whose events may arm or silence a group, where events
	// say who wrote them; "" trusts all.
	Core string
	// Since and Until bound the time of the incidents that are told. The events
	// before still fill the windows.
	Since, Until time.Time
	// Recall gives an event that was applied before. Nil: none can be had.
	Recall func(seq uint64) (schemas.Event, error)
	// Incident is told of each incident as it opens; an error ends the run. Nil:
	// they are counted.
	Incident func(Incident) error
	// Beside decides on steps, and calls Incident, in a goroutine of its own, in
	// order: what incidents cost does not hold up the engine. [Run.Close] waits
	// for it.
	Beside bool
}

// Run applies events to one set of playbooks. It is not safe for concurrent use.
type Run struct {
	cfg     Config
	engine  *engine.Engine
	decider *decide.Decider
	budget  *decide.Budget
	empty   *decide.Inventory
	decided uint64 // incidents whose steps were decided

	beside *beside // nil: as they come

	events    uint64
	types     map[string]uint64
	lastType  string
	lastCount uint64
	sum       Summary
}

// Incident is one that the events open.
type Incident struct {
	ID       string                      `json:"id"`
	Playbook string                      `json:"playbook"`
	Severity string                      `json:"severity"`
	At       time.Time                   `json:"at"` // of the event that completed the match
	Group    string                      `json:"group"`
	Key      map[string]any              `json:"key,omitempty"`
	Mode     string                      `json:"mode"`
	Stale    bool                        `json:"stale,omitempty"`
	Trigger  schemas.EventRef            `json:"trigger"`
	Signals  map[string]schemas.EventRef `json:"signals"`
	Steps    []Step                      `json:"steps"`
}

// New gives a run.
func New(cfg Config) *Run {
	if cfg.Set == nil {
		cfg.Set = &playbook.Set{}
	}
	r := &Run{
		cfg: cfg, engine: engine.New(cfg.Set), decider: decide.New(cfg.Specs, decide.Protected{}),
		budget: decide.NewBudget(), empty: decide.NewInventory(), types: map[string]uint64{},
	}
	r.engine.AssumeAlive = cfg.Alive
	r.sum.Playbooks = map[string]PlaybookSummary{}
	if cfg.Beside && cfg.Incident != nil {
		r.beside = newBeside(r.tell)
	}
	return r
}

// Close waits until the last incident is told. Nothing can be applied after it.
func (r *Run) Close() error {
	if r.beside == nil {
		return nil
	}
	err := r.beside.close()
	r.beside = nil
	return err
}

// Joins says whether a set has matches of several events: then events may be
// recalled.
func Joins(sets ...*playbook.Set) bool {
	for _, set := range sets {
		if set == nil {
			continue
		}
		for _, p := range set.Playbooks {
			if p.Match.Op != playbook.OpAny || len(p.Signals) > len(p.Match.Of) {
				return true
			}
		}
	}
	return false
}

// Incidents is how many were opened so far.
func (r *Run) Incidents() uint64 { return r.sum.Incidents }

// Swap puts another set in force.
func (r *Run) Swap(set *playbook.Set) { r.engine.Swap(set) }

// Seed tells the run of a record of the ledger that lies before its events.
func (r *Run) Seed(rec schemas.Record) error { return r.engine.Seed(rec) }

// Apply takes the next event.
func (r *Run) Apply(e schemas.Event) error {
	r.count(e.Type)
	if e.Writer != "" && r.engine.Marker == "" {
		r.engine.Marker = r.cfg.Core
	}
	for _, d := range r.engine.Apply(e) {
		if err := r.take(e, d); err != nil {
			return err
		}
	}
	return nil
}

// mostTypes bounds the types that are told apart: a foreign event chooses its own.
const mostTypes = 1000

// otherTypes stands for those beyond.
const otherTypes = "(others)"

// count counts an event; most are of the type of the one before.
func (r *Run) count(typ string) {
	r.events++
	if typ != r.lastType {
		r.settle()
		r.lastType = typ
	}
	r.lastCount++
}

func (r *Run) settle() {
	if r.lastCount == 0 {
		return
	}
	typ := r.lastType
	if _, known := r.types[typ]; !known && len(r.types) >= mostTypes {
		typ = otherTypes
	}
	r.types[typ] += r.lastCount
	r.lastCount = 0
}

func (r *Run) take(e schemas.Event, d engine.Decision) error {
	d, err := engine.Fill(d, r.recall)
	if err != nil {
		return err
	}
	r.engine.Unrecalled(d)
	switch d := d.(type) {
	case engine.Opened:
		return r.opened(e, d)
	case engine.Recurred:
		if r.wanted(d.Recurred.Trigger.Time) {
			r.sum.Recurred++
		}
	case engine.Overflowed:
		r.sum.Overflowed += d.Count
	case engine.Unknown:
		r.sum.Unknown++
	case engine.Refused:
		r.sum.Refused += d.Count
	case engine.Gap:
		r.sum.Gaps++
	}
	return nil
}

func (r *Run) recall(seq uint64) (schemas.Event, error) {
	if r.cfg.Recall == nil {
		return schemas.Event{}, schemas.ErrAbsent
	}
	return r.cfg.Recall(seq)
}

func (r *Run) wanted(at time.Time) bool {
	return !at.Before(r.cfg.Since) && (r.cfg.Until.IsZero() || at.Before(r.cfg.Until))
}

func (r *Run) opened(e schemas.Event, d engine.Opened) error {
	o := d.Opened
	if !r.wanted(o.Trigger.Time) {
		return nil
	}
	r.sum.Incidents++
	p := r.sum.Playbooks[o.Playbook.Name]
	p.Incidents++
	p.Severity = o.Playbook.Severity
	r.sum.Playbooks[o.Playbook.Name] = p
	switch {
	case r.cfg.Incident == nil:
		return nil
	case r.beside != nil:
		return r.beside.add(telling{d, e.Stored})
	default:
		return r.tell(telling{d, e.Stored})
	}
}

// tell tells of an incident, with what its steps would do.
func (r *Run) tell(t telling) error {
	o := t.opened.Opened
	steps, err := r.would(t)
	if err != nil {
		return err
	}
	in := Incident{
		ID: t.opened.Incident, Playbook: o.Playbook.Name, Severity: o.Playbook.Severity, At: o.Trigger.Time,
		Group: o.Group, Key: o.Key, Mode: o.Guard.Mode, Stale: o.Stale, Trigger: o.Trigger,
		Signals: map[string]schemas.EventRef{}, Steps: steps,
	}
	for name, s := range o.Signals {
		in.Signals[name] = s.EventRef
	}
	return r.cfg.Incident(in)
}
