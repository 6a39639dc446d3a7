package trial_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	missing = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: host, severity: high}
on:
  gone: {type: host.login.failed, when: has(user.name)}
  back: {type: host.login.succeeded, when: has(user.name)}
match:
  absent: {after: gone, expect: back}
  by: user.name
  within: 10m
then: [{do: notify.log, with: {text: x}}]
`
	broken = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: host, severity: high}
on:
  fail: {type: host.login.failed, when: has(user.name)}
  many:
    count: {of: fail, atLeast: 3}
  ok: {type: host.login.succeeded, when: has(user.name)}
  reset: {type: host.file.changed, when: has(user.name)}
match:
  sequence: [many, ok]
  until: reset
  by: user.name
  within: 5m
then: [{do: notify.log, with: {text: x}}]
`
)

func TestTimeRunsOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, tests string }{
		{"what does not come, whatever else does", missing, `  - name: it does not come
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [{by: root, at: 10m}]}
  - name: it comes in time
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}, {at: 10m, type: host.login.succeeded, data: {user: {name: root}}}]
    expect: {incidents: []}
  - name: it comes too late
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}, {at: 10m1s, type: host.login.succeeded, data: {user: {name: root}}}]
    expect: {incidents: [{by: root}]}
  - name: the time is not over yet
    until: 9m
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: []}
  - name: the time is over to the second
    until: 10m
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [{by: root}]}
  - name: nobody would have told
    silent: [{types: [host.login.succeeded], from: 1m, to: 4m}]
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [], unknown: [root]}
  - name: nobody told for a time, but not then
    silent: [{types: [host.login.succeeded], from: 20m, to: 24m}]
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [{by: root}]}
  - name: another source is silent
    silent: [{types: [host.login.failed], from: 1m}]
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [{by: root}]}
`},
		{"a sequence with until", broken, `  - name: many and then one
    events: [{at: 0s, times: 3, every: 10s, type: host.login.failed, data: {user: {name: root}}}, {at: 1m, type: host.login.succeeded, data: {user: {name: root}}}]
    expect: {incidents: [{by: root, at: 1m}]}
  - name: broken off in between
    events:
      - {at: 0s, times: 3, every: 10s, type: host.login.failed, data: {user: {name: root}}}
      - {at: 40s, type: host.file.changed, data: {user: {name: root}, file: {path: /x}}}
      - {at: 1m, type: host.login.succeeded, data: {user: {name: root}}}
    expect: {incidents: []}
  - name: two of another
    events:
      - {at: 0s, times: 2, every: 10s, type: host.login.failed, data: {user: {name: root}}}
      - {at: 20s, type: host.login.failed, data: {user: {name: bob}}}
      - {at: 1m, type: host.login.succeeded, data: {user: {name: root}}}
    expect: {incidents: []}
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			passes(t, tryWhole(t, tt.text, tt.tests))
		})
	}
}

// A failure tells how far the windows came.
func TestFailuresTellOfWindows(t *testing.T) {
	t.Parallel()
	results := tryWhole(t, broken, `  - name: too few
    events: [{at: 0s, times: 2, every: 10s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [{by: root}]}
  - name: unknown and not expected
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: [], unknown: [root]}
`)
	var got []string
	for _, r := range results {
		for _, f := range r.Failures {
			got = append(got, told(f))
		}
	}
	want := []string{
		"5: no incident was opened of root | want an incident of root | got none" +
			" | event-1.1 (host.login.failed at 0s): matches fail | event-1.2 (host.login.failed at 10s): matches fail | count many has 2 of 3 within 5m for root",
		"8: it can be told whether something failed to come for root | want unknown | got known",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	results = tryWhole(t, missing, `  - name: nobody would have told
    silent: [{types: [host.login.succeeded]}]
    events: [{at: 0s, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: []}
`)
	if len(results[0].Failures) != 1 || results[0].Failures[0].Got != "unknown for root" {
		t.Errorf("got %+v", results[0].Failures)
	}
}

// The inventory's fixtures answer what steps ask it.
func TestInventory(t *testing.T) {
	t.Parallel()
	passes(t, tryWhole(t, `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: registry, severity: high}
on:
  bad: {type: registry.image.verified, when: 'has(image.digest) && signature.verdict == "unsigned"'}
match: {by: image.digest}
guard: {mode: enforce}
then:
  - do: container.pause
    target: inventory.containers(signals.bad.image.digest)
  - {do: notify.log, with: {text: x}}
`, `  - name: two of them run
    inventory:
      pods: [{uid: p1, host: n2, containers: [c1]}]
      containers: [{id: c1, image: {digest: "sha256:1"}}, {id: c2, image: {digest: "sha256:1"}}, {id: c3, image: {digest: "sha256:2"}}]
    events: [{at: 0s, type: registry.image.verified, data: {image: {digest: "sha256:1"}, signature: {verdict: unsigned}}}]
    expect: {incidents: [{by: "sha256:1", steps: [{do: container.pause, target: [c1, c2], state: enforced}, notify.log]}]}
  - name: none runs
    events: [{at: 0s, type: registry.image.verified, data: {image: {digest: "sha256:1"}, signature: {verdict: unsigned}}}]
    expect: {incidents: [{steps: [{do: container.pause, state: skipped, cause: target}, notify.log]}]}
`))
}

// What the engine will not look at fails the test, and is told by a trace.
func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	results := tryWhole(t, missing, `  - name: in three hundred years
    events: [{at: 2562000h, id: far, type: host.login.failed, data: {user: {name: root}}}]
    expect: {incidents: []}
`)
	if f := results[0].Failures; len(f) != 1 || !strings.Contains(f[0].Message, "the event far was not looked at: ") {
		t.Errorf("got %+v", f)
	}
}
