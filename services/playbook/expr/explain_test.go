package expr_test

import (
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"

	"github.com/google/go-cmp/cmp"
)

// told writes verdicts one a line.
func told(verdicts []expr.Verdict) string {
	var out strings.Builder
	for _, v := range verdicts {
		fmt.Fprintf(&out, "%s%d:%d %s = %s", strings.Repeat("  ", v.Depth), v.Line, v.Column, strings.Join(strings.Fields(v.Text), " "), v.Result)
		if v.Error != "" {
			fmt.Fprintf(&out, " (%s)", v.Error)
		}
		for _, r := range v.Reads {
			value := r.Value
			if r.Absent {
				value = "absent"
			}
			fmt.Fprintf(&out, " [%s %s]", r.Path, value)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, condition, data, want string }{
		{"one part", `process.pid > 100`, full, "1:1 process.pid > 100 = true [process.pid 4711]\n"},
		{"and", "has(container.id) &&\n  process.executable.name == \"nc\"", full, `1:1 has(container.id) = true [container.id "c1"]
2:3 process.executable.name == "nc" = false [process.executable.name "xmrig"]
`},
		{"absent", `process.executable.name == "nc" || !has(user)`, bare, `1:1 process.executable.name == "nc" = error (process.executable is absent) [process.executable.name absent]
1:36 !has(user) = true [user absent]
`},
		{"nested", `has(user) && (process.pid == 1 || process.pid in [2, 3] && host.name == "n1") && host.name != ""`, full, `1:1 has(user) = true [user {"id":"0"}]
1:14 (process.pid == 1 || process.pid in [2, 3] && host.name == "n1") = false
  1:15 process.pid == 1 = false [process.pid 4711]
  1:35 process.pid in [2, 3] && host.name == "n1" = false
    1:35 process.pid in [2, 3] = false [process.pid 4711]
    1:60 host.name == "n1" = true [host.name "n1"]
1:82 host.name != "" = true [host.name "n1"]
`},
		{"all in parentheses", `(process.pid == 1 || process.pid == 2)`, bare, `1:1 (process.pid == 1 || process.pid == 2) = true
  1:2 process.pid == 1 = true [process.pid 1]
  1:22 process.pid == 2 = false [process.pid 1]
`},
		{"a choice stays whole", `process.pid > 1 ? host.name == "a" : true || false`, bare, `1:1 process.pid > 1 ? host.name == "a" : true || false = true [process.pid 1] [host.name "n1"]
`},
		{"what looks like an operator", `host.name != "a && b" && host.name != r"\" && user.?name.orValue("x || y") == "x || y" // a && b`, bare, `1:1 host.name != "a && b" = true [host.name "n1"]
1:26 host.name != r"\" = true [host.name "n1"]
1:47 user.?name.orValue("x || y") == "x || y" // a && b = true [user.name absent]
`},
		{"a loop", `process.?command_args.orValue([]).exists(a, a == "x" || a == "-o") && process.pid > 0`, full, `1:1 process.?command_args.orValue([]).exists(a, a == "x" || a == "-o") = true [process.command_args ["xmrig","-o","stratum+tcp://pool:3333"]]
1:71 process.pid > 0 = true [process.pid 4711]
`},
		{"a long value", `host.name == "a"`, `{"host": {"name": "` + strings.Repeat("ü", 100) + `"}}`, `1:1 host.name == "a" = false [host.name "` + strings.Repeat("ü", 78) + "…]\n"},
		{"a value that must not reach a terminal", `host.name == "a"`, `{"host": {"name": "\u001b[31mred\n"}}`, `1:1 host.name == "a" = false [host.name "\u001b[31mred\n"]` + "\n"},
		{"a key that is an expression", `k8s.pod.labels["a" + host.name] == "b"`, full, `1:1 k8s.pod.labels["a" + host.name] == "b" = error (no such key: an1)` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Condition(tt.condition, schemas.ProcessStarted)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, told(p.Explain(decode(t, tt.data)))); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExplainAgrees: the parts make the whole.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	for _, a := range arenas {
		for _, text := range a.conditions {
			p, err := expr.Condition(text, a.typ)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range p.Explain(decode(t, a.data)) {
				if v.Text == "" || !strings.Contains(text, v.Text) || v.Line < 1 || v.Column < 1 {
					t.Errorf("%s: the part %+v is none of it", text, v)
				}
				if v.Result == "error" && !strings.Contains(text, "||") {
					t.Errorf("%s: %s is an error where the whole is true: %s", text, v.Text, v.Error)
				}
			}
		}
	}
}

func TestNever(t *testing.T) {
	t.Parallel()
	vars := map[string]any{"incident": map[string]any{"severity": "high"}}
	for text, want := range map[string]bool{
		`incident.severity == "low"`:                                       true,
		`incident.severity == "high"`:                                      false,
		`incident.severity == "low" && target.id == "x"`:                   true,
		`incident.severity == "low" || target.id == "x"`:                   false,
		`(false || incident.severity in ["low"]) && has(signals.a)`:        true,
		`!(incident.severity == "high")`:                                   true,
		`!has(signals.a) && has(incident.severity)`:                        false,
		`incident.playbook == "x"`:                                         false,
		`incident.severity == "low" ? target.id == "x" : target.id == "y"`: false,
	} {
		p, err := expr.Step(text, expr.Bool)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Never(vars, "incident.severity"); got != want {
			t.Errorf("%s: never true: %v, want %v", text, got, want)
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, a := range arenas {
		for _, text := range a.conditions {
			f.Add(text)
		}
	}
	f.Add(`(a && "b) || c" || (('x') ) // && y`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := expr.Condition(text, schemas.ProcessStarted)
		if err != nil {
			return
		}
		verdicts := p.Explain(decode(t, full))
		if len(verdicts) == 0 {
			t.Error("nothing is said")
		}
		for _, v := range verdicts {
			if v.Result == "" || v.Line < 1 || v.Column < 1 {
				t.Errorf("%+v", v)
			}
		}
	})
}
