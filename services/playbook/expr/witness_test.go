package expr_test

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"

	"github.com/google/go-cmp/cmp"
)

// short writes clauses as people would: one a line, what is exact with "!".
func short(clauses [][]expr.Witness, exact bool) string {
	var lines []string
	for _, clause := range clauses {
		var tests []string
		for _, w := range clause {
			text := strings.Join(w.Path, ".") + " " + w.Op
			for _, v := range w.Values {
				if s, ok := v.(string); ok {
					v = fmt.Sprintf("%q", s)
				}
				text += fmt.Sprintf(" %v", v)
			}
			tests = append(tests, text)
		}
		lines = append(lines, strings.Join(tests, " | "))
	}
	if exact {
		lines = append(lines, "!")
	}
	return strings.Join(lines, "\n")
}

// What index's test compares on random events, on examples.
func TestWitnesses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		condition string
		want      []string
	}{
		{`process.executable.name == "sh"`, []string{`process.executable.name eq "sh"`, "!"}},
		{`"sh" == process.executable.name`, []string{`process.executable.name eq "sh"`, "!"}},
		{`process.executable.name in ["sh", "bash"]`, []string{`process.executable.name in "sh" "bash"`, "!"}},
		{`process.executable.path.startsWith("/tmp/")`, []string{`process.executable.path prefix "/tmp/"`, "!"}},
		{`k8s.pod.labels["a.b/c"] == "x"`, []string{`k8s.pod.labels.a.b/c eq "x"`, "!"}},
		{`container.cpu.utilization > 0.8`, []string{`container.cpu.utilization gt 0.8`, "!"}},
		{`process.pid > 100`, []string{`process.pid gt 100`}}, // a fraction is an error
		{`process.pid == 100`, []string{`process.pid eq 100`, "!"}},
		{`process.pid == 2.5`, []string{`process.pid eq 2.5`}},
		{`100 > process.pid`, []string{`process.pid lt 100`}},
		{`process.pid >= 9007199254740993`, []string{`process.pid ge 9.007199254740992e+15`}},
		{`process.pid > 9007199254740993`, []string{`process.pid ge 9.007199254740992e+15`}},
		{`!(process.pid < 100)`, []string{`process.pid ge 100`}},
		{`container.sandbox`, []string{`container.sandbox eq true`, "!"}},
		{`!container.sandbox`, []string{`container.sandbox eq false`, "!"}},
		{`container.sandbox != true`, []string{`container.sandbox eq false`, "!"}},
		{`has(container.image.name)`, []string{`container.image.name present`, "!"}},
		{`has(k8s.pod.labels.app)`, []string{`k8s.pod.labels.app present`}},
		{`has(process.command_args[2])`, []string{`process.command_args present`}},
		{`has(container.id) && container.id == "c"`, []string{`container.id eq "c"`, "!"}},
		{`host.name == "a" && user.id == "0"`, []string{`host.name eq "a"`, `user.id eq "0"`, "!"}},
		{`host.name == "a" || user.id == "0"`, []string{`host.name eq "a" | user.id eq "0"`, "!"}},
		{`host.name == "a" || !has(user.id)`, nil},
		{`host.name == "a" || user.id != "0"`, []string{`host.name eq "a" | user.id present`}},
		{`(host.name == "a" && has(container)) || user.id == "0"`, []string{`host.name eq "a" | user.id eq "0"`}},
		{`!(host.name != "a" || user.id != "0")`, []string{`host.name eq "a"`, `user.id eq "0"`, "!"}},
		{`!(host.name == "a")`, []string{`host.name present`}},
		{`!has(host.name)`, nil},
		{`!(host.name in ["a"])`, []string{`host.name present`}},
		{`host.name in [] || has(user.id)`, nil}, // nothing is known of what is in an empty list
		{`process.executable.?origin.orValue("image") == "upper"`, []string{`process.executable.origin eq "upper"`, "!"}},
		{`process.executable.?origin.orValue("image") == "image"`, nil},
		{`process.executable.?origin.orValue("image") != "image"`, []string{`process.executable.origin present`}},
		{`process.executable.?origin.orValue("image") in ["upper", "tmpfs"]`, []string{`process.executable.origin in "upper" "tmpfs"`, "!"}},
		{`process.executable.?origin.orValue("upper") in ["upper", "tmpfs"]`, nil},
		{`container.cpu.?utilization.orValue(0) > 0.8`, []string{`container.cpu.utilization gt 0.8`, "!"}},
		{`container.cpu.?utilization.orValue(1) > 0.8`, nil},
		{`container.?sandbox.orValue(false)`, []string{`container.sandbox eq true`, "!"}},
		{`container.?sandbox.orValue(true)`, nil},
		{`container.?id.hasValue()`, []string{`container.id present`}},
		{`process.executable.name.matches("^(xmrig|minerd)-[0-9]+$")`, []string{`process.executable.name prefix "xmrig" | process.executable.name prefix "minerd"`}},
		{`process.executable.name.matches("^xmrig|^miner")`, []string{`process.executable.name prefix "xmrig" | process.executable.name prefix "miner"`}},
		{`process.executable.name.matches("xmrig")`, []string{`process.executable.name present`}},
		{`process.executable.name.matches("(?i)^xmrig")`, []string{`process.executable.name present`}},
		{`process.executable.name.matches("(?m)^xmrig")`, []string{`process.executable.name present`}},
		{`glob(process.executable.path, "/tmp/*/x")`, []string{`process.executable.path prefix "/tmp/"`}},
		{`process.executable.name.contains("x")`, []string{`process.executable.name present`}},
		{`cidr(host.name, "10.0.0.0/8")`, []string{`host.name present`}},
		{`process.command_args.exists(a, a == "x")`, []string{`process.command_args present`}}, // too short
		{`process.command_args.exists(a, a == "exec")`, []string{`process.command_args contains "exec"`}},
		{`process.?command_args.orValue([]).exists(a, a == "exec")`, []string{`process.command_args contains "exec"`}},
		{`process.?command_args.orValue(["exec"]).exists(a, a == "exec")`, nil},
		{`process.command_args.exists(a, a in ["exec", "eval"])`, []string{`process.command_args contains "exec" | process.command_args contains "eval"`}},
		{`process.command_args.exists(a, a in ["exec", "x"])`, []string{`process.command_args present`}},
		{`process.command_args.exists(a, a.startsWith("/dev/tcp/"))`, []string{`process.command_args contains "/dev/tcp/"`}},
		{`process.command_args.exists(a, a.contains("a\"bcd"))`, []string{`process.command_args contains "a\"bcd"`}},
		{`process.command_args.exists(a, a.contains("curl") && size(a) > 10)`, []string{`process.command_args contains "curl"`}},
		{`process.command_args.exists(a, a.contains("curl") || size(a) > 10)`, []string{`process.command_args present`}},
		{`process.command_args.exists(a, a.contains("sh ") && a.contains("base64"))`, []string{`process.command_args contains "base64"`}},
		{`process.command_args.exists(a, !a.contains("curl"))`, []string{`process.command_args present`}},
		{`!process.command_args.exists(a, a.contains("curl"))`, []string{`process.command_args present`}},
		{`process.command_args.all(a, a.contains("curl"))`, []string{`process.command_args present`}},
		{`process.command_args.exists(a, a.matches("base64 +(-d|-D)|xxd +-r"))`, []string{`process.command_args contains "base64" | process.command_args contains "xxd"`}},
		{`process.command_args.exists(a, a.matches("(?i)base64"))`, []string{`process.command_args present`}},
		{`process.command_args.exists(a, a.matches("^(curl)?x"))`, []string{`process.command_args present`}},
		{`process.command_args.exists(a, a.matches("^(curl|wget){2}x"))`, []string{`process.command_args contains "curl" | process.command_args contains "wget"`}},
		{`process.command_args.exists(a, a.contains(host.name))`, []string{`process.command_args present`}},
		{`process.command_args.exists(a, host.name.contains("curl"))`, []string{`process.command_args present`}},
		{`host.name == "a" || process.command_args.exists(a, a == "exec")`, []string{`host.name eq "a" | process.command_args contains "exec"`}},
		{`"exec" in process.command_args`, []string{`process.command_args contains "exec"`}},
		{`"exec" in process.?command_args.orValue([])`, []string{`process.command_args contains "exec"`}},
		{`"ex" in process.command_args`, []string{`process.command_args present`}},
		{`process.?command_args.orValue([]).exists(a, a == "x")`, nil},
		{`"team" in k8s.namespace.labels`, []string{`k8s.namespace.labels.team present`}},
		{`size(process.command_args) > 3`, []string{`process.command_args present`}},
		{`has(user) ? user.id == "0" : host.name == "a"`, []string{`user.id eq "0" | host.name eq "a"`}},
		{`tetragon.event["x"] == 1`, []string{`tetragon.event.x eq 1`, "!"}},
		{`host.name == container.id`, []string{`host.name present`, `container.id present`}},
		{`true`, nil},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Condition(tt.condition, schemas.ProcessStarted)
			if err != nil {
				t.Fatalf("compile: %v", err)
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), short(p.Necessary())); diff != "" {
				t.Errorf("witnesses (-want +got):\n%s", diff)
			}
			clauses, _ := p.Necessary()
			if diff := cmp.Diff(clauses, p.Witnesses()); diff != "" {
				t.Errorf("Witnesses and Necessary differ:\n%s", diff)
			}
		})
	}
}

// Each conditional is followed both ways: within one another they would double
// the work at each level.
func TestWitnessesOfNestedConditionals(t *testing.T) {
	t.Parallel()
	text := `container.sandbox`
	for range 40 {
		text = "(" + text + " ? has(user) : has(k8s))"
	}
	p, err := expr.Condition(text+` && host.name == "a"`, schemas.ProcessStarted)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	p.Necessary()
}
