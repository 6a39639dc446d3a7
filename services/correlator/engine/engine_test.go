package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type fataler interface{ Fatal(...any) }

func condition(t fataler, text string) *expr.Program {
	p, err := expr.Condition(text, schemas.ProcessStarted)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// miner is a playbook that waits for a program of that name.
func miner(t fataler, name, program string, once time.Duration, by ...string) *playbook.Playbook {
	p := &playbook.Playbook{
		Name: name, Severity: "high", Arena: "runtime", Once: once,
		Signals: []playbook.Signal{{Name: "start", Type: schemas.ProcessStarted, Types: []string{schemas.ProcessStarted}, When: condition(t, fmt.Sprintf("process.executable.name == %q", program))}},
		Guard:   schemas.Guard{Mode: "enforce"},
		Steps:   []schemas.Step{{ID: "pause", Do: "container.pause"}},
	}
	var paths [][]string
	for _, path := range by {
		paths = append(paths, strings.Split(path, "."))
	}
	p.Match = playbook.Match{Op: playbook.OpAny, Of: []int{0}, Until: -1, By: [][][]string{paths}}
	return p
}

func set(digest string, playbooks ...*playbook.Playbook) *playbook.Set {
	return &playbook.Set{Digest: digest, Playbooks: playbooks}
}

func start(seq int, at time.Duration, container, program string) schemas.Event {
	return schemas.Event{
		ID: fmt.Sprintf("e%d", seq), Source: "/local/n1/exec", Type: schemas.ProcessStarted, Time: epoch.Add(at),
		Data: json.RawMessage(fmt.Sprintf(
			`{"host":{"name":"n1"},"container":{"id":%q,"image":{"digest":"sha256:1"}},"process":{"pid":7,"executable":{"name":%q}}}`, container, program)),
		Writer: "node-n1", Seq: uint64(seq), Stored: epoch.Add(at + time.Millisecond),
	}
}

func says(t fataler, seq int, at time.Duration, typ string, g schemas.GroupEvent) schemas.Event {
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Event{
		ID: fmt.Sprintf("e%d", seq), Source: "/local/core/conductor", Type: typ, Time: epoch.Add(at), Data: raw,
		Writer: "core", Seq: uint64(seq), Stored: epoch.Add(at),
	}
}

// short names decisions: o for opened, r<n> for recurred, with the incident's place in the order.
func short(known map[string]int, ds []Decision) string {
	var out []string
	number := func(id string) int {
		if _, ok := known[id]; !ok {
			known[id] = len(known) + 1
		}
		return known[id]
	}
	for _, d := range ds {
		switch d := d.(type) {
		case Opened:
			out = append(out, fmt.Sprintf("o%d", number(d.Incident)))
		case Recurred:
			out = append(out, fmt.Sprintf("r%d#%d", number(d.Incident), d.N))
		case Gap:
			out = append(out, fmt.Sprintf("gap %d-%d", d.From, d.To))
		case Overflowed:
			out = append(out, fmt.Sprintf("overflow %s/%s %d over %d", d.Playbook, d.Signal, d.Count, d.Limit))
		}
	}
	return strings.Join(out, " ")
}

func TestIncidentID(t *testing.T) {
	got := IncidentID("p", "c1", "/l/n1/exec", "e1")
	if len(got) != 26 || strings.ToLower(got) != got || got == IncidentID("p", "c1", "/l/n1/exec", "e2") {
		t.Errorf("id %q", got)
	}
	// As another implementation of SHA-256 and base32 gives it.
	if want := "ooum7erjxnsmmyzu377cwoyfb5"; got != want {
		t.Errorf("id %q, want %q", got, want)
	}
}

// incidentOf names the incident that an event opens which came by a writer.
func incidentOf(playbook, group string, ev schemas.Event) string {
	return IncidentID(playbook, group, ev.Source, fmt.Sprintf("%s#%x", ev.ID, identity(ev.Writer, ev.Source, ev.ID)))
}

func TestApply(t *testing.T) {
	const h = time.Hour
	g := schemas.GroupEvent{Playbook: "p", Group: "c1"}
	armed := func(seq int, at time.Duration, incident string) schemas.Event {
		e := g
		e.Incident = incident
		return says(t, seq, at, schemas.GroupArmed, e)
	}
	quiet := func(seq int, at, until time.Duration) schemas.Event {
		e := g
		e.Until = epoch.Add(until).Format(time.RFC3339Nano)
		return says(t, seq, at, schemas.GroupSuppressed, e)
	}
	first := incidentOf("p", "c1", start(1, 0, "c1", "xmrig"))
	second := incidentOf("p", "c1", start(3, 0, "c1", "xmrig"))
	early := start(1, 0, "c1", "xmrig")
	early.Time = epoch.Add(10 * 365 * 24 * h)
	other := start(1, 0, "c1", "xmrig")
	other.Writer = "node-n2"
	forged := quiet(2, 1, h)
	forged.Writer = "node-n1"
	for name, tc := range map[string]struct {
		by     string
		once   time.Duration
		events []schemas.Event
		want   string
	}{
		"one":                        {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig")}, "o1"},
		"no match":                   {"container.id", h, []schemas.Event{start(1, 0, "c1", "sh")}, ""},
		"once":                       {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig"), start(2, h-1, "c1", "xmrig")}, "o1|r1#1"},
		"after once":                 {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig"), start(2, h, "c1", "xmrig")}, "o1|o2"},
		"another group":              {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig"), start(2, 1, "c2", "xmrig")}, "o1|o2"},
		"without by":                 {"", 0, []schemas.Event{start(1, 0, "c1", "xmrig"), start(2, 1, "c1", "xmrig")}, "o1|o2"},
		"the same event twice":       {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig"), start(1, 0, "c1", "xmrig")}, "o1|"},
		"late":                       {"container.id", h, []schemas.Event{start(1, 2*h, "c1", "xmrig"), start(2, 0, "c1", "xmrig")}, "o1|r1#1"},
		"by is absent":               {"user.name", h, []schemas.Event{start(1, 0, "c1", "xmrig")}, ""},
		"a wrong clock":              {"container.id", h, []schemas.Event{early, start(2, 2*h, "c1", "xmrig")}, "o1|o2"},
		"a node speaks of another":   {"container.id", h, []schemas.Event{other}, ""},
		"armed":                      {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig"), armed(2, 1, first), start(3, 2, "c1", "xmrig"), start(4, 3, "c1", "xmrig")}, "o1||o2|r2#1"},
		"armed for another incident": {"container.id", h, []schemas.Event{start(1, 0, "c1", "xmrig"), armed(2, 1, "x"), start(3, 2, "c1", "xmrig")}, "o1||r1#1"},
		"armed again is slower": {"container.id", h, []schemas.Event{
			start(1, 0, "c1", "xmrig"), armed(2, 1, first), start(3, 2, "c1", "xmrig"), armed(4, 3, second),
			start(5, 4, "c1", "xmrig"), start(6, 10*time.Second+2, "c1", "xmrig"),
		}, "o1||o2||r2#1|o3"},
		"left alone":         {"container.id", time.Minute, []schemas.Event{start(1, 0, "c1", "xmrig"), quiet(2, 1, h), start(3, h-1, "c1", "xmrig"), start(4, h, "c1", "xmrig")}, "o1|||o2"},
		"left alone, forged": {"container.id", time.Minute, []schemas.Event{start(1, 0, "c1", "xmrig"), forged, start(3, h-1, "c1", "xmrig")}, "o1||o2"},
	} {
		t.Run(name, func(t *testing.T) {
			var by []string
			if tc.by != "" {
				by = []string{tc.by}
			}
			e := New(set("d", miner(t, "p", "xmrig", tc.once, by...)))
			e.Marker = "core"
			known := map[string]int{}
			var got []string
			for _, ev := range tc.events {
				got = append(got, short(known, e.Apply(ev)))
			}
			if d := cmp.Diff(tc.want, strings.Join(got, "|")); d != "" {
				t.Error(d, e.Stats())
			}
		})
	}
}

func TestTheMostSeverePlaybookComesFirst(t *testing.T) {
	low, high, critical := miner(t, "a", "xmrig", 0), miner(t, "b", "xmrig", 0), miner(t, "c", "xmrig", 0)
	low.Severity, high.Severity, critical.Severity = "low", "high", "critical"
	var order []string
	for _, d := range New(set("1", low, high, critical)).Apply(start(1, 0, "c1", "xmrig")) {
		order = append(order, d.(Opened).Opened.Playbook.Name)
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestOpenedRecord(t *testing.T) {
	p := miner(t, "p", "xmrig", time.Hour, "container.id", "process.pid")
	e := New(set("d", p))
	ev := start(1, 0, "c1", "xmrig")
	ev.Stored = ev.Time.Add(16 * time.Minute)
	ref := schemas.EventRef{Source: ev.Source, ID: ev.ID, Type: ev.Type, Time: ev.Time, Seq: 1}
	group := `["c1",7]`
	want := []Decision{Opened{
		Incident: incidentOf("p", group, ev),
		Opened: schemas.Opened{
			Playbook: schemas.Playbook{Name: "p", Digest: "d", Arena: "runtime", Severity: "high"},
			Group:    group, Key: map[string]any{"container.id": "c1", "process.pid": 7.0}, Trigger: ref,
			Signals: map[string]schemas.Signal{"start": {EventRef: ref, Data: ev.Data}},
			Once:    schemas.Duration(time.Hour), Stale: true,
			Guard: schemas.Guard{Mode: "enforce", StaleAfter: schemas.Duration(15 * time.Minute)},
			Steps: p.Steps,
		},
	}}
	if d := cmp.Diff(want, e.Apply(ev)); d != "" {
		t.Error(d)
	}
}

func TestErrorsAreCounted(t *testing.T) {
	e := New(set("d", miner(t, "p", "xmrig", time.Hour, "container.id")))
	noGroup := start(1, 0, "c1", "")
	noGroup.Data = json.RawMessage(`{"host":{"name":"n1"},"process":{"pid":7,"executable":{"name":"xmrig"}}}`)
	broken := start(2, 0, "c1", "")
	broken.Data = json.RawMessage(`[`)
	for _, ev := range []schemas.Event{noGroup, broken, start(3, 0, "c1", "xmrig")} {
		e.Apply(ev)
	}
	got := e.Stats()["p"]
	if got.Errors != 2 || got.Matched != 2 || got.LastError == "" {
		t.Errorf("stats %+v", got)
	}
}

func TestRecurrencesAreThinned(t *testing.T) {
	e := New(set("d", miner(t, "p", "xmrig", time.Hour, "container.image.digest")))
	n := 0
	for seq := range 1000 {
		for _, d := range e.Apply(start(seq+1, time.Duration(seq)*time.Second, "c1", "xmrig")) {
			if _, ok := d.(Recurred); ok {
				n++
			}
		}
	}
	if n < 10 || n > 10+17 {
		t.Errorf("%d of 999 recurrences recorded", n)
	}
	if got := e.Apply(start(1001, 1000*time.Second, "c2", "xmrig")); len(got) != 1 {
		t.Errorf("a new container is not told: %v", got)
	}
}

func TestGapAndOverflow(t *testing.T) {
	e := New(set("d", miner(t, "p", "xmrig", time.Hour, "container.id")))
	e.limits.groups = 2
	gap := schemas.Event{Type: schemas.LogGap, Seq: 9, Data: json.RawMessage(`{"reader":"x","from":3,"to":9}`)}
	stored := gap
	stored.Writer = "core"
	known := map[string]int{}
	var got []string
	for _, ev := range []schemas.Event{
		gap, stored, start(10, 0, "c1", "xmrig"), start(11, 1, "c2", "xmrig"), start(12, 2, "c3", "xmrig"),
	} {
		got = append(got, short(known, e.Apply(ev)))
	}
	if d := cmp.Diff([]string{"gap 3-9", "", "o1", "o2", "o3 overflow p/ 1 over 2"}, got); d != "" {
		t.Error(d)
	}
}

// A log that was made anew counts from one again: the ledger's sequences say
// nothing about it.
func TestANewLogIsNotCovered(t *testing.T) {
	p := miner(t, "p", "xmrig", time.Hour, "container.id")
	e := New(set("d", p))
	var led ledger
	for _, d := range e.Apply(start(900, 0, "c1", "xmrig")) {
		led.add(t, d)
	}
	again := New(set("d", p))
	for _, r := range led.list {
		if err := again.Seed(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := again.Apply(start(900, 0, "c1", "xmrig")); len(got) != 0 {
		t.Errorf("the same event decides again: %v", got)
	}
	if got := again.Apply(start(1, 30*time.Minute, "c1", "xmrig")); len(got) != 1 {
		t.Errorf("an event of the new log decides nothing: %v", got)
	}
}

func BenchmarkUninteresting(b *testing.B) {
	e := New(set("d", miner(b, "p", "xmrig", time.Hour, "container.id")))
	ev := start(1, 0, "c1", "xmrig")
	ev.Type = schemas.ContainerUsage
	b.ReportAllocs()
	for b.Loop() {
		e.Apply(ev)
	}
}

func BenchmarkNoMatch(b *testing.B) {
	e := New(set("d", miner(b, "p", "xmrig", time.Hour, "container.id")))
	ev := start(1, 0, "c1", "sh")
	b.ReportAllocs()
	for b.Loop() {
		e.Apply(ev)
	}
}
