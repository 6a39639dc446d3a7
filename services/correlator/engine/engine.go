package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/services/correlator/engine/index"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// Engine matches events with the playbooks of a set. It is not safe for
// concurrent use.
type Engine struct {
	// Marker is the only writer whose events may arm or silence a group; ""
	// trusts all, as for a replay.
	Marker string
	// AssumeAlive takes every source for alive: for files and tests, which have
	// no heartbeats.
	AssumeAlive bool
	// Observe is told what becomes of each event, for explanations; nil costs nothing.
	Observe func(Observation)

	*plan
	limits limits
	tallies

	state
	due   deadlines // of what is pending in the store
	fresh notes     // of what the store has noted

	now  event // the event that is being applied
	at   *book // whose matches are being worked on
	work work
	out  []Decision
}

// state is all that the engine has seen and still needs: what a snapshot holds.
type state struct {
	books     map[string]*groups // of `once`, by the playbook's name; they outlive a change of the set
	incidents map[string]*group
	clock     clock
	done      int64 // every deadline before it has been decided
	swept     int64 // the watermark when windows were last closed for their age
	store     *window.Store
	seen      twice
	reports   reports
}

// limits bound the memory.
type limits struct {
	groups  int         // of `once`, of one playbook
	windows int         // of one match
	due     int         // deadlines that one record decides
	held    window.Held // in the windows of all matches
	prune   int32       // entries from which on a window is looked through for what it needs no more; 0: each time
}

const (
	maxGroups  = 1 << 17
	maxWindows = 1_000_000
	fewEntries = 8
	// maxEntries and maxNoted bound what the windows of all matches hold:
	// whoever writes events chooses how many matches they are for.
	maxEntries = 16_000_000
	maxNoted   = 256 << 20
	// entriesPerLane bounds the events that one window holds of one operand or
	// value. Those that are dropped are the oldest; they would matter only to
	// an event that comes out of order among so many.
	entriesPerLane = 4096
)

// event is the one that is being applied.
type event struct {
	schemas.Event
	moment
	hash uint64
}

// work is memory that is used again for each event.
type work struct {
	scratch index.Scratch
	rules   []int
	data    map[string]any
	failed  func(rule int, err error)
	yield   func(rule int, data map[string]any)
	ids     []int32
	fires   []fire
	passed  []pass
}

// New gives an engine for a set; nil is a set without playbooks.
func New(set *playbook.Set) *Engine {
	if set == nil {
		set = &playbook.Set{}
	}
	e := &Engine{tallies: newTallies(), limits: limits{
		groups: maxGroups, windows: maxWindows, due: maxDue, held: window.Held{Entries: maxEntries, Noted: maxNoted}, prune: fewEntries,
	}}
	e.forget(set)
	e.work.failed = func(rule int, err error) {
		e.leaf[rule].book.stats.fail(err)
		e.observeLeaf(rule, Failed, err)
	}
	e.work.yield = func(rule int, data map[string]any) {
		e.work.rules = append(e.work.rules, rule)
		e.work.data = data
	}
	e.work.scratch.Failed = e.work.failed
	return e
}

// Forget drops all that the engine has seen.
func (e *Engine) Forget() { e.forget(e.set) }

func (e *Engine) forget(set *playbook.Set) {
	e.state = state{
		books: map[string]*groups{}, incidents: map[string]*group{},
		clock: newClock(), done: earliest, swept: earliest,
	}
	e.due, e.fresh = deadlines{}, nil
	e.plan = e.compile(set)
	e.store = window.New(len(e.nodes))
}

// Swap puts another set in force. What a playbook of the same name and the same
// match waits for it waits for on; groups of `once` are those of the name.
func (e *Engine) Swap(set *playbook.Set) {
	if set == nil {
		set = &playbook.Set{}
	}
	old := e.nodes
	e.plan = e.compile(set)
	now := e.byPrint()
	to := make([]int32, len(old))
	for i, n := range old {
		to[i] = -1
		if same := now[n.print]; same != nil {
			to[i] = same.index
		}
	}
	e.store.Renumber(to, len(e.nodes))
	e.due.rebuild(e)
}

