package fromincident_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/incident"
	"firebreak/services/workshop/fromincident"
)

const one = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: runtime, severity: high}
on:
  start:
    type: runtime.process.started
    when: has(container.id) && has(process.executable.name) && process.executable.name == "bad"
match: {by: container.id}
once: 1h
guard: {mode: enforce}
then:
  - do: container.pause
    retry: {attempts: 2, backoff: 1ms}
    onFailure:
      - {do: notify.log, id: cry, with: {text: failed}}
  - {do: notify.log, with: {text: x}}
`

const many = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: host, severity: high}
on:
  fail: {type: host.login.failed, when: has(user.name)}
  guesses:
    count: {of: fail, atLeast: 3}
  ok: {type: host.login.succeeded, when: has(user.name)}
match: {sequence: [guesses, ok], by: user.name, within: 5m}
then: [{do: notify.log, with: {text: "${signals.ok.user.name}"}}]
`

func process(n int, at time.Duration, id, name string) schemas.Event {
	return logged(n, at, schemas.ProcessStarted,
		`{"host":{"name":"n7"},"container":{"id":"`+id+`"},"process":{"pid":7,"executable":{"name":"`+name+`"},"command_args":["bad","--password=hunter2"]},"user":{"name":"alice"}}`)
}

func login(n int, at time.Duration, typ, user, address string) schemas.Event {
	return logged(n, at, typ, `{"host":{"name":"n7"},"user":{"name":"`+user+`"},"client":{"address":"`+address+`"},"login":{"service":"sshd"}}`)
}

