package expr_test

import (
	"errors"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"
)

// TestHostileExpressions: what could take long to compile or to evaluate is
// refused, with the bound that it exceeds.
func TestHostileExpressions(t *testing.T) {
	t.Parallel()
	deep := func(n int, open, middle, end string) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	for _, tt := range []struct{ name, condition, want string }{
		{"deep parentheses", deep(500, "(", "true", ")"), "recursion"},
		{"deep negation", deep(2000, "!", "(process.pid == 1)", ""), ""},
		{"deep calls", deep(400, "size([", "1", "])") + " > 1", "recursion"},
		{"deep lists", deep(1000, "[", "1", "]") + " == []", "recursion"},
		{"deep choices", deep(250, "process.pid == 1 ? true : (", "true", ")"), "recursion"},
		{"long", strings.Repeat("process.pid == 1 || ", 2000) + "true", "size"},
		{"a list of many", `host.name in ["` + strings.Repeat(`a","`, 3000) + `"]`, "size"},
		{"a loop in a loop", `process.command_args.exists(a, process.command_args.exists(b, a.contains(b)))`, "too costly"},
		{"a loop in a loop over what is not known", `k8s.pod.labels.exists(k, k8s.pod.labels.exists(l, k8s.pod.labels.exists(m, k == l && l == m)))`, "too costly"},
		{"a long pattern", `host.name.matches("` + strings.Repeat("a", 1025) + `")`, "at most 1024"},
		{"a pattern of many states", `host.name.matches("(abcdef){900}")`, "too large"},
		{"a pattern of many choices", `host.name.matches("((a|b|c|d){30}){30}")`, "too large"},
		{"a pattern of many bounded dots", `host.name.matches("` + strings.Repeat(".{900}", 3) + `")`, "too large"},
		{"a pattern that is none", `host.name.matches("a{1001}")`, "invalid"},
		{"many patterns over a long list", `process.command_args.exists(a, ` + strings.Repeat(`a.matches("^(x{100}|y{100}|z{100})$") || `, 20) + `false)`, "too costly"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.Condition(tt.condition, schemas.ProcessStarted)
			if tt.want == "" {
				if err != nil {
					t.Errorf("what takes no time is refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestHostileEvents: an event as large as intake lets through ends an
// evaluation that would take long.
func TestHostileEvents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1<<20)
	list := func(n int, v any) []any {
		out := make([]any, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	for _, tt := range []struct {
		name, typ, condition string
		data                 map[string]any
	}{
		{
			"patterns over a long text", schemas.ProcessStarted, strings.Repeat(`process.executable.name.matches("^(a|b|ab){1,200}c$") || `, 8) + "false",
			map[string]any{"process": map[string]any{"executable": map[string]any{"name": long}}},
		},
		{
			"globs over a long text", schemas.ProcessStarted, strings.Repeat(`glob(process.executable.path, "`+strings.Repeat("*a", 20)+`b") || `, 8) + "false",
			map[string]any{"process": map[string]any{"executable": map[string]any{"path": long}}},
		},
		{
			"a long list", schemas.ProcessStarted, `process.command_args.exists(a, a.matches("^(a+)+b$"))`,
			map[string]any{"process": map[string]any{"command_args": list(800_000, "aaaaaaaaaa")}},
		},
		{
			"lists within a list", schemas.RBACChanged, `rbac.rules.exists(r, r.verbs.exists(v, r.resources.exists(x, v == x)))`,
			map[string]any{"rbac": map[string]any{"rules": list(100, map[string]any{"verbs": list(1000, "a"), "resources": list(1000, "b")})}},
		},
		{
			"lists of unknown type within a list", schemas.APICalled, `audit.requestObject.a.exists(x, audit.requestObject.a.exists(y, x == "b" && y == "b"))`,
			map[string]any{"audit": map[string]any{"requestObject": map[string]any{"a": list(100_000, "a")}}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Condition(tt.condition, tt.typ)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Bool(tt.data); !errors.Is(err, expr.ErrCost) {
				t.Errorf("got %v, %v, want an error of the class ErrCost", got, err)
			}
		})
	}
}

// TestMergedTypes: an event that has one of several types.
func TestMergedTypes(t *testing.T) {
	t.Parallel()
	types := []string{schemas.LoginFailed, schemas.ContainerExited, schemas.APICalled}
	for _, tt := range []struct{ text, warning string }{
		{`has(container.id) && container.id == "c"`, ""},
		{`container.id == "c"`, "1:11: container.id may be absent, and then the whole is an error (guard it: has(container.id) && …)"},
		{`has(user.name) && has(host.name) && user.name == host.name`, ""},
		{`has(login.invalid_user) && login.invalid_user`, ""},
	} {
		p, err := expr.ConditionOn(tt.text, types)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := show(p.Warnings()); got != tt.warning {
			t.Errorf("%s: warnings %q, want %q", tt.text, got, tt.warning)
		}
	}
	if p, err := expr.ConditionOn(`host.name == "n"`, types[:2]); err != nil || len(p.Warnings()) > 0 {
		t.Errorf("what both require: %v, %v", p.Warnings(), err)
	}
	if _, err := expr.ConditionOn(`image.name == "a"`, types); err == nil || !strings.Contains(err.Error(), "unknown field image") {
		t.Errorf("what none has: %v", err)
	}
	if _, err := expr.ConditionOn(`host.name == "a"`, []string{schemas.LoginFailed, "zebra"}); err == nil || !strings.Contains(err.Error(), "unknown event type") {
		t.Errorf("an unknown type: %v", err)
	}
}

// TestMergedKinds: a field that holds a text in one event and an object in
// another can be anything.
func TestMergedKinds(t *testing.T) {
	t.Parallel()
	// user_agent is an object of audit events and of images; change is a text of
	// files and of roles, with other values.
	p, err := expr.ConditionOn(`has(file.change) && file.change == "created" || change == "deleted"`, []string{schemas.FileChanged, schemas.RBACChanged})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Bool(map[string]any{"change": "deleted"}); err != nil || !got {
		t.Errorf("got %v, %v", got, err)
	}
	scope := expr.Scope{Signals: map[string][]string{"a": {schemas.HarborPushed, schemas.APICalled}}, Optional: []string{"a"}}
	step, err := expr.StepIn(`has(signals.a) ? signals.a.user.name : "?"`, expr.Any, scope)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := step.Eval(map[string]any{"signals": map[string]any{}}); err != nil || got != "?" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFieldOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		types []string
		holds string
		err   string
	}{
		{`user.name`, []string{schemas.LoginFailed, schemas.APICalled}, expr.HoldsText, ""},
		{`container.pid`, []string{schemas.ContainerStarted}, expr.HoldsNumber, ""},
		{`login.invalid_user`, []string{schemas.LoginFailed}, expr.HoldsBool, ""},
		{`falco.output_fields["proc.name"]`, []string{schemas.FalcoRule}, expr.HoldsAny, ""},
		{`audit.requestObject.kind`, []string{schemas.APICalled}, expr.HoldsAny, ""},
		{`user.name`, []string{schemas.LoginFailed, schemas.ContainerStarted}, "", "runtime.container.started events: unknown field user"},
		{`file.size`, []string{schemas.FileChanged}, expr.HoldsNumber, ""},
	} {
		path, holds, err := expr.FieldOf(tt.text, tt.types)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: got %v, want %s", tt.text, err, tt.err)
			}
		case err != nil || holds != tt.holds || len(path) == 0:
			t.Errorf("%s of %v: %v holds %q, %v; want %q", tt.text, tt.types, path, holds, err, tt.holds)
		case expr.Holds(path, tt.types) != holds:
			t.Errorf("%s: Holds gives %q, want %q", tt.text, expr.Holds(path, tt.types), holds)
		}
	}
}