// Digest of the set in force.
func (e *Engine) Digest() string { return e.set.Digest }

// Waiting says that something waits for time to pass: ticks are needed.
func (e *Engine) Waiting() bool { return e.store.Pending() > 0 || e.reports.waiting() }

// Windows is how many windows are open.
func (e *Engine) Windows() int { return e.store.Len() }

// Apply takes the next event of the log and gives what it decides: first what
// the event itself brings about, the most severe playbook first and then by
// name, then what the passing of time does.
func (e *Engine) Apply(ev schemas.Event) []Decision {
	e.out, e.at = nil, nil
	rules := e.types[ev.Type]
	if len(rules) > 0 {
		if err := intake.Event(ev); err != nil {
			e.hear(ev, false)
			e.refuse(&ev, rules, err)
			e.pass()
			return e.out
		}
	}
	e.hear(ev, ev.Type == schemas.Heartbeat || !strings.HasPrefix(ev.Type, systemPrefix))
	e.system(&ev)
	told := ev.Type == schemas.LogGap && ev.Writer == "" // by the reader: the log does not hold it
	if len(rules) > 0 && !told {
		e.match(&ev)
	}
	e.at, e.work.data = nil, nil // what is due is not decided by what this event says
	e.pass()
	e.now.Data, e.at = nil, nil
	return e.out
}

// WorkingOn names the playbook whose matches were being worked on when Apply
// did not return; "" when it was none's.
func (e *Engine) WorkingOn() string {
	if e.at == nil {
		return ""
	}
	return e.at.Name
}

// hear lets an event move the time, and its source's where it speaks for that.
func (e *Engine) hear(ev schemas.Event, source bool) {
	source = source && len(ev.Source) <= maxSourceName // no event that intake takes has a longer one
	e.now = event{Event: ev, moment: e.clock.hear(&ev, source)}
	if e.now.anew {
		e.done, e.swept = e.clock.mark, e.clock.mark
	}
}

// system obeys events of our own housekeeping.
func (e *Engine) system(ev *schemas.Event) {
	switch ev.Type {
	case schemas.Heartbeat, schemas.SourceLost, schemas.EventsLost:
		e.sourceSays(ev, e.now.moment)
	case schemas.LogGap:
		e.sourceSays(ev, e.now.moment)
		e.gap(ev)
	case schemas.GroupArmed, schemas.GroupSuppressed:
		e.mark(ev)
	}
}

// pass does what is due by the watermark.
func (e *Engine) pass() {
	e.decideDue()
	e.fresh.forget(e)
	e.sweep()
	e.fit()
	e.reports.flush(e)
}

// honest refuses an event in which a node speaks of another: its key must not
// bring about anything elsewhere.
func honest(ev *schemas.Event, data map[string]any) error {
	node, ok := schemas.NodeOf(ev.Writer)
	if !ok {
		return nil
	}
	switch host, _ := lookUp(data, hostName); {
	case host == node:
		return nil
	case host != nil:
		return fmt.Errorf("event %s: %w: host.name is %v, the writer is node %s", ev.ID, schemas.ErrInvalid, host, node)
	case strings.HasPrefix(ev.Type, runtimePrefix) || strings.HasPrefix(ev.Type, hostPrefix):
		return fmt.Errorf("event %s: %w: it has no host.name, and what happens on a node names it", ev.ID, schemas.ErrInvalid)
	}
	return nil
}

// gap hands on a gap that the reader of the log met. One that is an event of
// the log itself was told before.
func (e *Engine) gap(ev *schemas.Event) {
	if ev.Writer != "" {
		return
	}
	var g schemas.GapEvent
	if json.Unmarshal(ev.Data, &g) != nil {
		g.To = ev.Seq // all that is certain
	}
	e.out = append(e.out, Gap{g})
}
