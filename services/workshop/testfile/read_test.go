package testfile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"
	"firebreak/services/playbook"
	"firebreak/services/workshop/testfile"

	"github.com/google/go-cmp/cmp"
)

var formats = []string{"falco", "k8s-audit"}

// decode stands for the decoders: two events of one text.
func decode(format string, raw []byte) ([]schemas.Event, error) {
	if strings.Contains(string(raw), "broken") {
		return nil, errors.New("it is broken")
	}
	return []schemas.Event{
		{ID: "a", Source: "/test/" + format, Type: schemas.FalcoRule, Data: raw},
		{ID: "b", Source: "/test/" + format, Type: schemas.FalcoRule, Data: []byte(`{}`)},
	}, nil
}

func read(text string) (*testfile.File, []string) {
	f, findings := testfile.Read("a.test.yaml", []byte(text), formats, decode)
	var out []string
	for _, one := range findings {
		s := fmt.Sprintf("%d:%d: %s", one.Line, one.Column, one.Message)
		if one.Fix != "" {
			s += " (" + one.Fix + ")"
		}
		out = append(out, s)
	}
	return f, out
}

const head = "playbook: p\ntests:\n  - name: t\n"

func TestFindings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"a key that is none", head + "    evnts: []\n    expect: {incidents: []}\n", []string{`4:5: unknown key "evnts" (did you mean events?)`}},
		{"nothing expected", head + "    events: []\n", []string{"3:5: the key expect is missing"}},
		{"no incidents named", head + "    expect: {}\n", []string{"4:13: the key incidents is missing"}},
		{"no test", "playbook: p\ntests: []\n", []string{"2:8: there is no test (write at least one that fires and one that stays silent)"}},
		{"two of a name", head + "    expect: {incidents: []}\n  - name: t\n    expect: {incidents: []}\n", []string{`5:11: the name "t" is given twice (name each test by what is the matter in it)`}},
		{"no YAML", "playbook: [\n", []string{"1:1: this is no YAML: did not find expected node content (look at the line and the one before; a text that begins with ! or a quote, or holds a colon and a space, must stand in quotes)"}},
		{"an empty file", "", []string{"1:1: the file is empty"}},
		{"a number as time", event("{at: 30, type: runtime.process.started}"), []string{"5:14: want a time such as 30s, got 30 (units are s, m and h)"}},
		{"a time before the beginning", event("{at: -1s, type: runtime.process.started}"), []string{`5:14: want a time such as 30s, got "-1s" (units are s, m and h)`}},
		{"a type that is none", event("{type: runtime.process.startd}"), []string{`5:16: unknown event type "runtime.process.startd" (did you mean runtime.process.started?)`}},
		{"a full type", event("{type: firebreak.runtime.process.started}"), []string{"5:16: the prefix firebreak. is left off in playbooks and their tests (write runtime.process.started)"}},
		{"no type", event("{at: 1s}"), []string{"5:9: the key type is missing (write the event's type, or as and raw)"}},
		{"a field that is none", event("{type: runtime.process.started, data: {proces: {pid: 1}}}"), []string{`5:48: unknown key "proces" (did you mean process?)`}},
		{"a field deep within", event("{type: runtime.process.started, data: {process: {executable: {nam: x}}}}"), []string{`5:71: unknown key "nam" (did you mean name?)`}},
		{"text where a number belongs", event("{type: runtime.process.started, data: {process: {pid: one}}}"), []string{`5:63: want a whole number, got "one"`}},
		{"a number where text belongs", event("{type: runtime.process.started, data: {container: {id: 12}}}"), []string{"5:64: want text, got 12 (put it in quotes)"}},
		{"a value that the field never has", event("{type: runtime.process.started, data: {process: {executable: {origin: uper}}}}"), []string{`5:79: "uper" is not one of image, upper, volume, tmpfs, memfd, host, unknown (did you mean upper?)`}},
		{"a list where an object belongs", event("{type: runtime.process.started, data: {process: [1]}}"), []string{"5:57: want keys with values, got a list"}},
		{"host where there is none", event("{type: registry.image.pushed, host: n1}"), []string{"5:45: registry.image.pushed events name no host (leave it out)"}},
		{"two hosts", event("{type: runtime.process.started, host: n1, data: {host: {name: n2}}}"), []string{"5:47: data.host.name says n2 (keep one of them)"}},
		{"raw without as", event("{raw: {a: 1}}"), []string{"5:9: raw without as: its format is not known (add as: with one of falco, k8s-audit)"}},
		{"as without raw", event("{as: falco}"), []string{"5:9: as without raw: there is nothing to decode (add raw:, or take as out)"}},
		{"a format that is none", event("{as: falcon, raw: {a: 1}}"), []string{`5:14: unknown format "falcon" (did you mean falco?)`}},
		{"raw and type", event("{as: falco, raw: {a: 1}, type: falco.rule.output.v1}"), []string{"5:9: type, host and data of a raw event come from its decoder (leave them out)"}},
		{"raw that cannot be decoded", event("{as: falco, raw: broken}"), []string{"5:26: it cannot be decoded as falco: it is broken"}},
		{"too many", event("{type: runtime.process.started, times: 10001}"), []string{"5:48: want a number from 1 to 10000"}},
		{"a mock that is no state", head + "    mock: {a: inefective}\n    expect: {incidents: []}\n", []string{`4:15: "inefective" is no state that a place answers with (did you mean ineffective?)`}},
		{"a mock with two states", head + "    mock: {a: {failed: x, gone: y}}\n    expect: {incidents: []}\n", []string{"4:15: want one state with its reason, got 2 (a list stands for one attempt after the other)"}},
		{"an empty list of mocks", head + "    mock: {a: []}\n    expect: {incidents: []}\n", []string{"4:15: the list is empty (write what becomes of the first attempt)"}},
		{"a silence that ends too early", head + "    silent: [{types: [runtime.process.started], from: 20s, to: 10s}]\n    expect: {incidents: []}\n", []string{"4:64: it ends before it begins"}},
		{"a silence of a type that is none", head + "    silent: [{types: [nothing]}]\n    expect: {incidents: []}\n", []string{`4:23: unknown event type "nothing"`}},
		{"a step by both names", expect("[{steps: [{do: a, id: b}]}]"), []string{"4:35: want one of id and do (id tells steps with the same action apart)"}},
		{"a step by neither", expect("[{steps: [{state: failed}]}]"), []string{"4:35: want one of id and do (id tells steps with the same action apart)"}},
		{"a state that is none", expect("[{steps: [{do: a, state: enforce}]}]"), []string{`4:50: "enforce" is not one of applied, enforced, partial, ineffective, unverified, failed, refused, gone, observed, skipped, released, requested, planned (did you mean enforced?)`}},
		{"a step that is a number", expect("[{steps: [1]}]"), []string{"4:35: want a step's id or action, or keys such as do and state, got 1"}},
		{"a target that is a number", expect("[{steps: [{do: a, target: 1}]}]"), []string{"4:51: want the id of a target or a list of them, got 1 (put it in quotes)"}},
		{"a severity that is none", expect("[{severity: hihg}]"), []string{`4:37: "hihg" is not one of low, medium, high, critical (did you mean high?)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := read(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%s", diff, tt.text)
			}
		})
	}
}

func event(e string) string {
	return head + "    events:\n      - " + e + "\n    expect: {incidents: []}\n"
}

func expect(incidents string) string { return head + "    expect: {incidents: " + incidents + "}\n" }

func TestEventsAreComplete(t *testing.T) {
	t.Parallel()
	f, findings := read(event(`{at: 30s, type: runtime.process.started, host: n2, data: {container: {id: c1}}}`))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	e := f.Cases[0].Events[0]
	want := `{"container":{"id":"c1"},"host":{"name":"n2"},"process":{"pid":1000}}`
	if diff := cmp.Diff(want, string(e.Data)); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	at := testfile.Start().Add(30 * time.Second)
	if e.ID != "event-1" || e.Source != "/test/runtime" || !e.Time.Equal(at) || !e.Stored.Equal(at) || e.Seq != 1 {
		t.Errorf("got %+v", e.Event)
	}
	schemastest.Valid(t, e.Event)
}

// Whatever a type requires is filled in: an event without data is valid.
func TestEveryTypeIsFilledIn(t *testing.T) {
	t.Parallel()
	for _, entry := range schemas.Catalog {
		f, findings := read(event("{type: " + schemas.ShortType(entry.Type) + "}"))
		if len(findings) > 0 {
			t.Errorf("%s: %v", entry.Type, findings)
			continue
		}
		schemastest.Valid(t, f.Cases[0].Events[0].Event)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	f, findings := read(event(`{at: 1m, times: 3, every: 20s, id: "x${n}", type: host.login.failed, data: {user: {name: "u${n}"}, login: {}}}`))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	var got []string
	for _, e := range f.Cases[0].Events {
		var data schemas.LoginEvent
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(e.ID, " ", e.Time.Sub(testfile.Start()), " ", data.User.Name))
	}
	if diff := cmp.Diff([]string{"x1 1m0s u1", "x2 1m20s u2", "x3 1m40s u3"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The log takes events in the order in which they come, not in the file's.
func TestTheLogsOrder(t *testing.T) {
	t.Parallel()
	f, findings := read(head + `    events:
      - {at: 20s, type: host.login.failed, id: b}
      - {at: 1s, stored: 30s, type: host.login.failed, id: c}
      - {at: 10s, type: host.login.failed, id: a}
    expect: {incidents: []}
`)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	var got []string
	for _, e := range f.Cases[0].Events {
		got = append(got, fmt.Sprint(e.ID, e.Seq))
	}
	if diff := cmp.Diff([]string{"a1", "b2", "c3"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestRawEvents(t *testing.T) {
	t.Parallel()
	f, findings := read(event(`{at: 5s, as: falco, id: mine, raw: {rule: r}}`))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	var got []string
	for _, e := range f.Cases[0].Events {
		got = append(got, fmt.Sprint(e.ID, " ", e.Source, " ", e.Time.Sub(testfile.Start()), " ", string(e.Data)))
	}
	if diff := cmp.Diff([]string{`mine /test/falco 5s {"rule":"r"}`, `mine.2 /test/falco 5s {}`}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestInventoryItems(t *testing.T) {
	t.Parallel()
	i := testfile.Inventory{
		Pods:       []testfile.Pod{{UID: "p1", Name: "web", Namespace: "shop", Host: "n2", Containers: []string{"c1", "c2"}}},
		Containers: []testfile.Container{{ID: "c1", Image: &schemas.ContainerImage{Digest: "sha256:1"}}, {ID: "c9"}},
	}
	var got []string
	for _, it := range i.Items() {
		s := it.Kind + " " + it.ID + " " + it.Owner
		if it.K8s != nil {
			s += " of " + it.K8s.Namespace.Name + "/" + it.K8s.Pod.Name
		}
		if it.Container != nil && it.Container.Image != nil {
			s += " " + it.Container.Image.Digest
		}
		got = append(got, s)
	}
	want := []string{
		"pod p1 node-n2 of shop/web", "container c1 node-n2 of shop/web sha256:1",
		"container c9 node-node-1", "container c2 node-n2 of shop/web",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

// What is written reads as what was meant.
func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	at := 90 * time.Second
	d := testfile.Draft{
		Head: "two lines\nof comment", Playbook: "p",
		Cases: []testfile.DraftCase{
			{
				Name: "it: fires", Hold: true, Until: 2 * time.Hour,
				Events: []testfile.DraftEvent{{
					At: 1500 * time.Millisecond, Stored: time.Minute, Type: "runtime.process.started", Source: "/a/b", Times: 2, Every: time.Second,
					Data: map[string]any{"container": map[string]any{"id": "12"}, "process": map[string]any{"command_args": []any{"a\nb", "true", "x: y"}}},
				}},
				Mock: map[string]any{"container.pause": []any{"failed", map[string]any{"ineffective": "no"}}},
				Expect: []testfile.DraftIncident{{
					By: "12", At: &at, Severity: "high", Recurred: 1, Outcome: "failed",
					Steps: []any{"a", map[string]any{"id": "b", "state": "failed"}},
				}},
			},
			{Name: "silent"},
		},
	}
	text, err := d.Write()
	if err != nil {
		t.Fatal(err)
	}
	f, findings := read(string(text))
	if len(findings) > 0 {
		t.Fatalf("%v\n%s", findings, text)
	}
	c := f.Cases[0]
	if got := string(c.Events[1].Data); got != `{"container":{"id":"12"},"host":{"name":"node-1"},"process":{"command_args":["a\nb","true","x: y"],"pid":1000}}` {
		t.Errorf("data: %s", got)
	}
	i := c.Expect.Incidents[0]
	if i.By.String() != "12" || *i.At != at || i.Severity != "high" || *i.Recurred != 1 || i.Outcome != "failed" ||
		len(i.Steps) != 2 || i.Steps[1].State != "failed" || !c.Hold || *c.Until != 2*time.Hour {
		t.Errorf("expectation: %+v\n%s", i, text)
	}
	want := []testfile.Answer{{State: "failed"}, {State: "ineffective", Reason: "no"}}
	if diff := cmp.Diff(want, c.Mocks[0].Answers); diff != "" {
		t.Errorf("mock (-want +got):\n%s", diff)
	}
	if !f.Cases[0].Fires() || f.Cases[1].Fires() {
		t.Errorf("fires: %v %v", f.Cases[0].Fires(), f.Cases[1].Fires())
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(event(`{at: 1s, type: runtime.process.started, data: {container: {id: c1}}}`)))
	f.Add([]byte(expect(`[{by: [a, 1], at: 3s, steps: [a, {do: b, with: {c: 1}}], not: [d]}]`)))
	f.Add([]byte(head + "    mock: {a: {failed: x}}\n    silent: [{types: [host.login.failed]}]\n    expect: {incidents: [], unknown: [a]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, findings := testfile.Read("a", data, formats, decode)
		if file == nil && !playbook.Failed(findings) {
			t.Error("neither a file nor an error")
		}
	})
}
