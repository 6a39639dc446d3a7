package main

import (
	"encoding/json"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"
)

// TestTheWatchSeesIt: what people and scripts are shown of one containment.
func TestTheWatchSeesIt(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	r.run()
	watch := r.command(nil, "watch", "--json", "--all", "--config", r.config)
	wait(t, "the watch to see a heartbeat", func() bool { return strings.Contains(watch.output(), schemas.Heartbeat) })
	r.trigger(run, "xmrig")
	v := r.until("miner", run.ID, "enforced")
	wait(t, "the watch to see the verification", func() bool { return strings.Contains(watch.output(), "firebreak.ledger.enforced") })
	watch.stop()
	types := map[string]int{}
	for line := range strings.Lines(watch.output()) {
		var ce cloudevents.Event
		if err := json.Unmarshal([]byte(line), &ce); err != nil {
			t.Fatalf("not a CloudEvent: %v: %s", err, line)
		}
		if err := ce.Validate(); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		types[ce.Type()]++
	}
	for _, want := range []string{
		schemas.ProcessStarted, schemas.ContainerPaused, "firebreak.ledger.opened", "firebreak.ledger.requested",
		"firebreak.ledger.planned", "firebreak.ledger.applied", "firebreak.ledger.enforced",
	} {
		if types[want] == 0 {
			t.Errorf("the watch did not show %s: %v", want, types)
		}
	}

	out, code := r.firebreak("incident", "list", "--json")
	var listed struct {
		ID, Playbook, Severity, Opened, State string
		Steps                                 []struct {
			ID, Action string
			Targets    []struct {
				ID, State, At string
				Error         *string
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &listed); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if listed.ID != v.ID || listed.Playbook != "miner" || listed.Severity != "high" || listed.State != "open" || listed.Opened == "" ||
		len(listed.Steps) != 2 || listed.Steps[0].Action != "container.pause" || listed.Steps[0].Targets[0].State != "enforced" ||
		listed.Steps[0].Targets[0].ID != run.ID || listed.Steps[0].Targets[0].Error == nil {
		t.Errorf("incident list --json: %s", out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"incident", "list"}, "container.pause enforced"},
		{[]string{"incident", "show", v.ID[:6]}, "[held]"},
		{[]string{"incident", "show", v.ID, "--json"}, `"signature":"`},
		{[]string{"evidence", "list", v.ID}, "no evidence"},
		{[]string{"playbook", "list"}, "enforce"},
		{[]string{"playbook", "lint"}, "1 playbooks"},
	} {
		if out, code := r.firebreak(c.args...); code != exitOK || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit %d, want %q in:\n%s", c.args, code, c.want, out)
		}
	}
}

// TestWhatIsPublishedIsValid: every event and record of a whole life against
// its JSON Schema and the rules of the CloudEvents SDK.
func TestWhatIsPublishedIsValid(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	r.run()
	r.trigger(run, "xmrig")
	v := r.until("miner", run.ID, "enforced")
	r.release(v.ID)
	c := r.people()
	events := 0
	err := c.FollowEvents(t.Context(), 0, func(e schemas.Event) error {
		events++
		schemastest.Valid(t, e)
		return nil
	}, func() error { return errAll })
	if events == 0 {
		t.Errorf("no event: %v", err)
	}
	_, records := r.incidents()
	for _, rec := range records {
		schemastest.ValidRecord(t, rec)
	}
}

// TestHostileNamesStayData: what a container writes into its names reaches
// neither the terminal nor a file as anything but text.
func TestHostileNamesStayData(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	r.run()
	name := "x\x1b[31m\n$(touch pwned)"
	if _, err := run.Exec(t.Context(), "/bin/cp", "/bin/busybox", "/"+name); err != nil {
		t.Fatal(err)
	}
	r.execute(run, name)
	r.trigger(run, "xmrig")
	r.until("miner", run.ID, "enforced")
	watch := r.command(nil, "watch", "--since", "1h", "--config", r.config)
	wait(t, "the watch to show it", func() bool { return strings.Contains(watch.output(), `x\u001b[31m\u000a$(touch pwned)`) })
	watch.stop()
	if strings.Contains(watch.output(), "\x1b[31m\n") {
		t.Error("the watch hands control characters on")
	}
}

// TestARecordLineIsOneLine: the incident and the kind come from a subject, and
// whoever holds a node's key chooses the subjects of its place.
func TestARecordLineIsOneLine(t *testing.T) {
	line := recordLine(schemas.Record{Incident: "\x1b[2J", Task: "a\nb", Kind: "\x1b]0;x\a", Data: []byte(`{"reason":"\u001b[31m"}`)})
	if strings.ContainsAny(line, "\x1b\n\a") {
		t.Errorf("control characters are left in %q", line)
	}
}
