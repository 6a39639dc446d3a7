package suite_test

import (
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"

	"github.com/google/go-cmp/cmp"
)

func bench() *suite.Bench {
	specs := []schemas.Spec{{Name: "notify.log", TargetKind: "incident", Place: "core"}, {Name: "evidence.capture", TargetKind: "container", Place: "node"}}
	return &suite.Bench{Specs: specs, Formats: format.Names(), Decode: format.ForTests(testfile.Start()), Runner: trial.New(specs)}
}

const text = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: s, arena: host, severity: low}
on:
  fail: {type: host.login.failed, when: has(user.name)}
then: [{do: notify.log}]
`

func told(findings []playbook.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.String())
	}
	return out
}

func TestPairs(t *testing.T) {
	t.Parallel()
	pairs, findings := suite.Pairs(
		[]playbook.Source{{Name: "b/two.yaml"}, {Name: "a/one.yml"}, {Name: "b/three.yaml"}},
		[]suite.Test{{Name: "a/one.test.yaml"}, {Name: "b/thre.test.yaml"}, {Name: "b/two.test.yaml"}, {Name: "b/two.test.yml"}},
	)
	var got []string
	for _, p := range pairs {
		name := "none"
		if p.Test != nil {
			name = p.Test.Name
		}
		got = append(got, p.Source.Name+" "+name)
	}
	if diff := cmp.Diff([]string{"a/one.yml a/one.test.yaml", "b/three.yaml none", "b/two.yaml b/two.test.yaml"}, got); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
	want := []string{
		"b/thre.test.yaml:1:1: error: there is no playbook beside these tests (is it for b/three.yaml? Then name it b/three.test.yaml)",
		"b/two.test.yml:1:1: error: b/two.test.yaml tests the same playbook (keep one of them)",
	}
	if diff := cmp.Diff(want, told(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for name, want := range map[string]bool{"a/x.test.yaml": true, "x.test.yml": true, "x.yaml": false, "test.yaml": false} {
		if suite.IsTest(name) != want {
			t.Errorf("IsTest(%s) = %v", name, !want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	const fires = "  - name: a\n    events: [{type: host.login.failed, data: {user: {name: x}}}]\n    expect: {incidents: [{}]}\n"
	const silent = "  - name: b\n    events: [{type: host.login.failed}]\n    expect: {incidents: []}\n"
	for _, tt := range []struct {
		name, test string
		want       []string
	}{
		{"complete", "playbook: p\ntests:\n" + fires + silent, nil},
		{"one side alone", "playbook: p\ntests:\n" + fires, []string{"p.test.yaml:1:1: warning: no test stays silent (add one with something alike that is harmless, and expect: {incidents: []})"}},
		{"the other side", "playbook: p\ntests:\n" + silent, []string{"p.test.yaml:1:1: warning: no test fires (add one that expects an incident)"}},
		{"of another", "playbook: q\ntests:\n" + fires + silent, []string{"p.test.yaml:1:11: error: these tests are for q, and the playbook beside them is p (write playbook: p)"}},
		{"a step that there is not", "playbook: p\ntests:\n" + strings.Replace(fires, "[{}]", "[{steps: [notify.lgo], not: [evidence.capture]}]", 1) + silent, []string{
			`p.test.yaml:5:35: error: the playbook p has no step "notify.lgo" (did you mean notify.log?)`,
			`p.test.yaml:5:54: error: the playbook p has no step "evidence.capture" (it has notify.log)`,
		}},
		{"a verdict on what nobody verifies", "playbook: p\ntests:\n" + strings.Replace(fires, "    expect", "    mock: {notify.log: partial}\n    expect", 1) + silent, []string{
			"p.test.yaml:5:12: error: notify.log has nothing to verify, so it is never partial (it ends in applied, failed, refused or gone)",
		}},
		{"nothing that could happen", "playbook: p\ntests:\n" + fires + "  - {name: idle, expect: {incidents: []}}\n", []string{
			"p.test.yaml:6:5: warning: a test without events cannot fail (it waits for host.login.failed)",
		}},
		{"an event that it does not wait for", "playbook: p\ntests:\n" + fires + strings.Replace(silent, "failed", "succeeded", 1), []string{
			"p.test.yaml:7:14: warning: the playbook does not wait for host.login.succeeded (it waits for host.login.failed)",
		}},
		{"not readable", "playbook: p\ntests: 1\n", []string{"p.test.yaml:2:8: error: want a list, got 1 (write it as [a, b])"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := bench()
			u := b.Load(suite.Pair{Source: playbook.Source{Name: "p.yaml", Data: []byte(text)}, Test: &suite.Test{Name: "p.test.yaml", Data: []byte(tt.test)}})
			if diff := cmp.Diff(tt.want, told(u.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if u.Failed() != playbook.Failed(u.Findings) {
				t.Errorf("failed: %v", u.Failed())
			}
			if u.Failed() && b.Run(u, nil) != nil {
				t.Error("it ran in spite of its errors")
			}
		})
	}
}

func TestNoTests(t *testing.T) {
	t.Parallel()
	u := bench().Load(suite.Pair{Source: playbook.Source{Name: "p.yaml", Data: []byte(text)}})
	want := []string{"p.yaml:1:1: warning: there are no tests beside this playbook (write p.test.yaml; `firebreak playbook new` shows what one looks like)"}
	if diff := cmp.Diff(want, told(u.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	u = bench().Load(suite.Pair{Source: playbook.Source{Name: "p.yaml", Data: []byte("kind: x\n")}})
	if !u.Failed() || len(u.Broken) == 0 {
		t.Errorf("a broken playbook: %+v", u)
	}
}

// A mode that caps the library does not bind its tests.
func TestTestsRunInThePlaybooksOwnMode(t *testing.T) {
	t.Parallel()
	b := bench()
	u := b.Load(suite.Pair{
		Source: playbook.Source{Name: "p.yaml", Mode: "observe", Data: []byte(strings.Replace(text, "then:", "guard: {mode: enforce}\nthen:", 1))},
		Test: &suite.Test{Name: "p.test.yaml", Data: []byte("playbook: p\ntests:\n  - name: a\n    events: [{type: host.login.failed, data: {user: {name: x}}}]\n" +
			"    expect: {incidents: [{steps: [{do: notify.log, state: applied}]}]}\n")},
	})
	results := b.Run(u, func(name string) bool { return name == "p/a" })
	if len(results) != 1 || !results[0].Passed() {
		t.Errorf("got %+v", results)
	}
	if got := b.Run(u, func(string) bool { return false }); len(got) != 0 {
		t.Errorf("what is not wanted ran: %+v", got)
	}
}

// One raw event can be several of ours; a test that waits for one of them is
// about that one.
func TestRawEventOfSeveralTypes(t *testing.T) {
	t.Parallel()
	const raw = `{kind: Event, apiVersion: audit.k8s.io/v1, auditID: a1, stage: ResponseComplete, stageTimestamp: "2026-01-01T00:00:00Z", verb: create, user: {username: eve}, objectRef: {apiGroup: rbac.authorization.k8s.io, resource: clusterrolebindings, name: b}, responseStatus: {code: 201}, requestObject: {kind: ClusterRoleBinding, metadata: {name: b}, roleRef: {kind: ClusterRole, name: cluster-admin}, subjects: [{kind: User, name: eve}]}}`
	for waits, want := range map[string][]string{
		"cluster.api.called":   nil,
		"cluster.rbac.changed": nil,
		"host.login.failed":    {"p.test.yaml:4:14: warning: the playbook does not wait for cluster.api.called (it waits for host.login.failed)"},
	} {
		source := strings.Replace(text, "{type: host.login.failed, when: has(user.name)}", "{type: "+waits+"}", 1)
		test := "playbook: p\ntests:\n  - name: a\n    events: [{as: k8s-audit, raw: " + raw + "}]\n    expect: {incidents: [{}]}\n" +
			"  - name: b\n    events: [{type: " + waits + "}]\n    expect: {incidents: []}\n"
		u := bench().Load(suite.Pair{Source: playbook.Source{Name: "p.yaml", Data: []byte(source)}, Test: &suite.Test{Name: "p.test.yaml", Data: []byte(test)}})
		if diff := cmp.Diff(want, told(append(u.Broken, u.Findings...))); diff != "" {
			t.Errorf("findings of a playbook on %s (-want +got):\n%s", waits, diff)
		}
	}
}
