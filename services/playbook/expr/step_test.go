package expr_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"

	"github.com/google/go-cmp/cmp"
)

// incident is what the conductor evaluates a step over.
func incident(t testing.TB) map[string]any {
	t.Helper()
	return map[string]any{
		"incident": map[string]any{"id": "abc", "severity": "high", "playbook": "miner", "key": map[string]any{"container.id": "c1"}},
		"signals":  map[string]any{"start": decode(t, full)},
		"steps":    map[string]any{"container.pause": map[string]any{"state": "ineffective"}, "p": map[string]any{"state": "enforced"}},
		"target":   map[string]any{"kind": "container", "id": "c1"},
	}
}

var scope = expr.Scope{Signals: map[string][]string{"start": {schemas.ProcessStarted}}, Steps: []string{"container.pause", "p"}}

func TestStepEval(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want any // nil: an error of the class ErrAbsent
	}{
		{`incident.severity == "high"`, true},
		{`incident.key["container.id"] == "c1"`, true},
		{`steps["container.pause"].state == "ineffective"`, true},
		{`steps.p.state == "enforced"`, true},
		{`target.id`, "c1"},
		{`target.name`, nil},
		{`has(target.name)`, false},
		{`signals.start.process.pid`, int64(4711)},
		{`signals.start.process.pid > 100`, true},
		{`signals.start.process.pid % 2 == 1`, true},
		{`signals.start.container.cpu.utilization * 100 > 96`, true},
		{`signals.start.container.cpu.utilization == 0.97`, true},
		{`signals.start.container.memory.usage + 0.5`, 900.5},
		{`"pid " + string(signals.start.process.pid)`, "pid 4711"},
		{`signals.start.user.name`, nil},
		{`has(signals.start.user.name)`, false},
		{`signals.start.user.?name.orValue("nobody")`, "nobody"},
		{`signals.start.k8s.pod.labels["app.kubernetes.io/name"]`, "web"},
		{`has(signals.start.k8s.pod.labels["x"])`, false},
		{`signals.start.container.image`, map[string]any{"name": "docker.io/library/nginx", "tag": "1.25.3"}},
		{`[signals.start.container.id, target.id]`, []any{"c1", "c1"}},
		{`signals.start.process.command_args.filter(a, a.startsWith("-"))`, []any{"-o"}},
	} {
		for name, s := range map[string]expr.Scope{"typed": scope, "untyped": {}} {
			t.Run(name+"/"+tt.text, func(t *testing.T) {
				t.Parallel()
				p, err := expr.StepIn(tt.text, expr.Any, s)
				if err != nil {
					t.Fatalf("compile: %v", err)
				}
				got, err := p.Eval(incident(t))
				if tt.want == nil {
					if !errors.Is(err, expr.ErrAbsent) {
						t.Errorf("got %v, %v, want an error of the class ErrAbsent", got, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("value (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestStepOfAnUnexpectedType(t *testing.T) {
	t.Parallel()
	p, err := expr.Step(`target.id`, expr.Bool)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Eval(incident(t)); err == nil || errors.Is(err, expr.ErrAbsent) {
		t.Errorf("Eval gives %v, %v; want an error that is not of the class ErrAbsent", got, err)
	}
	if got, err := p.Bool(incident(t)); err == nil {
		t.Errorf("Bool gives %v, want an error", got)
	}
	if _, err := expr.StepIn(`incident.id`, expr.Bool, scope); err == nil || err.Error() != "gives string, want bool" {
		t.Errorf("a text as condition gives %v", err)
	}
}

func TestStepIgnoresWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	p, err := expr.Step(`signals.start.zebra.stripes == 3`, expr.Bool)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{"signals": map[string]any{"start": map[string]any{"zebra": map[string]any{"stripes": 3.0, "none": nil}}}}
	if got, err := p.Bool(vars); err != nil || !got {
		t.Errorf("got %v, %v, want true", got, err)
	}
	if _, err := expr.StepIn(`signals.start.zebra.stripes == 3`, expr.Bool, scope); err == nil {
		t.Error("an unknown field compiles where the signal's type is known")
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, with, want string }{
		{"nothing to do", `{"a": 1.0, "b": "x"}`, `{"a": 1.0, "b": "x"}`},
		{"no parameters", ``, ``},
		{"a text", `{"text":"pid ${signals.start.process.pid} of ${signals.start.host.name}"}`, `{"text":"pid 4711 of n1"}`},
		{"a value keeps its type", `{"n":"${signals.start.process.pid}","b":"${has(target.id)}","o":"${signals.start.k8s.namespace}"}`, `{"b":true,"n":4711,"o":{"labels":{"team":"a"},"name":"shop"}}`},
		{"nested", `{"a":[{"b":"<${target.id}>"},2]}`, `{"a":[{"b":"<c1>"},2]}`},
		{"an escape", `{"a":"$${target.id} ${target.id}"}`, `{"a":"${target.id} c1"}`},
		{"braces and quotes within", `{"a":"x${ {'}': '}'}['}'] }y"}`, `{"a":"x}y"}`},
		{"an object in a text", `{"a":"is ${signals.start.user}"}`, `{"a":"is {\"id\":\"0\"}"}`},
		{"a large number in a text", `{"a":"${signals.start.container.memory.usage * 10000000} bytes, ${0.5} of them"}`, `{"a":"9000000000 bytes, 0.5 of them"}`},
		{"other numbers stay", `{"a":"${target.id}","n":12345678901234567890.5}`, `{"a":"c1","n":12345678901234567890.5}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := expr.SubstituteIn(json.RawMessage(tt.with), incident(t), scope)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubstituteReadsItsValuesOnce(t *testing.T) {
	t.Parallel()
	vars := incident(t)
	vars["target"] = map[string]any{"id": `${incident.id}"; rm`}
	got, err := expr.Substitute(json.RawMessage(`{"a":"${target.id}","b":"x ${target.id}"}`), vars)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":"${incident.id}\"; rm","b":"x ${incident.id}\"; rm"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestSubstituteFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		with, want string
		absent     bool
	}{
		{`{"a":"${target.name}"}`, "no such key: name", true},
		{`{"a":"in ${signals.start.user.name}"}`, "signals.start.user.name is absent", true},
		{`{"a":"${target.id"}`, "without its }", false},
		{`{"a":"${1 +}"}`, "it ends too early", false},
		{`{"a":"${}"}`, "an empty expression", false},
		{`{"a": ${target.id}}`, "parameters", false},
	} {
		_, err := expr.SubstituteIn(json.RawMessage(tt.with), incident(t), scope)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, expr.ErrAbsent) != tt.absent {
			t.Errorf("%s: got %v, want an error with %q, of the class ErrAbsent: %v", tt.with, err, tt.want, tt.absent)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	// Far more arguments than the estimate takes for granted.
	args := make([]any, 30_000)
	for i := range args {
		args[i] = strings.Repeat("a", 500)
	}
	p, err := expr.Condition(`process.command_args.exists(a, a.matches("^(a+)+b$"))`, schemas.ProcessStarted)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Bool(map[string]any{"process": map[string]any{"command_args": args}})
	if !errors.Is(err, expr.ErrCost) {
		t.Errorf("got %v, want an error of the class ErrCost", err)
	}
}

func TestProgramIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	p, err := expr.Condition(`process.executable.name == "xmrig" || container.id == "c"`, schemas.ProcessStarted)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{full, bare, nulls, full, bare, nulls} {
		vars := decode(t, data)
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 200 {
				if got, err := p.Bool(vars); got != (err == nil) {
					t.Fatalf("got %v, %v", got, err)
				}
			}
		})
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`container.id`:              {"container", "id"},
		`k8s.pod.labels["a.b/c"]`:   {"k8s", "pod", "labels", "a.b/c"},
		`k8s.pod.labels.app`:        {"k8s", "pod", "labels", "app"},
		`process.executable.name`:   {"process", "executable", "name"},
		`container.namespace`:       {"container", "namespace"},
		`process`:                   nil,
		`process.command_args`:      nil,
		`process.command_args[0]`:   nil,
		`container.?id`:             nil,
		`has(container.id)`:         nil,
		`container.idd`:             nil,
		`"a"`:                       nil,
		`container.id +`:            nil,
		`k8s.pod.labels[user.name]`: nil,
	} {
		got, err := expr.Field(text, schemas.ProcessStarted)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("Field(%s): %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		`has(k8s.pod.labels["a"]) && k8s.pod.labels["a"] == "b"`,
		`process.?command_args.orValue([]).exists(a, a.matches("^stratum"))`,
		`container.cpu.utilization * 100 > 1 ? container.memory.usage in [1, 2.5] : !has(user)`,
		`container.?image.?name.optMap(n, glob(n, "**/x")).orValue(false)`,
		`imageref(host.name).?tag.orValue("") == [process.pid, 1.5][0]`,
		`{"a": process.pid}.a == process.parent.pid / 2`,
		`process.?command_args.orValue([]).exists(a, process.command_args.exists(b, a == b)) && host.name in ["a"] && host.name == "b"`,
		`inventory.pods(host.name).exists(p, p.id == "a")`,
	} {
		f.Add(text, full)
		f.Add(text, nulls)
	}
	f.Fuzz(func(t *testing.T, text, data string) {
		p, err := expr.Condition(text, schemas.ProcessStarted)
		if err != nil {
			var problems expr.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || problems[0].Line < 1 || problems[0].Column < 1 {
				t.Fatalf("an error without a place: %#v", err)
			}
			return
		}
		var vars map[string]any
		if json.Unmarshal([]byte(data), &vars) != nil {
			return
		}
		if got, err := p.Bool(vars); err != nil && got {
			t.Errorf("true with the error %v", err)
		} else if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Errorf("a panic within: %v", err)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("a ${b} $${c} ${'}'}")
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := expr.Split(text)
		if err != nil {
			return
		}
		var back strings.Builder
		for _, p := range parts {
			if p.Expr {
				back.WriteString("${" + p.Text + "}")
			} else {
				back.WriteString(strings.ReplaceAll(p.Text, "${", "$${"))
			}
		}
		again, err := expr.Split(back.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, back.String(), err)
		}
		if len(again) != len(parts) {
			t.Errorf("%q has %d parts, written again %d", text, len(parts), len(again))
		}
	})
}