func TestWhatHappenedPasses(t *testing.T) {
	t.Parallel()
	log := []schemas.Event{
		process(1, -time.Minute, "c1", "good"), process(2, 0, "c1", "bad"),
		process(3, time.Second, "c2", "good"), process(4, 2*time.Minute, "c1", "bad"),
	}
	plan := func(t *incident.Task) schemas.Plan { return schemas.Plan{Action: t.Action, Target: t.Target} }
	pause := func(does func(t *incident.Task) []any) answer {
		return func(t *incident.Task) []any {
			if t.Action == "container.pause" {
				return does(t)
			}
			return well(t)
		}
	}
	for _, tt := range []struct {
		name string
		hold bool
		does answer
		want []string
	}{
		{"all goes well", false, well, []string{"steps: [container.pause, notify.log]", "recurred: 1", "container.id: c1", "at: 2m"}},
		{"without effect", false, pause(func(t *incident.Task) []any {
			return []any{
				schemas.KindPlanned, plan(t), schemas.KindApplied,
				schemas.Effect{Plan: plan(t)},
				schemas.KindIneffective,
				schemas.Verdict{Layers: []schemas.Layer{{Name: "cgroup", State: schemas.Ineffective, Detail: "it runs on"}}},
			}
		}), []string{"{id: container.pause, state: ineffective}, cry, notify.log", "mock: {container.pause: {ineffective: 'cgroup: it runs on'}}"}},
		{"failed twice, then it held", false, pause(func(t *incident.Task) []any {
			if t.Requested.Attempt < 3 {
				return []any{schemas.KindPlanned, plan(t), schemas.KindFailed, schemas.Outcome{Reason: "busy", Transient: true}}
			}
			return well(t)
		}), []string{"steps: [container.pause, notify.log]", "mock: {container.pause: [failed, failed, enforced]}"}},
		{"nobody answered", false, pause(func(t *incident.Task) []any {
			return []any{schemas.KindFailed, schemas.Outcome{Cause: "timeout", Reason: "no answer", Step: t.Step, Action: t.Action, Target: &t.Target}}
		}), []string{"mock: {container.pause: unanswered}", "{id: container.pause, state: failed}"}},
		{"gone", false, pause(func(*incident.Task) []any {
			return []any{schemas.KindGone, schemas.Outcome{Reason: "it has ended"}}
		}), []string{"mock: {container.pause: {gone: it has ended}}"}},
		{"on hold", true, well, []string{"hold: true", "{cause: hold, id: container.pause, state: skipped}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := load(t, one)
			events := log
			if tt.name == "gone" || tt.name == "on hold" || tt.name == "without effect" || tt.name == "nobody answered" {
				events = log[:3] // the group is armed again: what comes later is another incident
			}
			l := &live{t: t, does: tt.does, hold: tt.hold}
			inc := l.run(p, events)
			text, made := passes(t, fromincident.Input{Playbook: p, Incident: inc, Events: events})
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in it:\n%s", want, text)
				}
			}
			if strings.Contains(text, "good") || strings.Contains(text, "c2") {
				t.Errorf("it has events of others:\n%s", text)
			}
			if len(made.Notes) > 0 {
				t.Errorf("notes: %v", made.Notes)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	p := load(t, many)
	log := []schemas.Event{
		login(1, 0, schemas.LoginFailed, "root", "203.0.113.9"), login(2, time.Second, schemas.LoginFailed, "bob", "203.0.113.9"),
		login(3, 2*time.Second, schemas.LoginFailed, "root", "10.1.2.3"), login(4, 3*time.Second, schemas.LoginFailed, "root", "203.0.113.9"),
		login(5, 9*time.Second, schemas.LoginSucceeded, "root", "203.0.113.9"), login(6, time.Hour, schemas.LoginFailed, "root", "203.0.113.9"),
	}
	inc := (&live{t: t, does: well}).run(p, log)
	text, _ := passes(t, fromincident.Input{Playbook: p, Incident: inc, Events: log})
	if n := strings.Count(text, "type: "); n != 4 {
		t.Errorf("%d events, want the four of root:\n%s", n, text)
	}
	redacted, _ := passes(t, fromincident.Input{Playbook: p, Incident: inc, Events: log, Redact: true})
	for _, secret := range []string{"root", "203.0.113", "10.1.2.3", "node-7", "id-1", inc.ID} {
		if strings.Contains(redacted, secret) {
			t.Errorf("%q is left in\n%s", secret, redacted)
		}
	}
	if strings.Count(redacted, "198.18.0.1") != 3 || strings.Count(redacted, "10.0.0.1") != 1 || strings.Count(redacted, "user-1") != 5 {
		t.Errorf("the same is not replaced by the same:\n%s", redacted)
	}
}

// The log may have let go what an incident's records still carry.
func TestWithoutTheLog(t *testing.T) {
	t.Parallel()
	p := load(t, one)
	inc := (&live{t: t, does: well}).run(p, []schemas.Event{process(1, 0, "c1", "bad")})
	_, made := passes(t, fromincident.Input{Playbook: p, Incident: inc})
	if len(made.Notes) != 1 || !strings.Contains(made.Notes[0], "no longer in the log") {
		t.Errorf("notes: %v", made.Notes)
	}
	text, _ := passes(t, fromincident.Input{Playbook: p, Incident: inc, Redact: true})
	if strings.Contains(text, "hunter2") || strings.Contains(text, "alice") {
		t.Errorf("a secret is left in:\n%s", text)
	}
}

// A capped library observes; its playbook's tests enforce.
func TestAnotherMode(t *testing.T) {
	t.Parallel()
	capped := load(t, strings.Replace(one, "mode: enforce", "mode: observe", 1))
	inc := (&live{t: t, does: well}).run(capped, []schemas.Event{process(1, 0, "c1", "bad")})
	p := load(t, one)
	text, made := passes(t, fromincident.Input{Playbook: p, Incident: inc, Events: []schemas.Event{process(1, 0, "c1", "bad")}})
	if len(made.Notes) != 1 || !strings.Contains(text, "mode observe") {
		t.Errorf("notes: %v\n%s", made.Notes, text)
	}
}

// What is still going on has no end that a test could expect.
func TestBeforeItsEnd(t *testing.T) {
	t.Parallel()
	p := load(t, one)
	for name, does := range map[string]answer{
		"not answered": func(*incident.Task) []any { return nil },
		"only planned": func(t *incident.Task) []any {
			return []any{schemas.KindPlanned, schemas.Plan{Action: t.Action, Target: t.Target}}
		},
	} {
		log := []schemas.Event{process(1, 0, "c1", "bad")}
		inc := (&live{t: t, does: does}).run(p, log)
		text, made := passes(t, fromincident.Input{Playbook: p, Incident: inc, Events: log})
		if len(made.Notes) != 1 || !strings.Contains(made.Notes[0], "its end") || strings.Contains(text, "steps:") {
			t.Errorf("%s: notes %v\n%s", name, made.Notes, text)
		}
	}
}

func TestWhatCannotBeMade(t *testing.T) {
	t.Parallel()
	p := load(t, one)
	if _, err := fromincident.Make(fromincident.Input{Playbook: p, Incident: incident.New("x")}); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("an incident of which nothing is known: %v", err)
	}
	inc := (&live{t: t, does: well}).run(p, []schemas.Event{process(1, 0, "c1", "bad")})
	other := load(t, strings.Replace(many, "name: p", "name: q", 1))
	if _, err := fromincident.Make(fromincident.Input{Playbook: other, Incident: inc}); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("another playbook: %v", err)
	}
}
