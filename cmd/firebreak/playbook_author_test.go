package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/services/workshop/scaffold"
)

// author runs one command line as an author does, in a folder of its own.
func author(t *testing.T, in string, args ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = execute(t.Context(), args, strings.NewReader(in), &o, &e)
	return o.String(), e.String(), code
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFromAnIdeaToATestedPlaybook: every template goes through new, lint,
// test and explain as it is.
func TestFromAnIdeaToATestedPlaybook(t *testing.T) {
	dir := t.TempDir()
	for _, operator := range append([]string{""}, scaffold.Operators()...) {
		name := "mine" + operator
		args := []string{"playbook", "new", name, "--dir", dir}
		if operator != "" {
			args = append(args, "--operator", operator)
		}
		if out, errOut, code := author(t, "", args...); code != exitOK || !strings.Contains(out, "playbook lint") {
			t.Errorf("new %s: exit %d: %s%s", operator, code, out, errOut)
		}
		file := filepath.Join(dir, name+".yaml")
		if out, errOut, code := author(t, "", "playbook", "lint", "--strict", file); code != exitOK || !strings.Contains(out, "0 warnings") {
			t.Errorf("lint %s: exit %d: %s%s", operator, code, out, errOut)
		}
		if out, errOut, code := author(t, "", "playbook", "explain", "--json", "--test", filepath.Join(dir, name+".test.yaml"), "--case", firstCase(t, dir, name)); code != exitOK || !strings.Contains(out, `"what":"fired"`) {
			t.Errorf("explain %s: exit %d: %s%s", operator, code, out, errOut)
		}
		if _, errOut, code := author(t, "", args...); code != exitUsage || !strings.Contains(errOut, "not overwritten") {
			t.Errorf("new %s twice: exit %d: %s", operator, code, errOut)
		}
	}
	out, errOut, code := author(t, "", "playbook", "test", dir)
	if code != exitOK || !strings.Contains(out, "8 playbooks") || !strings.Contains(out, "0 failed") || strings.Contains(out, "warning") {
		t.Errorf("test: exit %d: %s%s", code, out, errOut)
	}
	if got := strings.Count(out, "✓"); got != 8 {
		t.Errorf("%d playbooks passed, want 8:\n%s", got, out)
	}
}

func firstCase(t *testing.T, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name+".test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), "- name: ")
	line, _, _ := strings.Cut(after, "\n")
	return strings.Trim(line, `"'`)
}

func TestTheLibraryPassesItsTests(t *testing.T) {
	out, errOut, code := author(t, "", "playbook", "test", "--library")
	if code != exitOK || !strings.Contains(out, " 0 failed") {
		t.Errorf("exit %d:\n%s%s", code, out, errOut)
	}
}

func TestPlaybookCommands(t *testing.T) {
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "p.yaml"), strings.NewReplacer("NAME", "p", "TRIGGER", "xmrig").Replace(pausePlaybook))
	writeText(t, filepath.Join(dir, "p.test.yaml"), `playbook: p
tests:
  - name: it is paused
    events: [{at: 0s, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: xmrig}}}}]
    expect: {incidents: [{by: c1, steps: [container.pause, notify.log]}]}
  - name: wrong
    events: [{at: 0s, type: runtime.process.started, data: {container: {id: c1}, process: {executable: {name: xmrigg}}}}]
    expect: {incidents: [{by: c1}]}
`)
	writeText(t, filepath.Join(dir, "lost.test.yaml"), "playbook: x\ntests: []\n")
	config := filepath.Join(dir, "firebreak.yaml")
	writeText(t, config, "data_dir: ./data\nlibrary: false\nplaybooks: [./p.yaml]\n")
	file, test := filepath.Join(dir, "p.yaml"), filepath.Join(dir, "p.test.yaml")
	const alert = `{"specversion":"1.0","id":"a","source":"/x","type":"firebreak.runtime.process.started","time":"2026-03-01T00:00:00Z","datacontenttype":"application/json","data":{"host":{"name":"n"},"container":{"id":"c1"},"process":{"pid":1,"executable":{"name":"NAME"}}}}`

	for _, tt := range []struct {
		name string
		in   string
		args []string
		code int
		out  []string
		err  string
	}{
		{"a failing test", "", []string{"test", file}, exitFailed, []string{
			"✗ p  1 of 2 tests failed", "p.test.yaml:8:26: no incident was opened of c1", "expected  an incident of c1", "got       none",
			`process.executable.name == "xmrig" is false (process.executable.name = "xmrigg")`, "1 playbook, 2 tests: 1 passed, 1 failed",
		}, ""},
		{"by the test's own file", "", []string{"test", test}, exitFailed, []string{"1 of 2 tests failed"}, ""},
		{"one alone", "", []string{"test", file, "--run", "^p/it is"}, exitOK, []string{"✓ p  1 test", "1 passed, 0 failed"}, ""},
		{"of the configuration", "", []string{"test", "--config", config}, exitFailed, []string{"1 of 2 tests failed"}, ""},
		{"tests of nothing", "", []string{"test", dir}, exitFailed, []string{"lost.test.yaml:1:1: error: there is no playbook beside these tests"}, ""},
		{"no such path", "", []string{"test", filepath.Join(dir, "none")}, exitUsage, nil, "there is no"},
		{"a bad expression", "", []string{"test", file, "--run", "("}, exitUsage, nil, "--run"},
		{"an expression that fits nothing", "", []string{"test", file, "--run", "nobody"}, exitUsage, nil, "fits no test"},
		{"redact alone", "", []string{"test", file, "--redact"}, exitUsage, nil, "--from-incident"},

		{"lint with a test that fits", "", []string{"lint", file}, exitOK, []string{"no test stays silent"}, ""},
		{"lint of the folder", "", []string{"lint", dir}, exitFailed, []string{"there is no playbook beside these tests"}, ""},
		{"lint of the configuration", "", []string{"lint", "--strict", "--config", config}, exitFailed, []string{"no test stays silent"}, ""},

		{"explain a match", strings.Replace(alert, "NAME", "xmrig", 1), []string{"explain", "--event", "-", file}, exitOK, []string{
			"✓ matches start", `process.executable.name = "xmrig"`, "→ an incident for c1", "container.pause on c1: would be carried out",
		}, ""},
		{"explain a difference", strings.Replace(alert, "NAME", "nginx", 1), []string{"explain", "--event", "-", "--config", config}, exitOK, []string{
			"✗ does not match start", `✗ process.executable.name == "xmrig"`, `process.executable.name = "nginx"`,
		}, ""},
		{"explain by name", strings.Replace(alert, "NAME", "nginx", 1), []string{"explain", "--event", "-", "--config", config, "p"}, exitOK, []string{"✗ does not match"}, ""},
		{"explain what nobody waits for", strings.Replace(alert, "process.started", "container.oom", 1), []string{"explain", "--event", "-", file}, exitOK, []string{"p waits for none of the types of these events: it waits for runtime.process.started"}, ""},
		{"explain a test", "", []string{"explain", "--test", test, "--case", "wrong"}, exitOK, []string{"event-1  runtime.process.started at 0s (line 7)"}, ""},
		{"explain without a case", "", []string{"explain", "--test", test}, exitUsage, nil, "it is paused; wrong"},
		{"explain nothing", "", []string{"explain", file}, exitUsage, nil, "--event"},
		{"explain no event", "{", []string{"explain", "--event", "-", file}, exitUsage, nil, "line 1"},
		{"explain an unknown name", alert, []string{"explain", "--event", "-", "--config", config, "q"}, exitUsage, nil, "no playbook that the configuration loads"},

		{"list", "", []string{"list", "--config", config}, exitOK, []string{"NAME", "p ", "enforce"}, ""},
		{"list of another arena", "", []string{"list", "--config", config, "--arena", "host", "--json"}, exitOK, nil, ""},
		{"list of no arena", "", []string{"list", "--config", config, "--arena", "hots"}, exitUsage, nil, "known are"},
		{"coverage", "", []string{"list", "--config", config, "--attack"}, exitOK, []string{"initial-access  0 of ", "· T1190", "no playbook", "0 of "}, ""},

		{"new without a name", "", []string{"new"}, exitUsage, nil, "wants the name"},
		{"new with a bad name", "", []string{"new", "A B", "--dir", dir}, exitUsage, nil, "small letters"},
		{"new in no folder", "", []string{"new", "a", "--dir", filepath.Join(dir, "none")}, exitUsage, nil, "there is no folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errOut, code := author(t, tt.in, append([]string{"playbook"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, want := range tt.out {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in the output", want)
				}
			}
			if !strings.Contains(errOut, tt.err) {
				t.Errorf("%q is not in the errors", tt.err)
			}
			if t.Failed() {
				t.Logf("%s\n%s", out, errOut)
			}
		})
	}
}

