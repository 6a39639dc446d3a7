package explain_test

import (
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
	"firebreak/services/workshop/explain"

	"github.com/google/go-cmp/cmp"
)

func load(t *testing.T) *playbook.Playbook {
	t.Helper()
	set, findings := playbook.Load([]playbook.Source{{Name: "p.yaml", Data: []byte(`apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: host, severity: low}
on:
  fail:
    type: host.login.failed
    when: has(user.name) && (login.service == "sshd" || login.service == "sudo")
  any: {type: host.login.succeeded}
  many:
    count: {of: fail, atLeast: 3}
match: {sequence: [many, any], by: host.name, within: 5m}
then: [{do: notify.log}]
`)}}, []schemas.Spec{{Name: "notify.log", TargetKind: "incident"}})
	if set == nil {
		t.Fatal(findings)
	}
	return set.Playbooks[0]
}

func TestSignals(t *testing.T) {
	t.Parallel()
	p := load(t)
	for _, tt := range []struct{ name, typ, data, want string }{
		{"all of it", schemas.LoginFailed, `{"user":{"name":"root"},"login":{"service":"sudo"}}`, "matches fail"},
		{"another value", schemas.LoginFailed, `{"user":{"name":"root"},"login":{"service":"su"}}`, `does not match fail: (login.service == "sshd" || login.service == "sudo") is false (login.service = "su")`},
		{"nothing there", schemas.LoginFailed, `{"login":{"service":"sshd"}}`, "does not match fail: has(user.name) is false (user.name is absent)"},
		{"without a condition", schemas.LoginSucceeded, `{}`, "matches any"},
		{"no data", schemas.LoginFailed, `[`, "does not match fail: its data cannot be read: unexpected end of JSON input"},
	} {
		got := explain.Signals(p, schemas.Event{Type: tt.typ, Data: []byte(tt.data)})
		if len(got) != 1 || got[0].String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
	if got := explain.Signals(p, schemas.Event{Type: schemas.ModuleLoaded, Data: []byte(`{}`)}); got != nil {
		t.Errorf("another type: %v", got)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	p := load(t)
	for _, tt := range []struct {
		o    engine.Observation
		want string
	}{
		{engine.Observation{What: engine.Window, Signal: "many", Group: "n1", Have: 2, Need: 3}, "count many has 2 of 3 within 5m for n1"},
		{engine.Observation{What: engine.Window, Have: 1, Need: 2}, "sequence has 1 of 2 within 5m"},
		{engine.Observation{What: engine.Waits, Group: "n1", Detail: "for the watermark"}, "sequence waits for n1: for the watermark"},
		{engine.Observation{What: engine.Late}, "sequence does not take it, because it is late"},
		{engine.Observation{What: engine.Duplicate, Signal: "fail"}, "it was delivered before: nothing changes"},
		{engine.Observation{What: engine.Met}, "what sequence expects has come"},
		{engine.Observation{What: engine.Broken}, "until breaks sequence off"},
		{engine.Observation{What: engine.NotKnown}, "it cannot be told whether what sequence expects has come"},
		{engine.Observation{What: engine.Stands, Signal: "many"}, "count many is complete"},
		{engine.Observation{What: engine.Fired}, "an incident is opened"},
		{engine.Observation{What: engine.Recurs}, "the open incident hears of it"},
		{engine.Observation{What: engine.Suppressed}, "a person asked to leave it alone"},
		{engine.Observation{What: engine.Failed, Detail: "by: host.name is absent"}, "sequence cannot take it: by: host.name is absent"},
		{engine.Observation{What: engine.Failed, Signal: "fail"}, ""},
		{engine.Observation{What: engine.Matched, Signal: "fail"}, ""},
	} {
		got, news := explain.NoteOf(p, tt.o)
		if !news {
			got.Text = ""
		}
		if got.Text != tt.want {
			t.Errorf("%+v: %q, want %q", tt.o, got.Text, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, d := range []time.Duration{0, time.Second, time.Minute, time.Hour, 90 * time.Second, time.Hour + time.Minute} {
		got[d.String()] = explain.Short(d)
	}
	want := map[string]string{"0s": "0s", "1s": "1s", "1m0s": "1m", "1h0m0s": "1h", "1m30s": "1m30s", "1h1m0s": "1h1m"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}
