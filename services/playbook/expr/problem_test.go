package expr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"

	"github.com/google/go-cmp/cmp"
)

// show writes problems one a line, as line:column: message (fix).
func show(problems expr.Problems) string {
	var lines []string
	for _, p := range problems {
		s := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message)
		if p.Fix != "" {
			s += " (" + p.Fix + ")"
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func TestConditionProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, condition, want string }{
		{"a field misspelt", `proces.name == "a"`, "1:1: unknown field proces; known: container, host, k8s, process, tetragon, user (did you mean process?)"},
		{"a member misspelt", "process.pid > 1 &&\n  process.executable.nam == \"a\"", "2:22: unknown field nam of process.executable; known: name, origin, path (did you mean process.executable.name?)"},
		{"a field tested that is not there", `has(process.executable.nmae)`, "1:24: unknown field nmae of process.executable; known: name, origin, path (did you mean process.executable.name?)"},
		{"an optional field that is not there", `process.executable.?exe.orValue("") == "a"`, "1:21: unknown field exe of process.executable; known: name, origin, path"},
		{"an unknown field that resembles none", `host.zebra == 1`, "1:6: unknown field zebra of host; known: name"},
		{"a text compared with a number", `process.executable.name == 1`, "1:25: no such operation: '==' on '(string, int)'"},
		{"no bool", `process.executable.name`, "1:1: gives string, want bool"},
		{"an optional", `process.executable.?name`, "1:1: gives optional_type(string), want bool (end it with .orValue(…))"},
		{"a bad syntax", `process.pid >`, "1:14: Syntax error: it ends too early"},
		{"empty", ``, "1:1: an empty expression"},
		{"null", `process.executable.name == null`, "1:28: null counts as absent and is never equal to anything (write has(…) or !has(…))"},
		{"a bad range", `cidr(host.name, "10.0.0.0/33")`, "1:17: netip.ParsePrefix(\"10.0.0.0/33\"): prefix length out of range"},
		{"a bad constraint", `semver(host.name, "abc")`, "1:19: version constraint \"abc\": improper constraint: \"abc\""},
		{"a bad regular expression", `host.name.matches("(")`, "1:19: invalid matches argument"},
		{"a pattern from the event", `host.name.matches(container.id)`, "1:29: the pattern of matches() must be written out (write the regular expression as text in quotes)"},
		{"a value the field never has", `process.executable.origin in ["uper", "memfd"]`, "1:31: process.executable.origin is never \"uper\"; it is one of image, upper, volume, tmpfs, memfd, host, unknown (did you mean \"upper\"?)"},
		{"read where absent", `!has(k8s) && k8s.namespace.name == "a"`, "1:28: k8s.namespace.name is read where k8s is known to be absent: that is always an error"},
		{"always an error", `1 / 0 == 1`, "1:1: always an error: division by zero"},
		{"a loop in a loop", `process.command_args.exists(a, process.command_args.exists(b, a.contains(b)))`, "1:1: too costly: up to 10847107 steps on one event, 2500000 are allowed (take out loops within loops)"},
		{"an unknown function", `globb(host.name, "a")`, "1:6: unknown name 'globb' (did you mean 'glob'?)"},
		{"a clock", `now() > 1`, "1:4: unknown name 'now'"},
		{"a variable that hides a field", `process.command_args.exists(host, host == "a")`, "1:28: the variable host hides the field of that name (give it another name)"},
		{"an object by index", `process["pid"] == 1`, "1:8: process is an object: its fields are read with a dot (write process.pid)"},
		{"has of no field", `has("a")`, "1:5: has() takes a field, such as has(process.executable.name)"},
		{"an object as text", `process.executable == "a"`, "1:20: no such operation: '==' on '(process.executable, string)'"},
		{"two at once", `proces.name == "a" || containr.id == "b"`, "1:1: unknown field proces; known: container, host, k8s, process, tetragon, user (did you mean process?)\n1:23: unknown field containr; known: container, host, k8s, process, tetragon, user (did you mean container?)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.Condition(tt.condition, schemas.ProcessStarted)
			var problems expr.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			if diff := cmp.Diff(tt.want, show(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConditionWarnings(t *testing.T) {
	t.Parallel()
	const name, origin = "process.executable.name may be absent, and then the whole is an error (guard it: has(process.executable.name) && …)",
		"process.executable.origin may be absent, and then the whole is an error (guard it: has(process.executable.origin) && …)"
	for _, tt := range []struct{ name, condition, want string }{
		{"a required field", `process.pid > 1`, ""},
		{"an optional field", `process.executable.name == "a"`, "1:20: " + name},
		{"the same one twice", `process.executable.name == "a" || process.executable.name == "b"`, "1:20: " + name},
		{"guarded", `has(process.executable.name) && process.executable.name == "a"`, ""},
		{"guarded from the right", `process.executable.name == "a" && has(process.executable.name)`, ""},
		{"guarded by its absence", `!has(process.executable.name) || process.executable.name == "a"`, ""},
		{"guarded by a longer path", `has(process.executable.name) && has(process.executable.origin) && process.executable.origin == "memfd"`, ""},
		{"guarded by a choice", `has(process.executable.name) ? process.executable.name == "a" : false`, ""},
		{"guarded in the wrong branch", `has(process.executable.name) || process.executable.origin == "memfd"`, "1:52: " + origin},
		{"guarded by the parent alone", `has(process.executable) && process.executable.name == "a"`, "1:47: " + name},
		{"optional", `process.?executable.?name.orValue("") == "a"`, ""},
		{"guarded by hasValue", `process.executable.?name.hasValue() && process.executable.name == "a"`, ""},
		{"a label", `has(k8s.pod.labels["a"]) && k8s.pod.labels["a"] == "b"`, ""},
		{"a label the other way", `has(k8s.pod.labels.a) && k8s.pod.labels["a"] == "b"`, ""},
		{"a constant", `1 == 1`, "1:1: always true: it reads no field"},
		{"whole numbers divided", `has(container.memory) && container.memory.usage / 2 > 5`, "1:49: a whole number divided by a whole number loses its fraction (write double(…) / double(…))"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Condition(tt.condition, schemas.ProcessStarted)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(p.Warnings())); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownEventType(t *testing.T) {
	t.Parallel()
	_, err := expr.Condition(`true`, "firebreak.runtime.process.start")
	want := `unknown event type "runtime.process.start" (did you mean runtime.process.started?)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