func TestPlaybookTestJSON(t *testing.T) {
	dir := t.TempDir()
	if _, errOut, code := author(t, "", "playbook", "new", "mine", "--dir", dir); code != exitOK {
		t.Fatal(errOut)
	}
	out, _, code := author(t, "", "playbook", "test", "--json", dir)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitOK || len(lines) != 3 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	var first struct {
		Playbook, Test, File string
		Passed               bool
		Incidents            []struct {
			Group, At string
			Steps     []struct{ Do string }
		}
	}
	var sum struct{ Playbooks, Tests, Passed, Failed int }
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lines[2]), &sum); err != nil {
		t.Fatal(err)
	}
	if first.Playbook != "mine" || !first.Passed || len(first.Incidents) != 1 || first.Incidents[0].Group != "c1" || len(first.Incidents[0].Steps) != 3 {
		t.Errorf("got %+v", first)
	}
	if sum.Playbooks != 1 || sum.Tests != 2 || sum.Passed != 2 || sum.Failed != 0 {
		t.Errorf("got %+v", sum)
	}
}

// TestHelpHasExamples: the flags that complete are there too.
func TestHelpHasExamples(t *testing.T) {
	for _, name := range []string{"new", "lint", "test", "explain", "list"} {
		out, _, code := author(t, "", "playbook", name, "--help")
		if code != exitOK || !strings.Contains(out, "Examples:") || strings.Contains(out, "does not exist") {
			t.Errorf("%s: exit %d:\n%s", name, code, out)
		}
	}
	out, _, _ := author(t, "", "__complete", "playbook", "new", "a", "--operator", "")
	if !strings.Contains(out, "sequence") {
		t.Errorf("completion of --operator: %s", out)
	}
}

