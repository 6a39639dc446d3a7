package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/workshop/replay"
)

// guess is a playbook over failed logins, from its match on.
func guess(t *testing.T, dir, match, mode string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), dir)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	text := `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: guessing, summary: Somebody guesses a password, arena: host, severity: high}
on:
  fail: {type: host.login.failed}
match: ` + match + `
once: 1h
guard: {mode: ` + mode + `}
then:
  - do: notify.log
    with: {text: "${signals.fail.user.name}"}
`
	if err := os.WriteFile(filepath.Join(path, "guessing.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const three = "{count: {of: fail, atLeast: 3}, by: user.name, within: 5m}"

// failures are failed logins, one a second.
func failures(users ...string) string {
	var b strings.Builder
	for n, u := range users {
		fmt.Fprintf(&b, `{"specversion":"1.0","id":"e%d","source":"/c/n1/logins","type":"firebreak.host.login.failed","time":"2026-03-04T05:06:%02dZ","data":{"host":{"name":"n1"},"user":{"name":%q}}}`+"\n", n+1, n, u)
	}
	return b.String()
}

func eventsFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	raw := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		raw = b.Bytes()
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cli runs a command line apart from any configuration of this machine.
func cli(t *testing.T, in string, args ...string) (out, errOut string, code int) {
	t.Helper()
	cfg := filepath.Join(t.TempDir(), "firebreak.yaml")
	if err := os.WriteFile(cfg, []byte("library: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	code = execute(t.Context(), append(args, "--config", cfg), strings.NewReader(in), &o, &e)
	return o.String(), e.String(), code
}

// timing is what differs from run to run.
var timing = regexp.MustCompile(`in [0-9.]+ s \([0-9,]+/s\)|"seconds":[^,]+,"events_per_second":[^,]+`)

func TestReplayShowsIncidents(t *testing.T) {
	dir := guess(t, "a", three, "enforce")
	text := failures("root", "anna", "root", "root", "anna")
	want := `2026-03-04T05:06:03.000Z  high      guessing  root
    notify.log

5 events TIME: 1 incident, 0 recurrences
  events      host.login.failed 5
  incidents   guessing 1
`
	for _, name := range []string{"e.ndjson", "e.ndjson.gz", "-"} {
		file := name
		if name != "-" {
			file = eventsFile(t, name, text)
		}
		out, errOut, code := cli(t, text, "playbook", "replay", "--playbooks", dir, "--library=false", file)
		if diff := cmp.Diff(want, timing.ReplaceAllString(out, "TIME")); diff != "" || code != exitOK || errOut != "" {
			t.Errorf("%s: exit %d, %q (-want +got):\n%s", name, code, errOut, diff)
		}
	}
	out, _, code := cli(t, "", "playbook", "replay", "--playbooks", dir, "--library=false", "--json", eventsFile(t, "e", text))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || code != exitOK {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	var in struct {
		Playbook, Severity, Group, Mode, At string
		Trigger                             struct{ ID string }
		Steps                               []struct {
			Do      string
			Targets []struct {
				Would string
				With  map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &in); err != nil {
		t.Fatal(err)
	}
	if in.Playbook != "guessing" || in.Group != "root" || in.Mode != "enforce" || in.Trigger.ID != "e4" || in.At != "2026-03-04T05:06:03Z" ||
		len(in.Steps) != 1 || in.Steps[0].Targets[0].Would != "act" || in.Steps[0].Targets[0].With["text"] != "root" {
		t.Errorf("incident: %s", lines[0])
	}
	var sum map[string]any
	if err := json.Unmarshal([]byte(lines[1]), &sum); err != nil {
		t.Fatal(err)
	}
	seconds, _ := sum["seconds"].(float64)
	rate, _ := sum["events_per_second"].(float64)
	if sum["events"] != 5.0 || sum["incidents"] != 1.0 || seconds <= 0 || rate <= 0 {
		t.Errorf("summary: %s", lines[1])
	}
}

func TestReplayTellsOfBadLines(t *testing.T) {
	dir := guess(t, "a", three, "enforce")
	text := failures("root", "root") + "no\n" + strings.Repeat("{}\n", 11) + failures("root", "root", "root")[len(failures("root", "root")):]
	file := eventsFile(t, "e", text)
	out, errOut, code := cli(t, "", "playbook", "replay", "--playbooks", dir, "--library=false", file)
	if code != exitFailed || !strings.Contains(out, "1 incident") || !strings.Contains(out, "bad         12 lines that are no event") ||
		!strings.Contains(errOut, file+":3: CloudEvent: invalid: byte 0: want an object") || strings.Count(errOut, file) != 10 ||
		!strings.HasSuffix(errOut, "firebreak: 12 lines could not be taken; the others were replayed\n") {
		t.Errorf("exit %d:\n%s\n%s", code, out, errOut)
	}
	out, errOut, code = cli(t, "", "playbook", "replay", "--strict", "--playbooks", dir, "--library=false", file)
	if code != exitFailed || !strings.Contains(errOut, ":3: ") || strings.Contains(errOut, ":4: ") || strings.Contains(out, "1 incident") {
		t.Errorf("strict: exit %d:\n%s\n%s", code, out, errOut)
	}
}

func TestReplayUsage(t *testing.T) {
	dir := guess(t, "a", three, "enforce")
	file := eventsFile(t, "e", failures("root"))
	falco := eventsFile(t, "f", `{"rule":"r","priority":"Notice","output":"x","time":"2026-03-04T05:06:07Z","output_fields":{}}`)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no file with events is given"},
		{[]string{"--from-log", file}, "--from-log reads the log"},
		{[]string{"--check", file}, "go with --from-log"},
		{[]string{"--from-log", "--check", "--until", "1h"}, "it goes with --since alone"},
		{[]string{"--from-log", "--export", "x", "--playbooks", dir}, "--export writes events"},
		{[]string{"--as", "k8s-audti", file}, "did you mean k8s-audit?"},
		{[]string{"-", "-"}, "can be read once"},
		{[]string{"--since", "yesterday", file}, `--since "yesterday": want a time`},
		{[]string{"--since", "1h", "--until", "2h", file}, "is not before"},
		{[]string{filepath.Join(dir, "none")}, "there is no "},
		{[]string{dir}, "is a folder"},
		{[]string{falco, "--playbooks", dir, "--library=false"}, "use --as falco"},
		{[]string{file, "--playbooks", dir, "--library=false", "--playbook", "guesing"}, "did you mean guessing?"},
		{[]string{file, "--library=false"}, "there is no playbook"},
		{[]string{file, "--playbooks", filepath.Join(dir, "none")}, "there is no "},
		{[]string{file, "--playbooks", guess(t, "bad", "{cuont: 1}", "enforce"), "--library=false"}, "guessing.yaml:6:"},
	} {
		out, errOut, code := cli(t, "", append([]string{"playbook", "replay"}, c.args...)...)
		if code != exitUsage || !strings.Contains(errOut, c.want) || out != "" {
			t.Errorf("%v: exit %d, want %q in:\n%s%s", c.args, code, c.want, out, errOut)
		}
	}
}

// TestReplayRunsTheLibrary: with every playbook in its own mode.
func TestReplayRunsTheLibrary(t *testing.T) {
	out, errOut, code := cli(t, "", "playbook", "replay", "--json", eventsFile(t, "e", failures(strings.Split(strings.Repeat("root,", 50), ",")...)))
	if code != exitOK || !strings.Contains(out, `"events":51`) {
		t.Errorf("exit %d:\n%s%s", code, out, errOut)
	}
}

func TestReplayAgainst(t *testing.T) {
	two := strings.Replace(three, "3", "2", 1)
	old, same, mode, fewer := guess(t, "old", three, "enforce"), guess(t, "same", three, "enforce"), guess(t, "mode", three, "observe"), guess(t, "two", two, "enforce")
	file := eventsFile(t, "e", failures("root", "anna", "root", "anna", "root"))
	for _, c := range []struct {
		name, dir string
		code      int
		want      string
	}{
		{"the same", same, exitOK, "\n5 events TIME: 1 incident and 1 against: 1 the same, 0 gained, 0 lost, 0 answered otherwise\n"},
		{"another mode", mode, exitFailed, `guessing
  ~ 2026-03-04T05:06:04.000Z  root  notify.log
      mode: observe → enforce
      notify.log: plan → act

5 events TIME: 1 incident and 1 against: 0 the same, 0 gained, 0 lost, 1 answered otherwise
`},
		{"an earlier event", fewer, exitFailed, `guessing
  - 2026-03-04T05:06:03.000Z  anna  notify.log
  ~ 2026-03-04T05:06:04.000Z  root  notify.log
      opened at: 2026-03-04T05:06:04Z → 2026-03-04T05:06:02Z

5 events TIME: 1 incident and 2 against: 0 the same, 0 gained, 1 lost, 1 answered otherwise
`},
	} {
		first, second := old, c.dir
		if c.name == "another mode" {
			first, second = c.dir, old
		}
		out, errOut, code := cli(t, "", "playbook", "replay", "--library=false", "--playbooks", first, "--against", second, file)
		if diff := cmp.Diff(c.want, timing.ReplaceAllString(out, "TIME")); diff != "" || code != c.code || errOut != "" {
			t.Errorf("%s: exit %d, %q (-want +got):\n%s", c.name, code, errOut, diff)
		}
	}
	out, _, code := cli(t, "", "playbook", "replay", "--library=false", "--json", "--playbooks", old, "--against", fewer, file)
	if code != exitFailed || !strings.Contains(out, `{"difference":"second","playbook":"guessing","group":"anna"`) || !strings.Contains(out, `"only_second":1,"changed":1`) {
		t.Errorf("json: exit %d:\n%s", code, out)
	}
}

// TestReplayOfTheLogIsLive: of a whole pipeline, and of the file that its log
// is exported to.
func TestReplayOfTheLogIsLive(t *testing.T) {
	r := newRig(t, "")
	run := r.container("victim-" + r.namespace)
	r.run()
	r.trigger(run, "xmrig")
	v := r.until("miner", run.ID, "enforced")
	out, code := r.firebreak("playbook", "replay", "--from-log", "--check")
	if code != exitOK || !strings.Contains(out, "live and replay agree (1 incidents)") || !strings.Contains(out, "miner  "+run.ID) {
		t.Errorf("exit %d:\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "log.ndjson.gz")
	if out, code = r.firebreak("playbook", "replay", "--from-log", "--export", file); code != exitOK {
		t.Fatalf("export: exit %d:\n%s", code, out)
	}
	if out, code = r.firebreak("playbook", "replay", "--from-log", "--export", file); code != exitUsage {
		t.Errorf("over a file that is there: exit %d:\n%s", code, out)
	}
	out, code = r.firebreak("playbook", "replay", "--json", "--library=false", "--playbooks", filepath.Join(r.dir, "playbooks"), file)
	if code != exitOK || !strings.Contains(out, `{"id":"`+v.ID+`"`) || !strings.Contains(out, `"incidents":1,`) {
		t.Errorf("of the file: exit %d:\n%s", code, out)
	}
	out, code = r.firebreak("playbook", "replay", "--from-log", "--library=false", "--playbooks", filepath.Join(r.dir, "playbooks"), "--until", "1h")
	if code != exitOK || !strings.Contains(out, "0 incidents") {
		t.Errorf("of an hour ago: exit %d:\n%s", code, out)
	}
}

// TestReplayDoesNotAgree: a ledger that says something else than its log.
func TestReplayDoesNotAgree(t *testing.T) {
	b := bustest.New()
	b.Now = func() time.Time { return time.Date(2026, 3, 4, 5, 6, 10, 0, time.UTC) }
	node, core := b.Client("node-n1", ""), b.Client("core", "")
	for n := range 3 {
		if _, err := node.Publish(t.Context(), schemas.Event{
			ID: fmt.Sprint(n), Source: "/c/n1/logins", Type: schemas.LoginFailed, Time: b.Now(), Data: []byte(`{"host":{"name":"n1"},"user":{"name":"root"}}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	rec, err := schemas.NewRecord("made-up", schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, b.Now(), schemas.Opened{
		Playbook: schemas.Playbook{Name: "guessing"}, Group: "anna", Trigger: schemas.EventRef{ID: "x", Time: b.Now(), Seq: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := core.Append(t.Context(), rec, schemas.Head{}); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(t.TempDir(), "firebreak.yaml")
	if err := os.WriteFile(cfg, []byte("library: false\nplaybooks: ["+guess(t, "a", three, "enforce")+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{false, true} {
		var out, errOut bytes.Buffer
		sh := &shell{out: &out, err: &errOut, config: cfg, json: asJSON}
		r := newReplayer(sh, &replayAsk{log: true, check: true})
		err := r.readLog(t.Context(), logOf(blobless{b.Client("people", "")}, func() {}), true)
		if !errors.Is(err, errFound) || !strings.Contains(errOut.String(), "does not say which playbooks were in force") {
			t.Fatalf("%v: %s", err, errOut.String())
		}
		want := []string{"live alone opened made-up: guessing  anna (event 2)", "the replay alone opened ", "do not agree: 1 live alone, 1 in the replay alone"}
		if asJSON {
			want = []string{`{"disagrees":"live-only","id":"made-up"`, `{"disagrees":"replay-only"`, `"check":{"live":1,"replayed":1,"same":0,`}
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("want %q in:\n%s", w, out.String())
			}
		}
	}
}

// blobless is a bus in memory, without blobs.
type blobless struct{ *bustest.Client }

func (blobless) Blob(context.Context, string) (io.ReadCloser, error) { return nil, schemas.ErrAbsent }

func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	bar := newProgressBar(&out)
	run := replay.New(replay.Config{})
	bar.show(1, 1, 1, run)
	if bar.clear(); out.Len() > 0 {
		t.Errorf("nobody looks, and it says %q", out.String())
	}
	bar.to = &out
	bar.show(1_234_567, 3<<20, 12<<20, run)
	bar.show(2_000_000, 4<<20, 12<<20, run) // too soon after
	bar.clear()
	bar.clear()
	got := regexp.MustCompile(`[0-9,]+/s`).ReplaceAllString(out.String(), "R/s")
	if want := "\r\x1b[K 25 %  3 of 12 MiB  1,234,567 events  R/s  0 incidents\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
