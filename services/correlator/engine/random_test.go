package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

// A random log speaks of programs a to d that start in a few containers; a
// random playbook waits for them.

var (
	byContainer = []string{"container", "id"}
	byImage     = []string{"container", "image", "digest"}
	byPID       = []string{"process", "pid"}
)

var programs = sync.OnceValues(func() ([]*expr.Program, error) {
	var out []*expr.Program
	for _, text := range []string{
		`process.executable.name == "a"`, `process.executable.name == "b"`, `process.executable.name == "c"`,
		`process.executable.name == "d"`, `process.executable.name in ["a", "b"]`,
	} {
		p, err := expr.Condition(text, schemas.ProcessStarted)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
})

// leafPrograms are the programs that each of the conditions is true of.
var leafPrograms = [][]string{{"a"}, {"b"}, {"c"}, {"d"}, {"a", "b"}}

// author draws playbooks.
type author struct {
	t     *rapid.T
	p     *playbook.Playbook
	ops   []playbook.Op
	whens []*expr.Program
}

// drawPlaybook draws one whose match uses some of the operators, three deep at most.
func drawPlaybook(t *rapid.T, name string, ops ...playbook.Op) *playbook.Playbook {
	a := newAuthor(t, name, ops)
	a.p.Match = a.match(rapid.IntRange(1, 3).Draw(t, "depth"), a.by())
	if rapid.Bool().Draw(t, "once") {
		a.p.Once = time.Duration(rapid.IntRange(1, 60).Draw(t, "once seconds")) * time.Second
	}
	return a.p
}

// drawNested draws one that opens an incident whenever a match of the operators
// within it stands.
func drawNested(t *rapid.T, name string, ops ...playbook.Op) *playbook.Playbook {
	a := newAuthor(t, name, ops)
	by := a.by()
	a.p.Signals = append(a.p.Signals, playbook.Signal{})
	m := a.match(rapid.IntRange(1, 2).Draw(t, "depth"), by)
	a.p.Signals[0] = playbook.Signal{Name: "inner", Match: &m, Types: []string{schemas.ProcessStarted}}
	a.p.Match = playbook.Match{Op: playbook.OpAny, Of: []int{0}, Until: -1, By: [][][]string{by}}
	return a.p
}

func newAuthor(t *rapid.T, name string, ops []playbook.Op) *author {
	whens, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return &author{t: t, ops: ops, whens: whens, p: &playbook.Playbook{
		Name: name, Severity: rapid.SampledFrom([]string{"low", "high"}).Draw(t, "severity"),
		Guard: schemas.Guard{Mode: "observe"}, Steps: []schemas.Step{{ID: "note", Do: "notify.log"}},
	}}
}

// by draws how groups are made: alike for all operands.
func (a *author) by() [][]string {
	return rapid.SampledFrom([][][]string{{byContainer}, {byImage}, {byContainer, byImage}}).Draw(a.t, "by")
}

func (a *author) match(depth int, by [][]string) playbook.Match {
	m := playbook.Match{Op: rapid.SampledFrom(a.ops).Draw(a.t, "op"), Until: -1}
	m.Within = time.Duration(rapid.IntRange(1, 25).Draw(a.t, "within")) * time.Second
	operands := 1
	switch m.Op {
	case playbook.OpAny:
		operands, m.Within = rapid.IntRange(1, 3).Draw(a.t, "operands"), 0
	case playbook.OpAll:
		operands = rapid.IntRange(2, 3).Draw(a.t, "operands")
	case playbook.OpSequence:
		operands = rapid.IntRange(2, 3).Draw(a.t, "operands")
		if slices.Contains(a.ops, playbook.OpAbsent) && rapid.Bool().Draw(a.t, "until") {
			m.Until = a.signal(depth-1, by)
		}
	case playbook.OpCount:
		m.AtLeast = rapid.IntRange(1, 4).Draw(a.t, "at least")
	case playbook.OpDistinct:
		m.AtLeast, m.Field = rapid.IntRange(1, 3).Draw(a.t, "at least"), byPID
	case playbook.OpAbsent:
		operands = 2
	case playbook.OpBaseline:
		m.Factor, m.Over, m.Within, m.Field = 1.5, m.Within*4, 0, byPID
	}
	for range operands {
		m.Of = append(m.Of, a.signal(depth-1, by))
		m.By = append(m.By, by)
	}
	if m.Until >= 0 {
		m.By = append(m.By, by)
	}
	return m
}

// signal draws an operand: an event or a match, or one that is there already.
func (a *author) signal(depth int, by [][]string) int {
	i := len(a.p.Signals)
	if depth > 0 && rapid.IntRange(0, 2).Draw(a.t, "nested") == 0 {
		a.p.Signals = append(a.p.Signals, playbook.Signal{})
		if rapid.IntRange(0, 2).Draw(a.t, "other by") == 0 {
			by = a.by()
		}
		m := a.match(depth, by)
		a.p.Signals[i] = playbook.Signal{Name: fmt.Sprintf("s%d", i), Match: &m, Types: []string{schemas.ProcessStarted}}
		return i
	}
	leaf := rapid.IntRange(0, len(a.whens)-1).Draw(a.t, "leaf")
	a.p.Signals = append(a.p.Signals, playbook.Signal{
		Name: fmt.Sprintf("s%d_%s", i, strings.Join(leafPrograms[leaf], "")), Type: schemas.ProcessStarted, When: a.whens[leaf], Types: []string{schemas.ProcessStarted},
	})
	return i
}

// drawEvents draws events in the order of their times, with ties.
func drawEvents(t *rapid.T, most int) []schemas.Event {
	n := rapid.IntRange(1, most).Draw(t, "events")
	span := rapid.IntRange(5, 120).Draw(t, "span")
	if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
		n, span = 4*most, 4*span // so that windows are looked through for what they need no more
	}
	containers, images := rapid.IntRange(1, 2).Draw(t, "containers"), rapid.IntRange(1, 2).Draw(t, "images")
	starts := rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}, {"a", "b", "c", "d"}}).Draw(t, "programs")
	var at []int
	for range n {
		at = append(at, rapid.IntRange(0, span).Draw(t, "at"))
	}
	sort.Ints(at)
	var out []schemas.Event
	for i, at := range at {
		out = append(out, schemas.Event{
			ID: fmt.Sprintf("e%d", i), Source: "/local/" + rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "source") + "/exec",
			Type: schemas.ProcessStarted, Time: epoch.Add(time.Duration(at) * time.Second),
			Data: json.RawMessage(fmt.Sprintf(`{"container":{"id":"c%d","image":{"digest":"i%d"}},"process":{"pid":%d,"executable":{"name":%q}}}`,
				rapid.IntRange(1, containers).Draw(t, "container"), rapid.IntRange(1, images).Draw(t, "image"), rapid.IntRange(1, 5).Draw(t, "pid"),
				rapid.SampledFrom(starts).Draw(t, "program"))),
		})
	}
	return out
}