// TestATestOfAnIncident: what really happened becomes a test, which passes.
func TestATestOfAnIncident(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	r.run()
	r.trigger(run, "xmrig")
	v := r.until("miner", run.ID, "enforced")
	wait(t, "the last step", func() bool {
		out, _ := r.firebreak("incident", "list")
		return strings.Contains(out, "notify.log applied")
	})
	file := filepath.Join(r.dir, "playbooks", "miner.test.yaml")
	out, code := r.firebreak("playbook", "test", "--from-incident", v.ID[:8], "--out", file)
	if code != exitOK || !strings.Contains(out, "it passes") {
		t.Fatalf("exit %d: %s", code, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var o, e bytes.Buffer
	if code := execute(ctx, []string{"playbook", "test", "--config", r.config}, strings.NewReader(""), &o, &e); code != exitOK || !strings.Contains(o.String(), "1 passed, 0 failed") {
		raw, _ := os.ReadFile(file)
		t.Errorf("exit %d: %s%s\n%s", code, o.String(), e.String(), raw)
	}
	out, code = r.firebreak("playbook", "test", "--from-incident", v.ID, "--redact")
	if code != exitOK || strings.Contains(out, v.ID) || !strings.Contains(out, "/test/source-1") {
		t.Errorf("redacted: exit %d: %s", code, out)
	}
}
