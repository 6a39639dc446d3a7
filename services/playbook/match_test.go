package playbook_test

import (
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"

	"github.com/google/go-cmp/cmp"
)

// joined loads a playbook of these signals and match that tells somebody.
func joined(t *testing.T, signals, match string) *playbook.Playbook {
	t.Helper()
	text := head + "on:\n" + signals + "match:\n" + match + "then:\n  - {do: notify.log, with: {text: x}}\n"
	return load(t, playbook.Source{Name: "a.yaml", Data: []byte(text)}).Playbooks[0]
}

const logins = `  fail: {type: host.login.failed}
  ok: {type: host.login.succeeded}
  load: {type: runtime.container.usage, when: has(container.cpu)}
  start: {type: runtime.container.started}
`

// only keeps the signals of those names out of logins.
func only(names ...string) string {
	var out strings.Builder
	for line := range strings.Lines(logins) {
		for _, n := range names {
			if strings.HasPrefix(strings.TrimSpace(line), n+":") {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}

func TestOperators(t *testing.T) {
	t.Parallel()
	host, container, user := []string{"host", "name"}, []string{"container", "id"}, []string{"user", "name"}
	for _, tt := range []struct {
		name, signals, match string
		want                 playbook.Match
	}{
		{"any without by", only("fail", "ok"), "  any: [ok, fail]\n", playbook.Match{Op: playbook.OpAny, Of: []int{1, 0}, Until: -1, By: [][][]string{nil, nil}}},
		{"any by a field", only("fail", "ok"), "  any: [fail, ok]\n  by: host.name\n", playbook.Match{Op: playbook.OpAny, Of: []int{0, 1}, Until: -1, By: [][][]string{{host}, {host}}}},
		{"all by a list", only("fail", "ok"), "  all: [fail, ok]\n  by: [host.name, user.name]\n  within: 2m\n", playbook.Match{Op: playbook.OpAll, Of: []int{0, 1}, Until: -1, Within: 2 * time.Minute, By: [][][]string{{host, user}, {host, user}}}},
		{"sequence until", only("fail", "ok", "start"), "  sequence: [fail, ok]\n  until: start\n  by: host.name\n  within: 2m\n", playbook.Match{Op: playbook.OpSequence, Of: []int{0, 1}, Until: 2, Within: 2 * time.Minute, By: [][][]string{{host}, {host}, {host}}}},
		{"by of each", only("ok", "start"), "  all: [ok, start]\n  by: {ok: [user.name, host.name], start: [container.name, host.name]}\n  within: 2m\n", playbook.Match{Op: playbook.OpAll, Of: []int{0, 1}, Until: -1, Within: 2 * time.Minute, By: [][][]string{{user, host}, {{"container", "name"}, host}}}},
		{"count", only("fail"), "  count: {of: fail, atLeast: 10}\n  by: host.name\n  within: 24h\n", playbook.Match{Op: playbook.OpCount, Of: []int{0}, Until: -1, AtLeast: 10, Within: 24 * time.Hour, By: [][][]string{{host}}}},
		{"distinct", only("fail"), "  distinct: {of: fail, field: user.name, atLeast: 5}\n  by: host.name\n  within: 5m\n", playbook.Match{Op: playbook.OpDistinct, Of: []int{0}, Until: -1, AtLeast: 5, Field: user, Within: 5 * time.Minute, By: [][][]string{{host}}}},
		{"absent", only("fail", "ok"), "  absent: {after: fail, expect: ok}\n  by: host.name\n  within: 5m\n", playbook.Match{Op: playbook.OpAbsent, Of: []int{0, 1}, Until: -1, Within: 5 * time.Minute, By: [][][]string{{host}, {host}}}},
		{"baseline", only("load"), "  baseline: {of: load, field: container.cpu.utilization, factor: 2.5, over: 1h}\n  by: container.id\n", playbook.Match{Op: playbook.OpBaseline, Of: []int{0}, Until: -1, Field: []string{"container", "cpu", "utilization"}, Factor: 2.5, Over: time.Hour, By: [][][]string{{container}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := joined(t, tt.signals, tt.match).Match
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("match (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNested: what a nested match takes from the playbook's own, and which
// events can stand for it.
func TestNested(t *testing.T) {
	t.Parallel()
	p := joined(t, `  crash: {any: [exit, oom]}
  late: {sequence: [start, crash]}
  often: {distinct: {of: late, field: container.name, atLeast: 3}, by: k8s.pod.uid, within: 1h}
  exit: {type: runtime.container.exited}
  start: {type: runtime.container.started}
  oom: {type: runtime.container.oom}
  gone: {absent: {after: start, expect: exit}, by: {start: container.name, exit: container.id}}
`, "  all: [often, gone]\n  by: [host.name, container.id]\n  within: 5m\n")
	id, name, host := []string{"container", "id"}, []string{"container", "name"}, []string{"host", "name"}
	both := [][]string{host, id}
	exited := []string{schemas.ContainerExited, schemas.ContainerOOM}
	want := []playbook.Signal{
		{Name: "crash", Types: exited, Match: &playbook.Match{Op: playbook.OpAny, Of: []int{3, 5}, Until: -1, By: [][][]string{nil, nil}}},
		{Name: "late", Types: exited, Match: &playbook.Match{Op: playbook.OpSequence, Of: []int{4, 0}, Until: -1, Within: 5 * time.Minute, By: [][][]string{both, both}}},
		{Name: "often", Types: exited, Match: &playbook.Match{Op: playbook.OpDistinct, Of: []int{1}, Until: -1, AtLeast: 3, Field: name, Within: time.Hour, By: [][][]string{{{"k8s", "pod", "uid"}}}}},
		{Name: "exit", Type: schemas.ContainerExited, Types: []string{schemas.ContainerExited}},
		{Name: "start", Type: schemas.ContainerStarted, Types: []string{schemas.ContainerStarted}},
		{Name: "oom", Type: schemas.ContainerOOM, Types: []string{schemas.ContainerOOM}},
		{Name: "gone", Types: []string{schemas.ContainerStarted}, Match: &playbook.Match{Op: playbook.OpAbsent, Of: []int{4, 3}, Until: -1, Within: 5 * time.Minute, By: [][][]string{{name}, {id}}}},
	}
	if diff := cmp.Diff(want, p.Signals); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(playbook.Match{Op: playbook.OpAll, Of: []int{2, 6}, Until: -1, Within: 5 * time.Minute, By: [][][]string{both, both}}, p.Match); diff != "" {
		t.Errorf("match (-want +got):\n%s", diff)
	}
}

// TestNestedRules tests what is said of nested matches.
func TestNestedRules(t *testing.T) {
	t.Parallel()
	nested := "  often: {count: {of: fail, atLeast: 3}}\n  fail: {type: host.login.failed}\n  ok: {type: host.login.succeeded}\n"
	t.Run("S6 by and within of the playbook's match", func(t *testing.T) {
		t.Parallel()
		m := joined(t, nested, "  sequence: [often, ok]\n  by: user.name\n  within: 5m\n").Signals[0].Match
		if m.Within != 5*time.Minute || !cmp.Equal(m.By, [][][]string{{{"user", "name"}}}) {
			t.Errorf("within %v, by %v", m.Within, m.By)
		}
	})
	t.Run("S6 its own by and within", func(t *testing.T) {
		t.Parallel()
		own := strings.Replace(nested, "atLeast: 3}", "atLeast: 3}, by: host.name, within: 1m", 1)
		m := joined(t, own, "  sequence: [often, ok]\n  by: user.name\n  within: 5m\n").Signals[0].Match
		if m.Within != time.Minute || !cmp.Equal(m.By, [][][]string{{{"host", "name"}}}) {
			t.Errorf("within %v, by %v", m.Within, m.By)
		}
	})
	t.Run("S6 a map is not taken", func(t *testing.T) {
		t.Parallel()
		got := lint(head + "on:\n" + nested + "match: {sequence: [often, ok], by: {often: user.name, ok: user.name}, within: 5m}\n" + told)
		if !strings.Contains(got, "count of the signal often without by") || !strings.Contains(got, "is a map") {
			t.Errorf("findings: %s", got)
		}
	})
}

const told = "then:\n  - {do: notify.log, with: {text: x}}\n"

// TestMatchFindings: everything that is wrong with a match is said at its
// place, with what to do.
func TestMatchFindings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, signals, match, want string }{
		{"a cycle of two", "  a: {any: [b]}\n  b: {any: [a]}\n", "match: {any: [a]}\n", `5:3: error: a waits for itself: a → b → a (let it join other signals)`},
		{"a cycle of one", "  a: {count: {of: a, atLeast: 2}, by: host.name, within: 1m}\n", "match: {any: [a]}\n", `5:3: error: a waits for itself: a → a (let it join other signals)`},
		{"a cycle by until", "  a: {sequence: [b, c], until: a, by: host.name, within: 1m}\n  b: {type: host.login.failed}\n  c: {type: host.login.succeeded}\n", "match: {any: [a]}\n", `5:3: error: a waits for itself: a → a (let it join other signals)`},
		{"an unknown operand", only("fail", "ok"), "match: {any: [fial, ok]}\n", "7:15: error: there is no signal \"fial\" (did you mean fail?)"},
		{"an unknown operand that resembles none", only("fail"), "match: {any: [fail, zebra]}\n", "6:21: error: there is no signal \"zebra\" (`on` has fail)"},
		{"an unused signal", only("fail", "ok"), "match: {any: [ok]}\n", `5:3: error: nobody uses the signal fail (take it out, or name it in a match)`},
		{"a nested signal that nobody uses", only("fail", "ok") + "  both: {any: [fail, ok]}\n", "match: {any: [fail, ok]}\n", `7:3: error: nobody uses the signal both (take it out, or name it in a match)`},
		{"several signals and no match", only("fail", "ok"), "", `6:3: error: there are several signals, and no match that joins them (add match: with any, all, sequence … and their names)`},
		{"several signals and by alone", only("fail", "ok"), "match: {by: host.name}\n", `7:8: error: there are several signals, and no match that joins them (add match: with any, all, sequence … and their names)`},
		{"without by", only("fail"), "match: {count: {of: fail, atLeast: 3}, within: 1m}\n", `6:8: error: the playbook's count without by: it would throw the events of everything together (add by: with the field that they share, such as container.id)`},
		{"without within", only("fail"), "match: {count: {of: fail, atLeast: 3}, by: host.name}\n", `6:8: error: the playbook's count needs within (add within: with a time such as 5m)`},
		{"an operand twice", only("fail"), "match: {all: [fail, fail], by: host.name, within: 1m}\n", `6:21: error: fail is named twice in one match (name each signal once; count says how often one must come, and a signal of its own with the same type is another)`},
		{"until names an operand", only("fail", "ok"), "match: {sequence: [fail, ok], until: ok, by: host.name, within: 1m}\n", `7:38: error: ok is named twice in one match (name each signal once; count says how often one must come, and a signal of its own with the same type is another)`},
		{"absent of the same", only("fail"), "match: {absent: {after: fail, expect: fail}, by: host.name, within: 1m}\n", `6:39: error: fail is named twice in one match (name each signal once; count says how often one must come, and a signal of its own with the same type is another)`},
		{"a count of a count", only("fail") + "  often: {count: {of: fail, atLeast: 3}}\n", "match: {count: {of: often, atLeast: 3}, by: host.name, within: 1m}\n", "7:21: error: a count of a count: often counts already (write a larger atLeast, or distinct over the group's field)"},
		{"until without sequence", only("fail", "ok"), "match: {any: [fail], until: ok}\n", "6:3: error: nobody uses the signal ok (take it out, or name it in a match)\n7:22: error: until without sequence: only a sequence can be broken off (take it out, or write sequence)"},
		{"two operators", only("fail", "ok"), "match: {any: [fail], all: [fail, ok], by: host.name, within: 1m}\n", "7:22: error: a second operator beside any (make one of them a signal of its own, and join that)\n7:62: error: within has no meaning beside any: one event suffices (take it out)"},
		{"count of none", only("fail"), "match: {count: {of: fail, atLeast: 0}, by: host.name, within: 1m}\n", `6:36: error: 0 is less than 1`},
		{"count of too many", only("fail"), "match: {count: {of: fail, atLeast: 10001}, by: host.name, within: 1m}\n", `6:36: error: 10001 is more than 10000`},
		{"distinct of one", only("fail"), "match: {distinct: {of: fail, field: user.name, atLeast: 1}, by: host.name, within: 1m}\n", `6:57: error: 1 is less than 2`},
		{"a key missing", only("fail"), "match: {distinct: {of: fail, atLeast: 5}, by: host.name, within: 1m}\n", `6:19: error: the key field is missing`},
		{"a key too many", only("fail"), "match: {count: {of: fail, atLeats: 5, atLeast: 5}, by: host.name, within: 1m}\n", `6:27: error: unknown key "atLeats" (did you mean atLeast?)`},
		{"an operator in another form", only("fail"), "match: {count: fail, by: host.name, within: 1m}\n", "6:16: error: want keys with values, got \"fail\""},
		{"a field that the event has not", only("fail", "start"), "match: {all: [fail, start], by: user.name, within: 1m}\n", `7:33: error: unknown field user; known: container, host, k8s`},
		{"a field that one of several events has not", only("fail", "ok", "start") + "  any: {any: [fail, start]}\n", "match: {all: [any, ok], by: user.name, within: 1m}\n", `9:29: error: runtime.container.started events: unknown field user; known: container, host, k8s`},
		{"a field that a nested match lacks", only("fail", "ok", "start") + "  late: {all: [fail, start]}\n", "match: {any: [late, ok], by: user.name, within: 1m}\n", "8:3: error: late takes by from the playbook's match, and start lacks it: unknown field user; known: container, host, k8s (give late a by of its own)\n9:30: error: runtime.container.started events: unknown field user; known: container, host, k8s"},
		{"a field of distinct that makes the group", only("start"), "match: {distinct: {of: start, field: container.id, atLeast: 5}, by: [host.name, container.id], within: 1m}\n", `6:38: error: within a group there is one container.id alone: by holds it (take it out of by, or count the values of another field)`},
		{"a name in another case", only("start"), "match: {any: [Start]}\n", `6:15: error: there is no signal "Start" (did you mean start?)`},
		{"a field of distinct", only("start"), "match: {distinct: {of: start, field: container.nmae, atLeast: 5}, by: host.name, within: 1m}\n", `6:48: error: unknown field nmae of container; known: cgroup, cpu, exit, id, image, labels, memory, name, namespace, pid, pids, runtime, sandbox (did you mean container.name?)`},
		{"a field that holds several", only("start"), "match: {distinct: {of: start, field: container.labels, atLeast: 5}, by: host.name, within: 1m}\n", `6:38: error: container.labels holds several values, want one`},
		{"a baseline of a text", only("load"), "match: {baseline: {of: load, field: container.id, factor: 3, over: 1h}, by: container.id}\n", `6:37: error: container.id holds text, and baseline compares numbers (take a field that holds a number)`},
		{"a baseline with within", only("load"), "match: {baseline: {of: load, field: container.pid, factor: 3, over: 1h}, by: container.id, within: 1m}\n", `6:100: error: within has no meaning beside baseline (take it out; over says how far back the history reaches)`},
		{"a baseline that reaches too far", only("load"), "match: {baseline: {of: load, field: container.pid, factor: 3, over: 25h}, by: container.id}\n", `6:69: error: over is longer than 24h: an event's time is believed up to a day before it was stored, so a longer window cannot be told from a wrong clock (take a shorter time, and once: for what may happen once in a longer one)`},
		{"a window of more than a day", only("fail"), "match: {count: {of: fail, atLeast: 3}, by: host.name, within: 24h1s}\n", `6:63: error: within is longer than 24h: an event's time is believed up to a day before it was stored, so a longer window cannot be told from a wrong clock (take a shorter time, and once: for what may happen once in a longer one)`},
		{"groups of different types", only("fail", "start"), "match: {all: [fail, start], by: {fail: user.name, start: container.pid}, within: 1m}\n", `7:58: error: by can never be equal: it holds text in fail and a number in start (take fields that hold the same)`},
		{"by of an operand missing", only("fail", "ok"), "match: {all: [fail, ok], by: {fail: user.name}, within: 1m}\n", `7:30: error: by says nothing of ok (give it the field that it shares with the others)`},
		{"by of until missing", only("fail", "ok", "start"), "match: {sequence: [fail, ok], until: start, by: {fail: host.name, ok: host.name}, within: 1m}\n", `8:49: error: by says nothing of start (give it the field that it shares with the others)`},
		{"by of another", only("fail", "ok", "start"), "match: {any: [n, start], by: {n: host.name, start: host.name, ok: user.name}}\n", "8:15: error: there is no signal \"n\" (`on` has fail, ok, start)\n8:31: error: by speaks of \"n\", which this match does not join (it joins start)\n8:63: error: by speaks of \"ok\", which this match does not join (it joins start)"},
		{"by of different lengths", only("fail", "ok"), "match: {all: [fail, ok], by: {fail: [user.name, host.name], ok: user.name}, within: 1m}\n", `7:61: error: by has 1 of ok and 2 of the signal before it (give every signal as many fields, in the same order)`},
		{"a match with a condition", only("fail") + "  some: {any: [fail], when: x}\n", "match: {any: [some]}\n", `6:23: error: when belongs to an event, and this is a match of signals (write the condition at the events that it joins)`},
		{"an event with by", "  fail: {type: host.login.failed, by: host.name}\n", "", `5:35: error: by belongs to a match of signals, and this is an event (make it a signal of its own, with an operator over this one)`},
		{"neither", "  fail: {}\n", "", `5:9: error: a signal has neither a type of event nor an operator (add type: with the event it waits for, or join other signals with any, all, sequence, count, distinct, absent or baseline)`},
		{"within of one event", only("fail"), "match: {by: host.name, within: 1m}\n", `6:32: error: within has no meaning for one event alone (take it out)`},
		{"within of any", only("fail"), "match: {any: [fail], within: 1m}\n", `6:30: error: within has no meaning beside any: one event suffices (take it out)`},
		{"within of any for those within", only("fail", "ok") + "  often: {count: {of: fail, atLeast: 3}}\n", "match: {any: [often, ok], by: host.name, within: 1m}\n", ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(head+"on:\n"+tt.signals+tt.match+told)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
