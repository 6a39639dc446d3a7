package trial_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is not as expected is said with what was expected, what came and why.
func TestFailures(t *testing.T) {
	t.Parallel()
	const good = "{at: 3s, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: good}}}}"
	for _, tt := range []struct {
		name, test string
		want       []string
	}{
		{"no incident", `
    events: [` + good + `]
    expect: {incidents: [{by: c1, at: 3s}]}
`, []string{`5: no incident was opened of c1 at 3s | want an incident of c1 at 3s | got none | event-1 (runtime.process.started at 3s): does not match start: process.executable.name == "bad" is false (process.executable.name = "good")`}},
		{"no event", `
    expect: {incidents: [{}]}
`, []string{"4: no incident was opened | want an incident | got none | the test has no event"}},
		{"another group", `
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{by: c2}]}
`, []string{
			"5: no incident was opened of c2 | want an incident of c2 | got an incident of c1 at 0s | event-1 (runtime.process.started at 0s): matches start",
			"5: an incident that is not expected | want 1 of others | got an incident of c1 at 0s: container.pause enforced, evidence.capture applied, notify.log applied | event-1 (runtime.process.started at 0s, line 4): matches start",
		}},
		{"one too many", `
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: []}
`, []string{"5: an incident that is not expected | want none | got an incident of c1 at 0s: container.pause enforced, evidence.capture applied, notify.log applied | event-1 (runtime.process.started at 0s, line 4): matches start"}},
		{"other steps", `
    mock: {container.pause: {failed: containerd is away}}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{steps: [container.pause, notify.log]}]}
`, []string{"6: an incident of c1 at 0s: other steps ran | want container.pause, notify.log | got container.pause failed, evidence.capture applied, notify.log applied | container.pause failed: containerd is away"}},
		{"another order", `
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{steps: [notify.log, container.pause, evidence.capture]}]}
`, []string{"5: an incident of c1 at 0s: other steps ran | want notify.log, container.pause, evidence.capture | got container.pause enforced, evidence.capture applied, notify.log applied"}},
		{"another state", `
    mock: {container.pause: {partial: one of two}}
    events: [` + bad("0s", "c1") + `]
    expect:
      incidents:
        - steps: [{do: container.pause, state: enforced, target: [c9]}, evidence.capture, {do: notify.log, with: {text: halted}}]
`, []string{
			"8: an incident of c1 at 0s: container.pause on other targets | want c9 | got c1",
			"8: an incident of c1 at 0s: container.pause on c1 came to another state | want enforced | got partial | container.pause: one of two",
			"8: an incident of c1 at 0s: notify.log was given another text | want halted | got paused c1",
		}},
		{"a mock that nobody asks", `
    hold: true
    mock: {container.pause: failed}
    events: [` + bad("0s", "c1") + `]
    expect: {incidents: [{by: c1}]}
`, []string{"5: the mock of container.pause is of no use | want that container.pause is asked for something | got it is not"}},
		{"the rest", `
    events: [` + bad("0s", "c1") + `, ` + bad("1s", "c1") + `]
    expect: {incidents: [{severity: low, recurred: 0, outcome: failed, not: [notify.log]}]}
`, []string{
			"5: an incident of c1 at 0s: another severity | want low | got high",
			"5: an incident of c1 at 0s: it recurred more or less often | want 0 | got 1 | event-1 (runtime.process.started at 0s, line 4): matches start",
			"5: an incident of c1 at 0s: another outcome | want failed | got contained",
			"5: an incident of c1 at 0s: notify.log ran | want that it does not | got notify.log applied",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			results := try(t, enforce, "  - name: t"+tt.test)
			var got []string
			for _, f := range results[0].Failures {
				got = append(got, told(f))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
		})
	}
}
