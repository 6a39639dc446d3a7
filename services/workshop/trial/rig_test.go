package trial_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

// specs are actions as responders have them.
func specs() []schemas.Spec {
	return []schemas.Spec{
		{Name: "container.pause", TargetKind: "container", Place: "node", Undo: "lets it run on", Verify: "the cgroup is frozen"},
		{Name: "evidence.capture", TargetKind: "container", Place: "node"},
		{Name: "notify.log", TargetKind: "incident", Place: "core", Params: json.RawMessage(`{"type":"object"}`)},
	}
}

// try runs the tests of a playbook. then is its `guard`, `once` and `then`.
func try(t *testing.T, then, tests string) []trial.Result {
	t.Helper()
	return tryWhole(t, `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: runtime, severity: high}
on:
  start:
    type: runtime.process.started
    when: has(container.id) && has(process.executable.name) && process.executable.name == "bad"
match: {by: container.id}
`+then, tests)
}

func tryWhole(t *testing.T, text, tests string) []trial.Result {
	t.Helper()
	b := &suite.Bench{Specs: specs(), Formats: format.Names(), Decode: format.ForTests(testfile.Start()), Runner: trial.New(specs())}
	u := b.Load(suite.Pair{
		Source: playbook.Source{Name: "p.yaml", Data: []byte(text)},
		Test:   &suite.Test{Name: "p.test.yaml", Data: []byte("playbook: p\ntests:\n" + tests)},
	})
	for _, f := range append(u.Broken, u.Findings...) {
		if f.Severity == playbook.SeverityError {
			t.Fatalf("%s\n%s\n%s", f, text, tests)
		}
	}
	return b.Run(u, nil)
}

// passes fails the test for every difference that was found.
func passes(t *testing.T, results []trial.Result) {
	t.Helper()
	if len(results) == 0 {
		t.Error("no test ran")
	}
	for _, r := range results {
		for _, f := range r.Failures {
			t.Errorf("%s: %s", r.Name, told(f))
		}
	}
}

func told(f trial.Failure) string {
	s := fmt.Sprintf("%d: %s", f.Line, f.Message)
	if f.Want != "" || f.Got != "" {
		s += fmt.Sprintf(" | want %s | got %s", f.Want, f.Got)
	}
	if len(f.Why) > 0 {
		s += " | " + strings.Join(f.Why, " | ")
	}
	return s
}

const enforce = `
once: 1h
guard: {mode: enforce}
then:
  - do: container.pause
    for: 4h
    onExpire: keep
  - do: evidence.capture
  - do: notify.log
    with: {text: "paused ${signals.start.container.id}", to: [soc]}
`

func bad(at, id string) string {
	return fmt.Sprintf("{at: %s, type: runtime.process.started, data: {container: {id: %s}, process: {executable: {name: bad}}}}", at, id)
}