// inOrder stores events as they happened.
func inOrder(events []schemas.Event) []schemas.Event {
	out := slices.Clone(events)
	for i := range out {
		out[i].Seq, out[i].Stored = uint64(i+1), out[i].Time.Add(time.Millisecond)
	}
	return out
}

// interleaved stores events in another order, none later than Lateness allows.
func interleaved(t *rapid.T, events []schemas.Event) []schemas.Event {
	out := slices.Clone(events)
	for i := range out {
		by := rapid.IntRange(0, int(Lateness/time.Second)).Draw(t, "late by")
		out[i].Stored = out[i].Time.Add(time.Duration(by) * time.Second)
	}
	// Those that are stored at the same time come in any order, too.
	for i := range out {
		j := rapid.IntRange(0, i).Draw(t, "place")
		out[i], out[j] = out[j], out[i]
	}
	slices.SortStableFunc(out, func(a, b schemas.Event) int { return a.Stored.Compare(b.Stored) })
	for i := range out {
		out[i].Seq = uint64(i + 1)
	}
	return out
}

// lagging stores events of sources each of which is behind by a time of its
// own, longer than Lateness perhaps, and says so by heartbeats.
func lagging(t *rapid.T, events []schemas.Event) []schemas.Event {
	lag := map[string]time.Duration{}
	end := events[len(events)-1].Time.Add(time.Minute)
	var out []schemas.Event
	for _, source := range []string{"/local/n1/exec", "/local/n2/exec", "/local/n3/exec"} {
		lag[source] = time.Duration(rapid.IntRange(0, 50).Draw(t, "lag")) * time.Second
		for at := epoch.Add(-time.Minute); at.Before(end); at = at.Add(10 * time.Second) {
			out = append(out, schemas.Event{
				ID: fmt.Sprint("beat", at), Source: source, Type: schemas.Heartbeat,
				Time: at.Add(-lag[source]), Stored: at, Data: json.RawMessage(`{"source":"exec"}`),
			})
		}
	}
	for _, ev := range events {
		by := time.Duration(rapid.IntRange(0, int(Lateness/time.Second)).Draw(t, "late by")) * time.Second
		ev.Stored = ev.Time.Add(lag[ev.Source] + by)
		out = append(out, ev)
	}
	slices.SortStableFunc(out, func(a, b schemas.Event) int { return a.Stored.Compare(b.Stored) })
	for i := range out {
		out[i].Seq = uint64(i + 1)
	}
	return out
}

