package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func answer(r Result) func(context.Context) Result {
	return func(context.Context) Result { return r }
}

func TestRunKeepsTheOrderAndTheWorst(t *testing.T) {
	tests := []struct {
		name   string
		states []State
		want   State
		code   int
	}{
		{"nothing to check", nil, OK, 0},
		{"all well", []State{OK, OK}, OK, 0},
		{"a warning is no failure", []State{OK, Warn, OK}, Warn, 0},
		{"one failure counts", []State{Fail, Warn, OK}, Fail, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var checks []Check
			for i, s := range tt.states {
				checks = append(checks, Check{Name: string(rune('a' + i)), Run: answer(Result{State: s, Detail: "d"})})
			}
			report := Run(t.Context(), checks, 0)
			if report.State != tt.want || report.ExitCode() != tt.code {
				t.Errorf("state %s, exit %d; want %s, %d", report.State, report.ExitCode(), tt.want, tt.code)
			}
			var states []State
			for _, f := range report.Checks {
				states = append(states, f.State)
			}
			if diff := cmp.Diff(tt.states, states); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A check that honours ctx says itself what hung; one below which the kernel
// hangs is given up, and the others still answer.
func TestRunNeverHangs(t *testing.T) {
	release := make(chan struct{})
	ended := make(chan struct{})
	checks := []Check{
		{"waits for ctx", func(ctx context.Context) Result {
			<-ctx.Done()
			return fail("", "%v", ctx.Err())
		}},
		{"hears nothing", func(context.Context) Result {
			defer close(ended)
			<-release
			return ok("late")
		}},
		{"well", answer(ok("here"))},
	}
	report := Run(t.Context(), checks, 10*time.Millisecond)
	close(release)
	<-ended
	got := []string{report.Checks[0].Detail, string(report.Checks[1].State), report.Checks[2].Detail}
	if diff := cmp.Diff([]string{context.DeadlineExceeded.Error(), "fail", "here"}, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(report.Checks[1].Detail, "no answer within") {
		t.Errorf("detail %q", report.Checks[1].Detail)
	}
}

func TestReportAsTableAndJSON(t *testing.T) {
	report := Run(t.Context(), []Check{
		{"kernel", answer(ok("6.1 with BTF"))},
		{"other", answer(warn("do this", "a\x1b[2Jb\nc"))},
	}, 0)
	var table bytes.Buffer
	if err := report.WriteTable(&table, false); err != nil {
		t.Fatal(err)
	}
	want := "ok    kernel  6.1 with BTF\n" +
		"warn  other   a [2Jb c\n" +
		"              → do this\n"
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Error(diff)
	}
	raw, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON := `{"state":"warn","checks":[{"name":"kernel","state":"ok","detail":"6.1 with BTF"},{"name":"other","state":"warn","detail":"a\u001b[2Jb\nc","remedy":"do this"}]}`
	if diff := cmp.Diff(wantJSON, string(raw)); diff != "" {
		t.Error(diff)
	}
	var coloured bytes.Buffer
	if err := report.WriteTable(&coloured, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(coloured.String(), "\x1b[32mok  \x1b[0m") {
		t.Errorf("no colour: %q", coloured.String())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestTableSaysThatItCannotPrint(t *testing.T) {
	if err := (Report{Checks: []Finding{{Name: "x"}}}).WriteTable(brokenWriter{}, false); err == nil {
		t.Error("no error")
	}
}

// What is not configured is not looked at; what is, is, and every remedy is a
// sentence for a person.
func TestChecksFollowTheConfiguration(t *testing.T) {
	names := func(c Config) []string {
		var all []string
		for _, check := range Checks(c) {
			all = append(all, check.Name)
		}
		return all
	}
	want := []string{"privileges", "kernel", "cgroups", "runc", "clock", "limits"}
	if diff := cmp.Diff(want, names(Config{})); diff != "" {
		t.Error(diff)
	}
	full := Config{
		DataDir: t.TempDir(), Containerd: "/nowhere/containerd.sock",
		ExecProbe: func() Sensor { return Sensor{Mode: "bpf"} },
		Playbooks: func(context.Context) (Lint, error) { return Lint{Playbooks: 1}, nil },
	}
	if got := names(full); len(got) != 12 {
		t.Errorf("%d checks: %v", len(got), got)
	}
	report := Run(t.Context(), Checks(full), 0)
	for _, f := range report.Checks {
		if f.State != OK && f.Remedy == "" {
			t.Errorf("%s: %s (%s) has no remedy", f.Name, f.State, f.Detail)
		}
	}
	i := slices.IndexFunc(report.Checks, func(f Finding) bool { return f.Name == "containerd" })
	if report.Checks[i].State != Fail {
		t.Errorf("a missing containerd is %s", report.Checks[i].State)
	}
}

func TestPlaybooks(t *testing.T) {
	for _, tt := range []struct {
		name string
		lint Lint
		err  error
		want State
	}{
		{"clean", Lint{Playbooks: 3}, nil, OK},
		{"none", Lint{}, nil, Warn},
		{"warnings", Lint{Playbooks: 3, Warnings: 1, First: "a.yaml:3: unguarded"}, nil, Warn},
		{"errors", Lint{Playbooks: 3, Errors: 1, First: "a.yaml:3: unknown key"}, nil, Fail},
		{"only errors", Lint{Errors: 1}, nil, Fail},
		{"unreadable", Lint{}, errors.New("permission denied"), Fail},
	} {
		got := playbooks(t.Context(), func(context.Context) (Lint, error) { return tt.lint, tt.err })
		if got.State != tt.want {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
}

func TestSensor(t *testing.T) {
	denied := errors.New("bpf: operation not permitted")
	for _, tt := range []struct {
		name  string
		found Sensor
		want  State
		said  string
	}{
		{"eBPF", Sensor{Mode: "bpf"}, OK, "by bpf"},
		{"proc connector", Sensor{Mode: "proc", Lost: "short processes", Why: denied, Remedy: "run as root"}, Warn, "short processes; eBPF: bpf: operation not permitted"},
		{"neither", Sensor{Mode: "auto", Lost: "all", Why: denied, Remedy: "run as root"}, Fail, "no process can be seen"},
		{"nothing said", Sensor{Why: denied, Remedy: "run as root"}, Fail, "no process can be seen"},
	} {
		got := sensor(func() Sensor { return tt.found })
		if got.State != tt.want || !strings.Contains(got.Detail, tt.said) || got.Remedy != tt.found.Remedy {
			t.Errorf("%s: %+v, want %s with %q", tt.name, got, tt.want, tt.said)
		}
	}
}
