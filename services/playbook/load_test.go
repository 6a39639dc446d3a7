package playbook_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const whole = `apiVersion: firebreak/v1
kind: Playbook
metadata:
  name: miner
  summary: A miner
  arena: runtime
  severity: critical
  attack: [T1496.001]
on:
  start:
    type: runtime.process.started
    when: has(process.executable.name) && process.executable.name == "xmrig"
match:
  by: [container.id, 'k8s.pod.labels["app.kubernetes.io/name"]']
once: 1h
guard:
  mode: enforce
  except: has(k8s.namespace.name) && k8s.namespace.name == "kube-system"
  limit: {targets: 5, per: 10m}
  staleAfter: 1m
then:
  - do: container.pause
    with: {scope: pod}
    for: 4h
    retry: {attempts: 3, backoff: 2s}
    timeout: 30s
    onFailure:
      - do: container.pause
        when: steps["container.pause"].state == "ineffective"
  - parallel:
      - do: evidence.capture
        when: incident.severity == "critical"
      - do: notify.log
        id: tell
        with: {text: "in ${signals.start.container.id}: ${signals.start.process.pid}"}
  - do: pod.terminate
    needs: [container.pause, tell]
    irreversible: true
`

func load(t *testing.T, sources ...playbook.Source) *playbook.Set {
	t.Helper()
	set, findings := playbook.Load(sources, specs)
	if len(findings) > 0 || set == nil {
		t.Fatalf("findings:\n%s", show(findings))
	}
	return set
}

