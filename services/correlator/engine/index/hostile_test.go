package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/services/correlator/engine/index"
	"firebreak/services/playbook/expr"
)

func compile(tb testing.TB, condition string) *expr.Program {
	tb.Helper()
	when, err := expr.Condition(condition, eventType)
	if err != nil {
		tb.Fatalf("%s: %v", condition, err)
	}
	return when
}

func matches(tb testing.TB, x *index.Index, typ, data string, s *index.Scratch) []int {
	tb.Helper()
	var got []int
	if err := x.Match(typ, []byte(data), s, func(rule int, _ map[string]any) { got = append(got, rule) }); err != nil {
		tb.Fatalf("match: %v", err)
	}
	return got
}

func TestRulesOfOtherTypes(t *testing.T) {
	t.Parallel()
	named := compile(t, `process.executable.name == "sh"`)
	x := index.New([]index.Rule{
		{Type: schemas.Heartbeat}, {Type: eventType, When: named}, {Type: eventType}, {Type: schemas.Heartbeat}, {Type: eventType, When: named},
	})
	var s index.Scratch
	for _, tt := range []struct {
		typ, data string
		want      []int
	}{
		{eventType, `{"process":{"executable":{"name":"sh"}}}`, []int{1, 2, 4}},
		{eventType, `{"process":{"executable":{"name":"bash"}}}`, []int{2}},
		{eventType, `{}`, []int{2}},
		{schemas.Heartbeat, `{"process":{"executable":{"name":"sh"}}}`, []int{0, 3}},
		{schemas.Tick, `{}`, nil},
	} {
		if got := matches(t, x, tt.typ, tt.data, &s); !slices.Equal(got, tt.want) {
			t.Errorf("%s %s: got %v, want %v", tt.typ, tt.data, got, tt.want)
		}
	}
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	x := index.New([]index.Rule{
		{Type: eventType, When: compile(t, `cidr(host.name, "10.0.0.0/8")`)},
		{Type: eventType, When: compile(t, `process.pid > 1`)},
	})
	failed := map[int]string{}
	s := index.Scratch{Failed: func(rule int, err error) { failed[rule] = err.Error() }}
	if got := matches(t, x, eventType, `{"host":{"name":"n1"},"process":{"pid":1.5}}`, &s); len(got) != 0 {
		t.Errorf("matched %v", got)
	}
	if !strings.Contains(failed[0], "n1") || !strings.Contains(failed[1], "process.pid") {
		t.Errorf("told of %v, want both", failed)
	}
}

// hostile are many rules that all meet the same events, or nearly.
func hostile(tb testing.TB, n int, condition func(i int) string) *index.Index {
	tb.Helper()
	rules := make([]index.Rule, n)
	for i := range rules {
		rules[i] = index.Rule{Type: eventType, When: compile(tb, condition(i))}
	}
	return index.New(rules)
}

const shell = `{"host":{"name":"n1"},"k8s":{"namespace":{"name":"shop"}},"container":{"id":"c1"},"process":{"pid":4711,"executable":{"name":"sh","path":"/bin/sh"},"command_args":["sh","-c","id"]}}`

// forms are sets of rules that are alike in all that an index could sort by.
var forms = []struct {
	name      string
	condition func(i int) string
	want      int // matches of 300
}{
	{"the same condition", func(int) string { return `process.executable.name == "sh"` }, 300},
	{"one field alike, one that differs", func(i int) string {
		return fmt.Sprintf(`process.executable.name == "sh" && k8s.namespace.name == "ns-%d"`, i)
	}, 0},
	{"two fields alike, a bound that differs", func(i int) string {
		return fmt.Sprintf(`process.executable.name == "sh" && k8s.namespace.name == "shop" && process.pid > %d`, i+4600)
	}, 111},
	{"one field alike, prefixes of one another", func(i int) string {
		return fmt.Sprintf(`process.executable.name == "sh" && process.executable.path.startsWith(%q)`, "/bin/sh"+strings.Repeat("x", i%4000))
	}, 1},
	{"what no index sorts by", func(i int) string {
		return fmt.Sprintf(`process.executable.name == "sh" && process.command_args.exists(a, a == "x%d" || a == "id")`, i)
	}, 300},
	{"nothing to sort by", func(i int) string {
		return fmt.Sprintf(`!has(user.name) || process.?pid.orValue(%d) == %d`, i, i)
	}, 300},
}

func TestHostileRules(t *testing.T) {
	t.Parallel()
	for _, tt := range forms {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := hostile(t, 300, tt.condition)
			var s index.Scratch
			got := matches(t, x, eventType, shell, &s)
			if len(got) != tt.want || !slices.IsSorted(got) {
				t.Errorf("%d matched, want %d, ascending: %v", len(got), tt.want, got)
			}
			if got := matches(t, x, eventType, `{"user":{"name":"x"},"process":{"pid":-1}}`, &s); len(got) != 0 {
				t.Errorf("another event matched %v", got)
			}
		})
	}
}

// BenchmarkHostile is one event that comes up against 10,000 such rules.
func BenchmarkHostile(b *testing.B) {
	for _, bb := range forms {
		b.Run(bb.name, func(b *testing.B) {
			x := hostile(b, 10_000, bb.condition)
			var s index.Scratch
			n := 0
			for b.Loop() {
				if err := x.Match(eventType, []byte(shell), &s, func(int, map[string]any) { n++ }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzMatch goes on with what intake refuses: it must not break down. Strict
// data must match as a full scan does.
func FuzzMatch(f *testing.F) {
	conditions := []string{
		`process.executable.name == "a"`, `k8s.namespace.labels["a.b"].startsWith("x")`, `process.pid >= 3`, `has(container)`, `container.sandbox`,
		`user.name in ["a", "é", "\n"]`, `has(tetragon.event["x"]) && tetragon.event.x == 1`, `!has(user)`,
	}
	var rules []index.Rule
	for _, c := range conditions {
		rules = append(rules, index.Rule{Type: eventType, When: compile(f, c)})
	}
	x := index.New(rules)
	for _, seed := range []string{
		shell, `{`, `{"process":`, `{"process":{"pid`, `{"process":{"pid":3`, `{"process":{"pid":3}`, `{"user":{"name":"\`, `{"user":{"name":"\u00`, `{"user":{"\u006eame":"\u00e9"}}`,
		`{"container":[[{}]],"k8s":{"namespace":{"labels":{"a.b":"x\\"}}},"tetragon":{"event":{"x":1.0}}}`, `{"user":{}`, `{"user":{"x":"\\\""},"process":{"pid":1e3}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s index.Scratch
		var got []int
		err := x.Match(eventType, data, &s, func(rule int, _ map[string]any) { got = append(got, rule) })
		if intake.Strict(data) != nil {
			return
		}
		decoded, decodeErr := intake.Decode(data)
		if err != nil || decodeErr != nil {
			t.Fatalf("match: %v, decode: %v", err, decodeErr)
		}
		if want := scan(rules, eventType, decoded); !slices.Equal(got, want) {
			t.Errorf("matched %v, want %v", got, want)
		}
	})
}
