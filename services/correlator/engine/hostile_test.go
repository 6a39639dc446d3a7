package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
)

// What a stolen key of one node may try.

func written(name string, ev schemas.Event) schemas.Event {
	ev.Writer = schemas.NodePlace(name)
	return ev
}

func beatOf(name string, seq int, at time.Duration, types ...string) schemas.Event {
	raw, err := json.Marshal(schemas.SourceEvent{Host: &schemas.Host{Name: name}, Source: "exec", Types: types})
	if err != nil {
		panic(err)
	}
	return written(name, schemas.Event{
		ID: fmt.Sprint("beat", name, seq), Source: "/local/" + name + "/exec", Type: schemas.Heartbeat,
		Time: epoch.Add(at), Stored: epoch.Add(at), Seq: uint64(seq), Data: raw,
	})
}

func TestHostileHeartbeatsTakeLittleRoom(t *testing.T) {
	e := New(nil)
	var types []string
	for i := range 10_000 {
		types = append(types, fmt.Sprintf("firebreak.%s.%d", strings.Repeat("x", 50), i))
	}
	for i := range 100 {
		ev := beatOf("n1", i+1, time.Duration(i)*time.Millisecond, types...)
		ev.Source = fmt.Sprintf("/local/n1/%d", i)
		e.Apply(ev)
	}
	long := beatOf("n1", 101, time.Second, "a")
	long.Source = strings.Repeat("s", 500_000)
	e.Apply(long)
	plain := long
	plain.Type, plain.Data = schemas.ProcessStarted, json.RawMessage(`{}`)
	e.Apply(plain)
	if n := len(e.Snapshot()); n > 2<<20 {
		t.Errorf("100 sources take %d bytes", n)
	}
}

func TestOneWriterDisplacesNoOthersSources(t *testing.T) {
	e := New(nil)
	e.Apply(beatOf("n1", 1, 0, schemas.ProcessStarted))
	for i := range maxSources {
		ev := beatOf("n2", i+2, time.Second, "x")
		ev.Source = fmt.Sprintf("/local/n2/%d", i)
		e.Apply(ev)
	}
	if e.clock.sources[sourceKey{schemas.NodePlace("n1"), "/local/n1/exec"}] == nil {
		t.Error("another writer's source was forgotten")
	}
	if n := len(e.clock.sources); n > maxSources/4 {
		t.Errorf("%d sources are known", n)
	}
}

func TestNobodyButTheCoreTellsGaps(t *testing.T) {
	for _, tc := range []struct {
		writer string
		want   string
	}{{"node-n2", ""}, {"core", "fell silent"}} {
		e := New(nil)
		e.Marker = "core"
		for i := range 4 {
			e.Apply(beatOf("n1", i+1, time.Duration(10*i)*time.Second, schemas.ProcessStarted))
		}
		gap := written("n2", schemas.Event{
			ID: "g", Source: "/local/n2/x", Type: schemas.LogGap, Time: epoch.Add(35 * time.Second), Stored: epoch.Add(35 * time.Second),
			Seq: 5, Data: json.RawMessage(`{"from":1,"to":2}`),
		})
		gap.Writer = tc.writer
		e.Apply(gap)
		for i := 4; i < 8; i++ {
			e.Apply(beatOf("n1", i+2, time.Duration(10*i)*time.Second, schemas.ProcessStarted))
		}
		why := e.clock.alive([]string{schemas.ProcessStarted}, "", span{at(25), at(50)})
		if (why == "") != (tc.want == "") {
			t.Errorf("%s told of a gap: %q", tc.writer, why)
		}
	}
}

func at(seconds int) int64 { return nanos(epoch.Add(time.Duration(seconds) * time.Second)) }

func TestALongGroupTakesLittleRoom(t *testing.T) {
	e := New(load(t, "", "{any: [a], by: container.id}", "once: 1h"))
	one, two := strings.Repeat("x", 300_000), strings.Repeat("x", 300_000)+"y"
	got := told(t, e, script(t, "0 a "+one+"\n1 a "+two+"\n2 a "+one))
	if strings.Count(got, "opened") != 2 || strings.Count(got, "recurred") != 1 {
		t.Errorf("%d opened, %d recurred", strings.Count(got, "opened"), strings.Count(got, "recurred"))
	}
	if n := len(e.Snapshot()); n > 100_000 {
		t.Errorf("two groups take %d bytes", n)
	}
}

// An event of a node that nobody can place on it completes nothing.
func TestANodesEventNamesItsHost(t *testing.T) {
	for host, want := range map[string]int{`"host":{"name":"n1"},`: 1, `"host":{"name":"n2"},`: 0, ``: 0} {
		e := New(load(t, "", "{any: [a], by: container.id}", "once: 1h"))
		ev := written("n1", schemas.Event{
			ID: "x", Source: "/local/n1/exec", Type: schemas.ProcessStarted, Time: epoch, Stored: epoch, Seq: 1,
			Data: json.RawMessage(`{` + host + `"container":{"id":"c1"},"process":{"executable":{"name":"a"}}}`),
		})
		if got := len(e.Apply(ev)); got != want {
			t.Errorf("{%s}: %d decisions, want %d", host, got, want)
		}
	}
}

