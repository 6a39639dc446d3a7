package trial_test

import "testing"

func TestWhatHappens(t *testing.T) {
	t.Parallel()
	const retry = `
guard: {mode: enforce}
then:
  - do: container.pause
    retry: {attempts: 2, backoff: 30s}
    onFailure:
      - do: notify.log
        id: cry
        with: {text: "${steps['container.pause'].state}"}
`
	for _, tt := range []struct{ name, then, test string }{
		{"all goes well", enforce, `
    events: [` + bad("0s", "c1") + `]
    expect:
      incidents:
        - by: c1
          at: 0s
          severity: high
          outcome: contained
          steps:
            - {do: container.pause, target: c1, state: enforced}
            - {id: evidence.capture, state: applied}
            - {do: notify.log, with: {text: paused c1, to: [soc]}}
`},
		{"nothing matches", enforce, `
    events: [{at: 0s, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: good}}}}]
    expect: {incidents: []}
`},
		{"without effect", retry, `
    mock: {container.pause: {ineffective: it runs on}}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{outcome: failed, steps: [{do: container.pause, state: ineffective}, {id: cry, with: {text: ineffective}}]}]}
`},
		{"the third attempt succeeds", retry, `
    mock: {container.pause: [failed, failed, enforced]}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{outcome: contained, steps: [{do: container.pause, state: enforced}], not: [cry]}]}
`},
		{"no attempt succeeds", retry, `
    mock: {container.pause: {failed: containerd is away}}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{steps: [{do: container.pause, state: failed}, notify.log]}]}
`},
		{"nobody answers", retry, `
    mock: {container.pause: unanswered}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{steps: [{do: container.pause, state: failed, cause: timeout}, cry]}]}
`},
		{"the place refuses", retry, `
    mock: {container.pause: {refused: it is the console}}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{outcome: refused, steps: [{do: container.pause, state: refused}], not: [cry]}]}
`},
		{"what is gone may open another", enforce, `
    mock: {container.pause: gone}
    events: [` + bad("0s", "c1") + `, ` + bad("1m", "c1") + `]
    expect: {incidents: [{at: 0s, by: c1, outcome: gone}, {at: 1m, by: c1}]}
`},
		{"within once it recurs", enforce, `
    events: [` + bad("0s", "c1") + `, ` + bad("1m", "c1") + `, ` + bad("2h", "c1") + `]
    expect: {incidents: [{at: 0s, recurred: 1}, {at: 2h, recurred: 0}]}
`},
		{"the hold", enforce, `
    hold: true
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{outcome: refused, not: [container.pause], steps: [{do: container.pause, state: skipped, cause: hold}]}]}
`},
		{"an observer", "once: 1h\nthen: [{do: container.pause}]\n", `
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{outcome: observed, steps: [{do: container.pause, state: observed}]}]}
`},
		{"the budget", "guard: {mode: enforce, limit: {targets: 1, per: 10m}}\nthen: [{do: container.pause}]\n", `
    events: [` + bad("0s", "c1") + `, ` + bad("1m", "c2") + `, ` + bad("11m", "c3") + `]
    expect:
      incidents:
        - {by: c1, steps: [container.pause]}
        - {by: c2, steps: [{do: container.pause, state: refused, cause: budget}]}
        - {by: c3, steps: [container.pause]}
`},
		{"who is excepted", "guard: {mode: enforce, except: 'host.name == \"n9\"'}\nthen: [{do: container.pause}]\n", `
    events: [{at: 0s, host: n9, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: bad}}}}]
    expect: {incidents: [{steps: [{do: container.pause, state: refused, cause: guard}]}]}
`},
		{"what is told too late is asked", enforce, `
    events: [{at: 0s, stored: 20m, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: bad}}}}]
    expect: {incidents: [{steps: [{do: container.pause, state: refused, cause: approval}, {do: evidence.capture, state: refused}, {do: notify.log, state: refused}]}]}
`},
		{"released when its time is over, and armed again", `
once: 24h
guard: {mode: enforce}
then:
  - do: container.pause
    for: 10m
    onExpire: release
`, `
    events: [` + bad("0s", "c1") + `, ` + bad("1h", "c1") + `]
    expect:
      incidents:
        - {at: 0s, outcome: contained, steps: [{do: container.pause, state: released}]}
        - {at: 1h, steps: [{do: container.pause, state: enforced}]}
`},
		{"while it recurs nothing is let go", `
once: 24h
guard: {mode: enforce}
then:
  - do: container.pause
    for: 10m
    onExpire: release
`, `
    until: 12m
    events: [` + bad("0s", "c1") + `, ` + bad("8m", "c1") + `]
    expect: {incidents: [{recurred: 1, steps: [{do: container.pause, state: enforced}]}]}
`},
		{"conditions and needs", `
guard: {mode: enforce}
then:
  - do: container.pause
  - {do: evidence.capture, needs: [container.pause]}
  - {do: notify.log, when: 'steps["container.pause"].state == "failed"', with: {text: x}}
`, `
    mock: {container.pause: failed}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{steps: [container.pause, {do: evidence.capture, state: skipped, cause: needs}, notify.log]}]}
  - name: and when it is paused
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{steps: [container.pause, evidence.capture, {do: notify.log, state: skipped, cause: condition}]}]}
`},
		{"the same event twice", enforce, `
    events:
      - {at: 0s, id: a, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: bad}}}}
      - {at: 0s, id: a, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: bad}}}}
    expect: {incidents: [{recurred: 0}]}
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			passes(t, try(t, tt.then, "  - name: t"+tt.test))
		})
	}
}