func TestLoad(t *testing.T) {
	t.Parallel()
	set := load(t, playbook.Source{Name: "miner.yaml", Data: []byte(whole)})
	if len(set.Playbooks) != 1 {
		t.Fatalf("got %d playbooks, want 1", len(set.Playbooks))
	}
	want := &playbook.Playbook{
		Name: "miner", Summary: "A miner", Arena: "runtime", Severity: "critical", Attack: []string{"T1496.001"}, File: "miner.yaml",
		Signals: []playbook.Signal{{Name: "start", Type: schemas.ProcessStarted, Types: []string{schemas.ProcessStarted}}},
		Match: playbook.Match{Op: playbook.OpAny, Of: []int{0}, Until: -1, By: [][][]string{{
			{"container", "id"},
			{"k8s", "pod", "labels", "app.kubernetes.io/name"},
		}}},
		Once: time.Hour,
		Guard: schemas.Guard{
			Mode: "enforce", Except: `has(k8s.namespace.name) && k8s.namespace.name == "kube-system"`,
			Limit:      &schemas.Limit{Targets: 5, Per: schemas.Duration(10 * time.Minute)},
			StaleAfter: schemas.Duration(time.Minute),
		},
		Steps: []schemas.Step{
			{
				ID: "container.pause", Do: "container.pause", With: json.RawMessage(`{"scope":"pod"}`),
				For: schemas.Duration(4 * time.Hour), OnExpire: "keep", Timeout: schemas.Duration(30 * time.Second),
				Retry:     &schemas.Retry{Attempts: 3, Backoff: schemas.Duration(2 * time.Second)},
				OnFailure: []schemas.Step{{ID: "container.pause-2", Do: "container.pause", When: `steps["container.pause"].state == "ineffective"`}},
			},
			{ID: "parallel", Parallel: []schemas.Step{
				{ID: "evidence.capture", Do: "evidence.capture", When: `incident.severity == "critical"`},
				{ID: "tell", Do: "notify.log", With: json.RawMessage(`{"text":"in ${signals.start.container.id}: ${signals.start.process.pid}"}`)},
			}},
			{ID: "pod.terminate", Do: "pod.terminate", Needs: []string{"container.pause", "tell"}, Irreversible: true},
		},
	}
	if diff := cmp.Diff(want, set.Playbooks[0], cmpopts.IgnoreFields(playbook.Signal{}, "When")); diff != "" {
		t.Errorf("playbook (-want +got):\n%s", diff)
	}
	got, err := set.Playbooks[0].Signals[0].When.Bool(map[string]any{"process": map[string]any{"executable": map[string]any{"name": "xmrig"}}})
	if err != nil || !got {
		t.Errorf("the condition gives %v, %v, want true", got, err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	text := strings.Replace(head, "severity: high", "severity: low", 1) + on + "then:\n  - {do: container.pause, for: 1h}\n"
	p := load(t, playbook.Source{Name: "a.yaml", Data: []byte(text)}).Playbooks[0]
	want := schemas.Guard{Mode: "observe", StaleAfter: schemas.Duration(15 * time.Minute)}
	if diff := cmp.Diff(want, p.Guard); diff != "" {
		t.Errorf("guard (-want +got):\n%s", diff)
	}
	if got := p.Steps[0].OnExpire; got != "release" {
		t.Errorf("onExpire of a playbook of low severity is %q, want release", got)
	}
	if p.Match.Grouped() || p.Once != 0 {
		t.Errorf("by %v, once %v: want none", p.Match.By, p.Once)
	}
}

func TestModeCap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ written, limit, want string }{
		{"enforce", "", "enforce"},
		{"enforce", "observe", "observe"},
		{"enforce", "approve", "approve"},
		{"approve", "enforce", "approve"},
		{"observe", "enforce", "observe"},
		{"observe", "observe", "observe"},
	} {
		text := head + on + "guard: {mode: " + tt.written + "}\n" + then
		got := load(t, playbook.Source{Name: "a.yaml", Data: []byte(text), Mode: tt.limit}).Playbooks[0].Guard.Mode
		if got != tt.want {
			t.Errorf("written %q, capped %q: mode is %q, want %q", tt.written, tt.limit, got, tt.want)
		}
	}
	_, findings := playbook.Load([]playbook.Source{{Name: "a.yaml", Data: []byte(head + on + then), Mode: "enforced"}}, specs)
	if diff := cmp.Diff(`1:1: error: the source's mode "enforced" is none (use observe, approve or enforce)`, show(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestLoadIsAtomic(t *testing.T) {
	t.Parallel()
	good := playbook.Source{Name: "good.yaml", Data: []byte(whole)}
	bad := playbook.Source{Name: "bad.yaml", Data: []byte(head + on)}
	set, findings := playbook.Load([]playbook.Source{good, bad}, specs)
	if set != nil {
		t.Error("a set with an error was loaded")
	}
	if diff := cmp.Diff("bad.yaml:1:1: error: the key then is missing", findings[0].String()); diff != "" || len(findings) != 1 {
		t.Errorf("findings %v (-want +got):\n%s", findings, diff)
	}
	warned := strings.Replace(head, "name: a", "name: w", 1) + "on:\n  start: {type: runtime.process.started, when: user.id == \"0\"}\n" + then
	set, findings = playbook.Load([]playbook.Source{good, {Name: "warned.yaml", Data: []byte(warned)}}, specs)
	if set == nil || len(findings) != 1 || playbook.Failed(findings) {
		t.Errorf("a set with a warning: %v, %v; want it loaded with one warning", set, findings)
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		sources []playbook.Source
		want    string
	}{
		{"two playbooks of a name", []playbook.Source{{Name: "b.yaml", Data: []byte(head + on + then)}, {Name: "a.yaml", Data: []byte(head + on + then)}}, "b.yaml:3:18: error: the name a belongs to the playbook in a.yaml (rename one of them)"},
		{"two sources of a name", []playbook.Source{{Name: "a.yaml", Data: []byte(head + on + then)}, {Name: "a.yaml", Data: []byte(whole)}}, "a.yaml:1:1: error: two sources have this name (load it once)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set, findings := playbook.Load(tt.sources, specs)
			if set != nil || len(findings) != 1 {
				t.Fatalf("got %v, %v; want no set and one finding", set, findings)
			}
			if diff := cmp.Diff(tt.want, findings[0].String()); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	a := playbook.Source{Name: "a.yaml", Data: []byte(head + on + then)}
	b := playbook.Source{Name: "b.yaml", Data: []byte(whole)}
	changed := playbook.Source{Name: "a.yaml", Data: []byte(head + on + then + "\n")}
	renamed := playbook.Source{Name: "c.yaml", Data: a.Data}
	one := load(t, a, b)
	if other := load(t, b, a); other.Digest != one.Digest {
		t.Error("the order of the sources changes the digest")
	}
	seen := map[string]string{one.Digest: "a and b"}
	for name, set := range map[string]*playbook.Set{"a alone": load(t, a), "a changed": load(t, changed, b), "a renamed": load(t, renamed, b), "none": load(t)} {
		if owner, taken := seen[set.Digest]; taken {
			t.Errorf("%s has the digest of %s", name, owner)
		}
		seen[set.Digest] = name
	}
	if diff := cmp.Diff(map[string][]byte{"a.yaml": a.Data, "b.yaml": b.Data}, one.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestFromFS(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"runtime/a.yaml":            {Data: []byte("a")},
		"runtime/a.test.yaml":       {Data: []byte("test")},
		"host/deep/b.yml":           {Data: []byte("b")},
		"README.md":                 {Data: []byte("text")},
		".hidden/c.yaml":            {Data: []byte("c")},
		"..2026_11_26/runtime.yaml": {Data: []byte("mounted twice")},
		".d.yaml":                   {Data: []byte("d")},
	}
	got, err := playbook.FromFS(fsys, "observe")
	if err != nil {
		t.Fatal(err)
	}
	want := []playbook.Source{
		{Name: "host/deep/b.yml", Data: []byte("b"), Mode: "observe"},
		{Name: "runtime/a.yaml", Data: []byte("a"), Mode: "observe"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if _, err := playbook.FromFS(brokenFS{}, ""); err == nil {
		t.Error("a folder that cannot be read gives no error")
	}
}

// brokenFS cannot be read.
type brokenFS struct{}

func (brokenFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(head + on + then))
	f.Add([]byte("a: &a [*a]"))
	for _, m := range []string{
		"  sequence: [bruteforce, ok]\n  until: start\n  by: host.name\n  within: 1m\n",
		"  distinct: {of: fail, field: user.name, atLeast: 3}\n  by: {fail: host.name}\n  within: 1m\n",
		"  absent: {after: fail, expect: ok}\n  by: [host.name, user.name]\n  within: 1m\n",
		"  baseline: {of: load, field: container.cpu.utilization, factor: 1.5, over: 1h}\n  by: container.id\n",
		"  all: [any, start]\n",
	} {
		f.Add([]byte(head + "on:\n" + logins + "  bruteforce: {count: {of: fail, atLeast: 3}}\n  any: {any: [bruteforce, any]}\nmatch:\n" + m + told))
	}
	f.Add([]byte(head + "on: {a: {type: runtime.process.started, when: 'has(k8s.pod.labels[\"a\"])'}}\n" + then))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, findings := playbook.Load([]playbook.Source{{Name: "f.yaml", Data: data}}, specs)
		if (set == nil) != playbook.Failed(findings) {
			t.Errorf("set %v with findings %v", set, findings)
		}
		for _, f := range findings {
			if f.Line < 1 || f.Column < 1 || f.Message == "" {
				t.Errorf("a finding without place or message: %+v", f)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	source := []playbook.Source{{Name: "a.yaml", Data: []byte(whole)}}
	for b.Loop() {
		if set, findings := playbook.Load(source, specs); set == nil {
			b.Fatal(findings)
		}
	}
}

// TestParallelGroup: what a parallel asks for holds for each step within it,
// and to need it is to need all of them.
func TestParallelGroup(t *testing.T) {
	t.Parallel()
	text := head + on + `then:
  - do: container.pause
  - parallel:
      - do: evidence.capture
        when: incident.severity == "high"
      - parallel:
          - {do: notify.log, id: tell, with: {text: x}}
    id: both
    when: steps["container.pause"].state == "enforced"
    needs: [container.pause]
  - do: notify.log
    id: last
    needs: [both]
    with: {text: x}
`
	steps := load(t, playbook.Source{Name: "a.yaml", Data: []byte(text)}).Playbooks[0].Steps
	paused := `steps["container.pause"].state == "enforced"`
	capture, tell := steps[1].Parallel[0], steps[1].Parallel[1].Parallel[0]
	if want := "(" + paused + `) && (incident.severity == "high")`; capture.When != want || !slices.Equal(capture.Needs, []string{"container.pause"}) {
		t.Errorf("capture when %s, needs %v", capture.When, capture.Needs)
	}
	if tell.When != paused || !slices.Equal(tell.Needs, []string{"container.pause"}) {
		t.Errorf("tell when %s, needs %v", tell.When, tell.Needs)
	}
	if want := []string{"evidence.capture", "tell"}; !slices.Equal(steps[2].Needs, want) {
		t.Errorf("last needs %v, want %v", steps[2].Needs, want)
	}
	_, findings := playbook.Load([]playbook.Source{{Name: "a.yaml", Data: []byte(strings.Replace(text, "needs: [both]", `when: steps.both.state == "enforced"`, 1))}}, specs)
	if len(findings) == 0 {
		t.Error("a parallel has no state, and nothing says so")
	}
}

// many gives so many playbooks of eight expressions each, no two the same.
func many(count int) []playbook.Source {
	sources := make([]playbook.Source, count)
	for n := range sources {
		text := strings.Replace(whole, "name: miner\n", fmt.Sprintf("name: miner-%d\n", n), 1)
		text = strings.ReplaceAll(text, "xmrig", fmt.Sprintf("xmrig-%d", n))
		sources[n] = playbook.Source{Name: fmt.Sprintf("%05d.yaml", n), Data: []byte(text)}
	}
	return sources
}

func TestLoadMany(t *testing.T) {
	t.Parallel()
	set := load(t, many(500)...)
	if len(set.Playbooks) != 500 {
		t.Fatalf("%d playbooks, want 500", len(set.Playbooks))
	}
	// What is compiled once for all must still be each one's own.
	for n, p := range set.Playbooks {
		name := fmt.Sprintf("xmrig-%s", strings.TrimPrefix(p.Name, "miner-"))
		got, err := p.Signals[0].When.Bool(map[string]any{"process": map[string]any{"executable": map[string]any{"name": name}}})
		if err != nil || !got {
			t.Fatalf("playbook %d (%s) gives %v, %v of %s", n, p.Name, got, err, name)
		}
	}
}

// BenchmarkLoadMany loads the largest set that anybody would have.
func BenchmarkLoadMany(b *testing.B) {
	sources := many(10_000)
	for b.Loop() {
		if set, findings := playbook.Load(sources, specs); set == nil {
			b.Fatal(findings)
		}
	}
}
