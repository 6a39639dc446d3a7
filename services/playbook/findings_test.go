package playbook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"

	"github.com/google/go-cmp/cmp"
)

// specs are actions of every kind that the checks tell apart.
var specs = []schemas.Spec{
	{Name: "container.pause", TargetKind: "container", Undo: "lets it run on", Verify: "looks", Params: json.RawMessage(`{"type":"object","properties":{"scope":{"enum":["pod","container"]}},"additionalProperties":false}`)},
	{Name: "pod.terminate", TargetKind: "pod", Irreversible: true, DestroysEvidence: true},
	{Name: "evidence.capture", TargetKind: "container", Params: json.RawMessage(`{"type":"object","properties":{"limit":{"type":"integer","minimum":1},"paths":{"type":"array","items":{"type":"string"}}},"additionalProperties":false}`)},
	{Name: "notify.log", TargetKind: "incident", Params: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"},"to":{"type":"string"}},"required":["text"],"additionalProperties":false}`)},
}

const head = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: a, summary: b, arena: runtime, severity: high}
`

const on = `on:
  start: {type: runtime.process.started, when: process.pid > 1}
`

const then = `then:
  - do: container.pause
`

// show writes findings one a line, without the file.
func show(findings []playbook.Finding) string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, strings.TrimPrefix(f.String(), f.File+":"))
	}
	return strings.Join(lines, "\n")
}

func lint(text string) string {
	_, findings := playbook.Load([]playbook.Source{{Name: "a.yaml", Data: []byte(text)}}, specs)
	return show(findings)
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"nothing wrong", head + on + then, ``},

		// The file.
		{"an empty file", "", `1:1: error: the file is empty (begin with apiVersion: firebreak/v1)`},
		{"comments alone", "# nothing\n", `1:1: error: the file is empty (begin with apiVersion: firebreak/v1)`},
		{"no YAML", "a: b: c\n", `1:1: error: this is no YAML: mapping values are not allowed in this context (look at the line and the one before; a text that begins with ! or a quote, or holds a colon and a space, must stand in quotes)`},
		{"an open bracket", head + "on: [\n", `4:1: error: this is no YAML: did not find expected node content (look at the line and the one before; a text that begins with ! or a quote, or holds a colon and a space, must stand in quotes)`},
		{"no mapping", "- a\n", `1:1: error: want keys with values, got a list`},
		{"two documents", head + on + then + "---\n" + head, `8:1: error: a second document begins here (put each playbook into a file of its own)`},
		{"no UTF-8", "apiVersion: firebreak/v1\nkind: \xff\n", `2:7: error: this is no valid UTF-8 (save the file as UTF-8)`},
		{"an anchor and an alias", "apiVersion: firebreak/v1\nkind: &k Playbook\nmetadata: *k\n", "2:7: error: anchors (&k) are not allowed (write it out where it is needed)\n3:11: error: aliases (*k) are not allowed (write it out)"},
		{"a merge key", "<<: {a: b}\n", `1:1: error: merge keys (<<) are not allowed (write the keys out)`},
		{"a tag", "apiVersion: !!str firebreak/v1\n", `1:13: error: tags (!!str) are not allowed (leave it out; put the value in quotes to make it text)`},
		{"a condition that YAML takes for a tag", head + "on: {start: {type: runtime.process.started, when: !has(k8s)}}\n" + then, `4:1: error: this is no YAML: did not find expected whitespace or line break (look at the line and the one before; a text that begins with ! or a quote, or holds a colon and a space, must stand in quotes)`},
		{"text turned around", head + "# \u202eharmless\n" + on + then, `4:3: error: the invisible character U+202E turns the text behind it around for those who read it (take it out, or write \u202e within double quotes)`},
		{"a tab", head + "on:\n\tstart: {type: runtime.process.started}\n" + then, `5:1: error: this is no YAML: found character that cannot start any token (indent with spaces: YAML takes no tabs there)`},
		{"a comma within braces", head + "on:\n  start: {type: runtime.process.started, when: process.?executable.?name.orValue(\"\") == \"nc\"}\n" + then, `5:1: error: this is no YAML: did not find expected ',' or '}' (within braces and brackets, a text that holds a comma, a bracket, a brace or a question mark must stand in quotes; or write the keys below one another)`},
		{"a key indented by one too many", head + on + "   once: 1h\n" + then, `6:1: error: this is no YAML: did not find expected key (look at the line and the one before; a text that begins with ! or a quote, or holds a colon and a space, must stand in quotes)`},
		{"too deep", strings.Repeat("[", 30) + strings.Repeat("]", 30), `1:26: error: values lie more than 24 deep in one another`},

		// Keys and scalars.
		{"keys missing", "kind: Playbook\n", "1:1: error: the key apiVersion is missing\n1:1: error: the key metadata is missing\n1:1: error: the key on is missing\n1:1: error: the key then is missing"},
		{"another version", "apiVersion: firebreak/v2\nkind: Playbok\n" + head[len("apiVersion: firebreak/v1\nkind: Playbook\n"):] + on + then, "1:13: error: \"firebreak/v2\" is not firebreak/v1\n2:7: error: \"Playbok\" is not Playbook"},
		{"an unknown key", head + on + then + "thn: []\n", `8:1: error: unknown key "thn" (did you mean then?)`},
		{"an unknown key that resembles none", head + on + then + "zebra: 1\n", `8:1: error: unknown key "zebra" (known are apiVersion, guard, kind, match, metadata, on, once, then)`},
		{"a key twice", head + "once: 1h\nonce: 2h\n" + on + then, "4:7: error: once without match.by: every event is a group of its own, so there is nothing to do once (add match: {by: container.id} or take once out)\n5:1: error: the key \"once\" is given twice (keep one of them)"},
		{"a bad name", strings.Replace(head, "name: a", "name: A_b", 1) + on + then, `3:18: error: "A_b" does not have the form ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`},
		{"a bad severity and arena", strings.Replace(head, "arena: runtime, severity: high", "arena: runtim, severity: severe", 1) + on + then, "3:40: error: \"runtim\" is not registry, runtime, host, cluster (did you mean runtime?)\n3:58: error: \"severe\" is not low, medium, high, critical"},
		{"a bad technique", strings.Replace(head, "severity: high", "severity: high, attack: [T1496.1]", 1) + on + then, `3:74: error: "T1496.1" is no ATT&CK technique (write it as T1496 or T1496.001)`},
		{"an empty summary", strings.Replace(head, "summary: b", `summary: ""`, 1) + on + then, `3:30: error: want text, got an empty one`},
		{"a null", strings.Replace(head, "summary: b", `summary: ~`, 1) + on + then, `3:30: error: want text, got nothing`},

		// Signals.
		{"no signal", head + "on: {}\n" + then, `4:5: error: there is no signal (name at least one)`},
		{"an unknown type", head + "on: {start: {type: runtime.proces.started}}\n" + then, `4:20: error: unknown event type "runtime.proces.started" (did you mean runtime.process.started?)`},
		{"a type with its prefix", head + "on: {start: {type: firebreak.runtime.process.started}}\n" + then, `4:20: error: the prefix firebreak. is left off in playbooks (write runtime.process.started)`},
		{"a signal without a type", head + "on: {start: {when: 'true'}}\n" + then, `4:13: error: a signal has neither a type of event nor an operator (add type: with the event it waits for, or join other signals with any, all, sequence, count, distinct, absent or baseline)`},
		{"a bad name of a signal", head + "on: {my-start: {type: runtime.process.started}}\n" + then, `4:6: error: "my-start" cannot be the name of a signal (use letters, digits and _)`},
		{"a field misspelt in a plain scalar", head + "on:\n  start:\n    type: runtime.process.started\n    when: proces.pid > 1\n" + then, `7:11: error: unknown field proces; known: container, host, k8s, process, tetragon, user (did you mean process?)`},
		{"a field misspelt in quotes", head + "on:\n  start: {type: runtime.process.started, when: \"process.pid > 1 && host.nam == \\\"a\\\"\"}\n" + then, `5:73: error: unknown field nam of host; known: name (did you mean host.name?)`},
		{"a field misspelt after an escape", head + "on:\n  start: {type: runtime.process.started, when: \"host.name == \\\"a\\\" && host.nam == ''\"}\n" + then, `5:76: error: unknown field nam of host; known: name (did you mean host.name?)`},
		{"a field misspelt in single quotes", head + "on:\n  start: {type: runtime.process.started, when: 'host.name == ''a'' && host.nam == ''b'''}\n" + then, `5:76: error: unknown field nam of host; known: name (did you mean host.name?)`},
		{"a field misspelt in a folded block", head + "on:\n  start:\n    type: runtime.process.started\n    when: >-\n      process.pid > 1\n      && host.nam == \"a\"\n" + then, `9:15: error: unknown field nam of host; known: name (did you mean host.name?)`},
		{"a field misspelt in a literal block", head + "on:\n  start:\n    type: runtime.process.started\n    when: |\n      process.pid > 1\n        && host.nam == \"a\"\n" + then, `9:17: error: unknown field nam of host; known: name (did you mean host.name?)`},
		{"a field misspelt on a continued line", head + "on:\n  start:\n    type: runtime.process.started\n    when: process.pid > 1\n      && host.nam == \"a\"\n" + then, `8:15: error: unknown field nam of host; known: name (did you mean host.name?)`},
		{"an unguarded field", head + "on:\n  start: {type: runtime.process.started, when: process.executable.name == \"a\"}\n" + then, `5:67: warning: process.executable.name may be absent, and then the whole is an error (guard it: has(process.executable.name) && …)`},
		{"always an error", head + "on:\n  start: {type: runtime.process.started, when: 'cidr(\"a\", \"10.0.0.0/8\")'}\n" + then, `5:49: error: always an error: cidr: ParseAddr("a"): unable to parse IP`},
		{"never true", head + "on:\n  start: {type: runtime.process.started, when: false}\n" + then, `5:48: error: the condition is never true (take the signal out, or its condition)`},
		{"never true without saying so", head + "on:\n  start: {type: runtime.process.started, when: 'false && process.pid > 1 || 1 > 2'}\n" + then, `5:48: error: the condition is never true (take the signal out, or its condition)`},
		{"never true by a comparison", head + "on:\n  start: {type: runtime.process.started, when: 1 > 2}\n" + then, `5:48: error: the condition is never true (take the signal out, or its condition)`},

		// Groups.
		{"an operator in match", head + on + "match: {all: [start], within: 2m}\n" + then, "6:8: error: the playbook's all without by: it would throw the events of everything together (add by: with the field that they share, such as container.id)\n6:14: error: 1 entry, want at least 2"},
		{"a by that is no field", head + on + "match: {by: container.idd}\n" + then, `6:23: error: unknown field idd of container; known: cgroup, cpu, exit, id, image, labels, memory, name, namespace, pid, pids, runtime, sandbox (did you mean container.id?)`},
		{"a by that is an object", head + on + "match: {by: container}\n" + then, `6:13: error: container is an object, want one of its fields (there are cgroup, cpu, exit, id, image, labels, memory, name, namespace, pid, pids, runtime, sandbox)`},
		{"a by that is an expression", head + on + "match: {by: size(container.id)}\n" + then, `6:13: error: "size(container.id)" is no field (write a path such as container.id)`},
		{"a by of a signal that there is not", head + on + "match: {by: {stop: container.id}}\n" + then, "6:13: error: by says nothing of start (give it the field that it shares with the others)\n6:14: error: by speaks of \"stop\", which this match does not join (it joins start)"},
		{"once without by", head + on + "once: 1h\n" + then, `6:7: error: once without match.by: every event is a group of its own, so there is nothing to do once (add match: {by: container.id} or take once out)`},
		{"a bad time", head + on + "match: {by: container.id}\nonce: 1 hour\n" + then, `7:7: error: want a time such as 15m, got "1 hour" (units are s, m and h)`},
		{"a time of nothing", head + on + "match: {by: container.id}\nonce: 0s\n" + then, `7:7: error: want a time above zero, got "0s"`},

		// The guard.
		{"a bad mode", head + on + "guard: {mode: enforced}\n" + then, `6:15: error: "enforced" is not observe, approve, enforce (did you mean enforce?)`},
		{"a bad exception", head + on + "guard: {except: k8s.namespace.nam == \"a\"}\n" + then, `6:31: error: unknown field nam of k8s.namespace; known: labels, name (did you mean k8s.namespace.name?)`},
		{"an unguarded exception", head + on + "guard: {except: k8s.namespace.name == \"a\"}\n" + then, `6:31: warning: k8s.namespace.name may be absent, and then the whole is an error (guard it: has(k8s.namespace.name) && …)`},
		{"a share", head + on + "guard: {limit: {targets: 1, per: 1m, share: 33%}}\n" + then, "6:45: warning: share is not looked at yet: targets and per alone bound what this playbook does (choose targets so that they suffice)"},
		{"terminated after its evidence", head + on + "then:\n  - do: evidence.capture\n  - {do: container.pause, for: 1h, onExpire: terminate}\n", `8:46: warning: onExpire: terminate keeps the effect and tells people: no action terminates yet (write keep, or release)`},
		{"a bad limit", head + on + "guard: {limit: {targets: 0, share: 120%}}\n" + then, "6:16: error: the key per is missing\n6:26: error: 0 is less than 1\n6:36: error: \"120%\" does not have the form ^(100|[1-9][0-9]?)%$\n6:36: warning: share is not looked at yet: targets and per alone bound what this playbook does (choose targets so that they suffice)"},
		{"a limit that is no number", head + on + "guard: {limit: {targets: many, per: 1m}}\n" + then, `6:26: error: want a whole number, got "many"`},

		// Steps.
		{"no steps", head + on + "then: []\n", `6:7: error: the list is empty (leave the key out or fill the list)`},
		{"an unknown action", head + on + "then:\n  - do: container.paus\n", `7:9: error: unknown action "container.paus" (did you mean container.pause?)`},
		{"no action", head + on + "then:\n  - when: incident.severity == \"high\"\n", `7:5: error: a step that does nothing (add do: with the name of an action)`},
		{"an approval", head + on + "then:\n  - do: container.pause\n    approve: {by: lead}\n", `8:5: error: the key approve is not yet known to this version (leave it out)`},
		{"an id twice", head + on + "then:\n  - {do: container.pause, id: p}\n  - {do: evidence.capture, id: p}\n", `8:32: error: the id p is given twice (give each step its own)`},
		{"needs of nothing", head + on + "then:\n  - do: container.pause\n  - {do: evidence.capture, needs: [container.pase]}\n", `8:36: error: needs container.pase, which is no step before this one (did you mean container.pause?)`},
		{"needs of a later step", head + on + "then:\n  - {do: container.pause, needs: [e]}\n  - {do: evidence.capture, id: e}\n", `7:35: error: needs e, which does not run before this step (move that step up)`},
		{"needs of itself", head + on + "then:\n  - {do: container.pause, id: p, needs: [p]}\n", `7:42: error: needs p, which does not run before this step (move that step up)`},
		{"needs of a neighbour", head + on + "then:\n  - parallel:\n      - {do: container.pause, id: p}\n      - {do: evidence.capture, needs: [p]}\n", `9:40: error: needs p, which does not run before this step (move that step up)`},
		{"a bad condition", head + on + "then:\n  - {do: container.pause, when: incident.severty == \"high\"}\n", `7:42: error: unknown field severty of incident; known: id, key, playbook, severity (did you mean incident.severity?)`},
		{"a severity that there is not", head + on + "then:\n  - {do: container.pause, when: incident.severity == \"hihg\"}\n", `7:54: error: incident.severity is never "hihg"; it is one of low, medium, high, critical (did you mean "high"?)`},
		{"the state of no step", head + on + "then:\n  - {do: container.pause, id: p}\n  - {do: evidence.capture, when: steps.q.state == \"enforced\"}\n", `8:40: error: unknown field q of steps; known: p`},
		{"the state of a step whose name has a dot", head + on + "then:\n  - do: container.pause\n  - {do: evidence.capture, when: 'steps[\"container.pase\"].state == \"enforced\"'}\n", `8:40: error: unknown field container.pase of steps; known: container.pause (did you mean steps["container.pause"]?)`},
		{"a key of incident.key", head + on + "match: {by: [container.id, host.name]}\nthen:\n  - do: notify.log\n    with: {text: \"${incident.key['container.idd']} ${incident.key['host.name']}\"}\n", `9:33: error: unknown field container.idd of incident.key; known: container.id, host.name (did you mean incident.key["container.id"]?)`},
		{"incident.key read as an event", head + on + "match: {by: container.id}\nthen:\n  - do: notify.log\n    with: {text: '${incident.key.container.id}'}\n", `9:34: error: unknown field container of incident.key; known: container.id (did you mean incident.key["container.id"]?)`},
		{"incident.key without by", head + on + "then:\n  - do: notify.log\n    with: {text: '${incident.key.x}'}\n", `8:34: error: unknown field x of incident.key; known: none`},
		{"a field of a signal misspelt", head + on + "then:\n  - {do: container.pause, when: signals.start.process.pd > 1}\n", `7:55: error: unknown field pd of signals.start.process; known: command_args, command_args_cut, executable, parent, pid (did you mean signals.start.process.pid?)`},
		{"a bad target", head + on + "then:\n  - {do: container.pause, target: signals.stop.container}\n", `7:43: error: unknown field stop of signals; known: start`},
		{"an unknown parameter", head + on + "then:\n  - do: container.pause\n    with: {scop: pod}\n", `8:12: error: unknown parameter "scop" of container.pause (did you mean scope?)`},
		{"a parameter's value", head + on + "then:\n  - do: container.pause\n    with: {scope: node}\n", `8:19: error: with.scope: node is not one of [pod container]`},
		{"a parameter's type", head + on + "then:\n  - do: evidence.capture\n    with:\n      limit: many\n      paths: [a, 1]\n", "9:14: error: with.limit: got string, want integer\n10:18: error: with.paths.1: got number, want string"},
		{"a parameter missing", head + on + "then:\n  - do: notify.log\n", `7:9: error: with: notify.log needs text`},
		{"parameters for an action without", head + on + "then:\n  - {do: evidence.capture}\n  - do: pod.terminate\n    irreversible: true\n    with: {now: true}\n", `10:12: error: unknown parameter "now" of pod.terminate`},
		{"a number for a text", head + on + "then:\n  - do: notify.log\n    with: {text: \"${signals.start.process.pid}\"}\n", `8:18: error: with.text: got number, want string (make it text: ${string(…)})`},
		{"a number within a text", head + on + "then:\n  - do: notify.log\n    with: {text: \"pid ${signals.start.process.pid}\"}\n", ``},
		{"a number for a number", head + on + "then:\n  - do: evidence.capture\n    with: {limit: \"${signals.start.process.pid}\"}\n", ``},
		{"an unknown type for a number", head + on + "then:\n  - do: evidence.capture\n    with: {limit: \"${incident.key}\"}\n", ``},
		{"an open expression", head + on + "then:\n  - do: notify.log\n    with: {text: \"pid ${signals.start\"}\n", `8:18: error: character 5: ${ without its }: close it, or write $${ for the text ${`},
		{"a field misspelt in a text", head + on + "then:\n  - do: notify.log\n    with: {text: \"process ${signals.start.process.pid} on ${signals.start.host.nam}\"}\n", `8:80: error: unknown field nam of signals.start.host; known: name (did you mean signals.start.host.name?)`},
		{"an unguarded field in a text", head + on + "then:\n  - do: notify.log\n    with: {text: \"in ${signals.start.container.id}\"}\n", `8:48: warning: signals.start.container.id may be absent, and then the whole is an error (guard it: has(signals.start.container.id) && …)`},
		{"onExpire without for", head + on + "then:\n  - {do: container.pause, onExpire: keep}\n", `7:37: error: onExpire without for: the effect never expires (add for: with a time, or take onExpire out)`},
		{"for without an undo", head + on + "then:\n  - {do: evidence.capture, for: 1h}\n", `7:33: error: evidence.capture has no effect that ends, so it cannot be held for a time (take for out)`},
		{"too many attempts", head + on + "then:\n  - {do: container.pause, retry: {attempts: 50, backoff: 1s}}\n", `7:45: error: 50 is more than 10`},
		{"do and parallel", head + on + "then:\n  - do: container.pause\n    parallel: [{do: evidence.capture}]\n", `7:5: error: a step has either do or parallel (put the action among the parallel ones)`},
		{"a target of a group", head + on + "then:\n  - parallel: [{do: evidence.capture}]\n    target: signals.start.container\n    for: 1h\n", "8:13: error: target has no meaning on parallel (write it at the steps within)\n9:10: error: for has no meaning on parallel (write it at the steps within)"},

		// Safety.
		{"evidence destroyed", head + on + "then:\n  - {do: pod.terminate, irreversible: true}\n  - do: evidence.capture\n", `7:10: error: pod.terminate destroys evidence, and no step before it captures any (put evidence.capture before it)`},
		{"evidence destroyed beside its capture", head + on + "then:\n  - parallel:\n      - do: evidence.capture\n      - {do: pod.terminate, irreversible: true}\n", `9:14: error: pod.terminate destroys evidence, and no step before it captures any (put evidence.capture before it)`},
		{"evidence destroyed after its capture at once", head + on + "then:\n  - parallel: [{do: evidence.capture}]\n  - {do: pod.terminate, irreversible: true}\n", ``},
		{"evidence captured on a failure alone", head + on + "then:\n  - do: container.pause\n    onFailure: [{do: evidence.capture}]\n  - {do: pod.terminate, irreversible: true}\n", `9:10: error: pod.terminate destroys evidence, and no step before it captures any (put evidence.capture before it)`},
		{"terminated at the end without evidence", head + on + "then:\n  - {do: container.pause, for: 1h, onExpire: terminate}\n", "7:46: error: onExpire: terminate destroys evidence, and no step before it captures any (put evidence.capture before it)\n7:46: warning: onExpire: terminate keeps the effect and tells people: no action terminates yet (write keep, or release)"},
		{"not marked irreversible", head + on + "then:\n  - do: evidence.capture\n  - do: pod.terminate\n", `8:9: error: pod.terminate cannot be undone (add irreversible: true when that is meant)`},
		{"a target that the event does not name", head + "on: {start: {type: system.log.gap}}\n" + then, `6:9: error: container.pause acts on a container, and system.log.gap events name none (give it a target, or take another signal)`},
		{"a target that is given", head + "on: {start: {type: system.log.gap}}\nthen:\n  - {do: container.pause, target: incident.key}\n", ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(tt.text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