// ended adds ticks, so that all deadlines pass.
func ended(events []schemas.Event) []schemas.Event {
	out := slices.Clone(events)
	last := epoch
	for _, ev := range out {
		if ev.Stored.After(last) {
			last = ev.Stored
		}
	}
	for i := range 3 {
		at := last.Add(time.Duration(i+1) * 10 * time.Minute)
		out = append(out, schemas.Event{
			ID: fmt.Sprintf("tick%d", i), Source: "/local/core/correlator", Type: schemas.Tick, Time: at, Stored: at,
			Seq: uint64(len(out) + 1), Data: json.RawMessage(`{}`),
		})
	}
	return out
}

// recallFrom reads events by sequence.
func recallFrom(events []schemas.Event) func(uint64) (schemas.Event, error) {
	bySeq := map[uint64]schemas.Event{}
	for _, ev := range events {
		bySeq[ev.Seq] = ev
	}
	return func(seq uint64) (schemas.Event, error) {
		ev, ok := bySeq[seq]
		if !ok {
			return ev, schemas.ErrAbsent
		}
		return ev, nil
	}
}

// run applies events and gives what was decided, completed.
func run(t fataler, e *Engine, events, all []schemas.Event) []Decision {
	var out []Decision
	recall := recallFrom(all)
	for _, ev := range events {
		for _, d := range e.Apply(ev) {
			d, err := Fill(d, recall)
			if err != nil {
				t.Fatal(err)
			}
			switch d := d.(type) {
			case Opened:
				if len(d.Recall) > 0 {
					t.Fatal("not recalled: ", d)
				}
			case Recurred:
				if len(d.Recall) > 0 {
					t.Fatal("not recalled: ", d)
				}
			}
			out = append(out, d)
		}
	}
	return out
}

func assuming(set *playbook.Set) *Engine {
	e := New(set)
	e.AssumeAlive = true
	e.limits.prune = 0 // what is cut must never have been needed
	return e
}

// groupsIn gives the playbooks and groups that opened an incident.
func groupsIn(ds []Decision) []string {
	seen := map[string]bool{}
	for _, d := range ds {
		if o, ok := d.(Opened); ok {
			seen[o.Opened.Playbook.Name+" "+o.Opened.Group] = true
		}
	}
	return keys(seen)
}

// standsIn gives at which events a playbook without `once` opened incidents.
func standsIn(ds []Decision, playbook string) []string {
	out := []string{}
	for _, d := range ds {
		if o, ok := d.(Opened); ok && o.Opened.Playbook.Name == playbook {
			out = append(out, fmt.Sprintf("%s %s %s", o.Opened.Group, o.Opened.Trigger.Time.Sub(epoch), o.Opened.Trigger.ID))
		}
	}
	slices.Sort(out)
	return out
}

func keys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
