package playbook_test

import (
	"strings"
	"testing"

	"firebreak/services/playbook"

	"github.com/google/go-cmp/cmp"
)

// TestUnreachable: what can never run is refused, and what may run is not.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, steps, want string }{
		{"another severity", "  - {do: container.pause, when: incident.severity == \"low\"}\n", `7:33: error: unreachable: the condition is never true in this playbook (take the step out, or its condition)`},
		{"its own severity", "  - {do: container.pause, when: incident.severity == \"high\"}\n", ``},
		{"one of two severities", "  - {do: container.pause, when: 'incident.severity in [\"low\", \"high\"]'}\n", ``},
		{"another severity beside something unknown", "  - {do: container.pause, when: signals.start.process.pid > 1 && (incident.severity == \"low\" || false)}\n", `7:33: error: unreachable: the condition is never true in this playbook (take the step out, or its condition)`},
		{"another severity or something unknown", "  - {do: container.pause, when: signals.start.process.pid > 1 || incident.severity == \"low\"}\n", ``},
		{"a choice", "  - {do: container.pause, when: 'incident.severity == \"low\" ? false : signals.start.process.pid > 1'}\n", ``},
		{"the absence of a signal's field", "  - {do: container.pause, when: '!has(signals.start.container)'}\n", ``},
		{"false", "  - {do: container.pause, when: false}\n", `7:33: error: unreachable: the condition is never true in this playbook (take the step out, or its condition)`},
		{"two values at once", "  - {do: container.pause, when: 'signals.start.host.name == \"a\" && signals.start.host.name in [\"b\", \"c\"]'}\n", `7:92: error: never true: signals.start.host.name cannot be "a" and "b" or "c" at once (join them with ||, or take one of them out)`},
		{"two numbers at once", "  - {do: container.pause, when: signals.start.process.pid == 1 && signals.start.process.pid == 2.0}\n", `7:93: error: never true: signals.start.process.pid cannot be 1 and 2 at once (join them with ||, or take one of them out)`},
		{"a number written twice", "  - {do: container.pause, when: signals.start.process.pid == 1 && signals.start.process.pid == 1.0}\n", ""},
		{"one of none", "  - {do: container.pause, when: 'signals.start.process.pid in []'}\n", `7:60: error: never true: nothing is in an empty list (write what it may be)`},
		{"needs of what never runs", "  - {do: container.pause, id: p, when: false}\n  - {do: evidence.capture, id: e, needs: [p]}\n  - {do: notify.log, needs: [e], with: {text: x}}\n", "7:40: error: unreachable: the condition is never true in this playbook (take the step out, or its condition)\n8:43: error: unreachable: it needs p, which never runs (take it out)\n9:30: error: unreachable: it needs e, which never runs (take it out)"},
		{"failure of what never runs", "  - do: container.pause\n    when: false\n    onFailure: [{do: evidence.capture}]\n", "8:11: error: unreachable: the condition is never true in this playbook (take the step out, or its condition)\n9:17: error: unreachable: container.pause never runs, so it cannot fail (take it out)"},
		{"needs of what failed", "  - do: container.pause\n    onFailure: [{do: evidence.capture, needs: [container.pause]}]\n", `8:48: error: unreachable: it needs container.pause, and runs only when that has failed (take it out)`},
		{"failure of what has nothing to verify", "  - do: notify.log\n    with: {text: x}\n    onFailure: [{do: container.pause}]\n", ``},
		{"a state that there is not", "  - {do: container.pause, id: p}\n  - {do: evidence.capture, when: steps.p.state == \"enforcd\"}\n", `8:51: error: steps["p"].state is never "enforcd"; it is one of requested, planned, applied, enforced, partial, ineffective, unverified, failed, refused, gone, observed, skipped, releasing, released (did you mean "enforced"?)`},

		{"evidence on a condition", "  - {do: evidence.capture, when: signals.start.process.pid > 1}\n  - {do: pod.terminate, irreversible: true}\n", `8:10: error: pod.terminate destroys evidence, and evidence.capture captures it on a condition alone (let it need that step: needs: [evidence.capture])`},
		{"evidence on a condition that is needed", "  - {do: evidence.capture, when: signals.start.process.pid > 1}\n  - {do: pod.terminate, needs: [evidence.capture], irreversible: true}\n", ``},
		{"evidence on a condition that always holds", "  - {do: evidence.capture, when: incident.severity != \"low\"}\n  - {do: pod.terminate, irreversible: true}\n", ``},
		{"evidence whose capture failed", "  - do: evidence.capture\n    onFailure: [{do: pod.terminate, irreversible: true}]\n", `8:22: error: pod.terminate destroys evidence, and no step before it captures any (put evidence.capture before it)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(head+on+"then:\n"+tt.steps)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStepsOfAMatch: steps speak of the operands of the playbook's own match.
func TestStepsOfAMatch(t *testing.T) {
	t.Parallel()
	const text = "then:\n  - {do: notify.log, with: {text: \"%\"}}\n"
	nested := only("fail", "ok") + "  many: {count: {of: fail, atLeast: 3}}\n"
	const sequence = "match: {sequence: [many, ok], by: user.name, within: 5m}\n"
	for _, tt := range []struct{ name, on, say, want string }{
		{"S32 a nested match is its completing event", nested + sequence, "${signals.many.host.name} ${signals.many.user.name}", ``},
		{"S32 an inner signal", nested + sequence, "${signals.fail.host.name}", `10:46: error: signals.fail cannot be spoken of (it is within many: write signals.many, the event that completed it)`},
		{"S32 what did not come", only("fail", "ok") + "match: {absent: {after: fail, expect: ok}, by: host.name, within: 5m}\n", "${signals.ok.host.name}", `9:46: error: signals.ok cannot be spoken of (it is the event that did not come; speak of fail)`},
		{"S32 what would have broken it off", only("fail", "ok", "start") + "match: {sequence: [fail, ok], until: start, by: host.name, within: 5m}\n", "${signals.start.host.name}", `10:46: error: signals.start cannot be spoken of (it would have broken the sequence off, and did not come)`},
		{"an operand of any", only("fail", "ok") + "match: {any: [fail, ok]}\n", "${signals.ok.host.name}", `9:54: warning: signals.ok.host.name may be absent, and then the whole is an error (guard it: has(signals.ok.host.name) && …)`},
		{"an operand of any that is guarded", only("fail", "ok") + "match: {any: [fail, ok]}\n", "${has(signals.ok) ? signals.ok.host.name : signals.?fail.?host.?name.orValue(\\\"?\\\")}", ``},
		{"a field of one of several events", only("fail", "start") + "  some: {any: [fail, start]}\nmatch: {any: [some]}\n", "${signals.some.user.name}", `10:56: warning: signals.some.user.name may be absent, and then the whole is an error (guard it: has(signals.some.user.name) && …)`},
		{"a field that none of them has", only("fail", "start") + "  some: {any: [fail, start]}\nmatch: {any: [some]}\n", "${signals.some.image.name}", `10:51: error: unknown field image of signals.some; known: client, container, host, k8s, login, user`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(head+"on:\n"+tt.on+strings.Replace(text, "%", tt.say, 1))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStepsKnowTheirCondition: what a step's own condition tests is there in
// the rest of it, and in what it holds.
func TestStepsKnowTheirCondition(t *testing.T) {
	t.Parallel()
	const signals = "match: {any: [fail, ok]}\n"
	for _, tt := range []struct{ name, steps, want string }{
		{"its own", "  - do: notify.log\n    when: has(signals.ok)\n    with: {text: \"${signals.ok.host.name}\"}\n", ``},
		{"that of its parallel", "  - when: has(signals.ok)\n    parallel:\n      - {do: notify.log, with: {text: \"${signals.ok.host.name}\"}}\n", ``},
		{"in its stead", "  - do: notify.log\n    when: has(signals.ok)\n    with: {text: x}\n    onFailure:\n      - {do: notify.log, with: {text: \"${signals.ok.host.name}\"}}\n", ``},
		{"not of the next", "  - {do: notify.log, when: has(signals.ok), with: {text: x}}\n  - {do: notify.log, with: {text: \"${signals.ok.host.name}\"}}\n", `10:54: warning: signals.ok.host.name may be absent, and then the whole is an error (guard it: has(signals.ok.host.name) && …)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(head+"on:\n"+only("fail", "ok")+signals+"then:\n"+tt.steps)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTargets: an action on what the match's events need not name is refused.
func TestTargets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, match, target, want string }{
		{"all, one of which names it", "all: [fail, start], by: host.name, within: 1m", "", ``},
		{"any, one of which does not", "any: [fail, start]", "", `9:10: error: container.pause acts on a container, and host.login.failed events name none (give it a target, or take another signal)`},
		{"absent, the missing one names it", "absent: {after: fail, expect: start}, by: host.name, within: 1m", "", `9:10: error: container.pause acts on a container, and host.login.failed events name none (give it a target, or take another signal)`},
		{"looked up", "any: [fail, start]", ", target: \"inventory.containers('n1')\"", ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := head + "on:\n" + only("fail", "start") + "match: {" + tt.match + "}\nthen:\n  - {do: container.pause" + tt.target + "}\n"
			if diff := cmp.Diff(tt.want, lint(text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInventoryInSteps: look-ups stand where their answer is recorded.
func TestInventoryInSteps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"in target", "on: {push: {type: registry.image.pushed, when: has(image.digest)}}\nthen:\n  - {do: container.pause, target: inventory.containers(signals.push.image.digest)}\n", ``},
		{"in when", on + "then:\n  - {do: container.pause, when: size(inventory.pods(signals.start.host.name)) > 1}\n", ``},
		{"in a text", on + "then:\n  - {do: notify.log, with: {text: \"${inventory.pods('x')}\"}}\n", "7:38: error: the inventory can be asked in `target` and `when` of a step alone: its answer is recorded there (put the condition into the step's when, or what it needs into its target)"},
		{"in a condition", "on: {start: {type: runtime.process.started, when: size(inventory.pods(host.name)) > 1}}\n" + then, "4:56: error: the inventory can be asked in `target` and `when` of a step alone: its answer is recorded there (put the condition into the step's when, or what it needs into its target)"},
		{"in except", on + "guard: {except: size(inventory.pods(host.name)) > 1}\n" + then, "6:22: error: the inventory can be asked in `target` and `when` of a step alone: its answer is recorded there (put the condition into the step's when, or what it needs into its target)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(head+tt.text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExceptOfSeveralEvents: except sees whichever event completes the match.
func TestExceptOfSeveralEvents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, except, want string }{
		{"a field that one has", `has(container.name) && container.name == \"a\"`, ``},
		{"a field that none has", `has(image.name) && image.name == \"a\"`, "8:22: error: unknown field image; known: client, container, host, k8s, login, user\n8:37: error: unknown field image; known: client, container, host, k8s, login, user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := head + "on:\n" + only("fail", "start") + "match: {any: [fail, start]}\nguard: {except: \"" + tt.except + "\"}\n" + told
			if diff := cmp.Diff(tt.want, lint(text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAttackAndMatrix(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, metadata, want string }{
		{"known", "attack: [T1611, T1496.001], matrix: [MS-TA9013]", ``},
		{"mistyped", "attack: [T1469]", `3:74: warning: T1469 is no technique that is known here (did you mean T1069 (Permission Groups Discovery)?)`},
		{"a sub-technique that there is not", "attack: [T1496.009]", `3:74: warning: T1496.009 is no technique that is known here (T1496 is Resource Hijacking)`},
		{"of an older version", "attack: [T1562.001]", `3:74: warning: T1562.001 is an id of older versions of ATT&CK (write T1685 (Disable or Modify Tools))`},
		{"far from any", "attack: [T9999]", `3:74: warning: T9999 is no technique that is known here (see attack.mitre.org for those of containers and Linux)`},
		{"twice", "attack: [T1611, T1611], matrix: [MS-TA9013, MS-TA9013]", "3:81: error: the technique T1611 is named twice (keep one of them)\n3:109: error: the technique MS-TA9013 is named twice (keep one of them)"},
		{"a bad form", "matrix: [TA9013]", `3:74: error: "TA9013" is no technique of the threat matrix for Kubernetes (write it as MS-TA9001)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(head, "severity: high", "severity: high, "+tt.metadata, 1) + on + then
			if diff := cmp.Diff(tt.want, lint(text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	seen := map[string]bool{}
	for _, tech := range playbook.Techniques() {
		if seen[tech.ID] || tech.Name == "" || len(tech.Tactics) == 0 {
			t.Errorf("%+v is there twice, or lacks something", tech)
		}
		seen[tech.ID] = true
		if parent, _, sub := strings.Cut(tech.ID, "."); sub && !seen[parent] {
			t.Errorf("%s stands before %s, or without it", tech.ID, parent)
		}
	}
}