// An event of the same source and id, but of another writer, is another event:
// it must not open the incident in its place.
func TestAnotherWritersEventHasAnotherIncident(t *testing.T) {
	for _, more := range []string{"", "once: 1s"} {
		e := New(load(t, "", "{any: [a], by: container.image.digest}", more))
		incidents := map[string]bool{}
		for i, name := range []string{"n1", "n2"} {
			when := epoch.Add(2 * time.Duration(i) * time.Second)
			for _, d := range e.Apply(written(name, schemas.Event{
				ID: "x", Source: "/local/n2/exec", Type: schemas.ProcessStarted, Time: when, Stored: when, Seq: uint64(i + 1),
				Data: json.RawMessage(`{"host":{"name":"` + name + `"},"container":{"id":"c1","image":{"digest":"d"}},"process":{"executable":{"name":"a"}}}`),
			})) {
				if o, ok := d.(Opened); ok {
					incidents[o.Incident] = true
				}
			}
		}
		if len(incidents) != 2 {
			t.Errorf("%q: %d incidents, want 2", more, len(incidents))
		}
	}
}

// A duplicate that makes a deadline pass must not lend its data to what was
// delivered first.
func TestADuplicateLendsNoData(t *testing.T) {
	e := assuming(load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 10s}", ""))
	events := script(t, "0 a c1 id=x\n30 a c1 id=x stored=30")
	events[1].Data = json.RawMessage(strings.Replace(string(events[1].Data), "{", `{"forged":true,`, 1))
	got := opened(t, e, events)
	if s := got.Signals["a"]; s.Seq != 1 || strings.Contains(string(s.Data), "forged") {
		t.Errorf("signal of event %d: %s", s.Seq, s.Data)
	}
}

// What is expected came in time, and the log held it before the event after
// which it is expected: that one's node was cut off for a while.
func TestAnAbsenceIsNotTakenForOneAfterAnOutage(t *testing.T) {
	var log strings.Builder
	log.WriteString("1 b c1 src=n2\n")
	for at := 2; at <= 200; at += 2 {
		fmt.Fprintf(&log, "%d b c1 src=n2 id=b%d\n", at, at)
	}
	log.WriteString("30 a c1 src=n1 stored=201\n")
	log.WriteString("260 tick")
	e := New(load(t, "", "{absent: {after: a, expect: b}, by: container.id, within: 10s}", ""))
	e.AssumeAlive = true
	for _, ev := range script(t, log.String()) {
		for _, d := range e.Apply(ev) {
			if o, ok := d.(Opened); ok {
				t.Fatalf("an incident at %v of %s, though b had come", o.Opened.Trigger.Time.Sub(epoch), o.Opened.Trigger.ID)
			}
		}
	}
}

// A node that is no more must not make every absence unknown.
func TestANodeThatIsGoneIsNotWaitedFor(t *testing.T) {
	e := New(nil)
	e.Apply(beatOf("gone", 1, 0, schemas.ProcessStarted))
	n := 2
	for at := time.Duration(0); at <= 3*time.Hour; at += 20 * time.Second {
		e.Apply(beatOf("n1", n, at, schemas.ProcessStarted))
		n++
	}
	if why := e.clock.alive([]string{schemas.ProcessStarted}, "", span{at(600), at(660)}); why == "" {
		t.Error("it was forgotten at once")
	}
	if why := e.clock.alive([]string{schemas.ProcessStarted}, "", span{at(2 * 3600), at(2*3600 + 60)}); why != "" {
		t.Error(why)
	}
	if why := e.clock.alive([]string{schemas.ProcessStarted}, "gone", span{at(2 * 3600), at(2*3600 + 60)}); why == "" {
		t.Error("an absence on a node that is silent counts")
	}
}

// Times that run backwards within the lateness must not make each event cost
// the square of how many there are.
func TestTimesThatRunBackwardsCostLittle(t *testing.T) {
	for _, match := range []string{
		"{all: [a, b], by: container.id, within: 20s}",
		"{distinct: {of: a, field: process.pid, atLeast: 2000}, by: container.id, within: 20s}",
		"{count: {of: a, atLeast: 2000}, by: container.id, within: 20s}",
		"{sequence: [b, a], by: container.id, within: 20s}",
	} {
		e := New(load(t, "", match, ""))
		e.Apply(scriptEvent(t, 1, "-100 b c1"))
		e.Apply(scriptEvent(t, 2, "10 a c1"))
		begin := time.Now()
		for i := range 2000 {
			e.Apply(scriptEvent(t, i+3, fmt.Sprintf("%f a c1 pid=%d stored=10", 9.9-float64(i)/2000*9, i)))
		}
		if took := time.Since(begin); took > 3*time.Second { // a tenth of that on a slow machine
			t.Errorf("%s: %v", match, took)
		}
	}
}
