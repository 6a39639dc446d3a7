package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	"firebreak/services/telemetry"
)

func logger(t *testing.T, out *bytes.Buffer, c telemetry.Config) *slog.Logger {
	t.Helper()
	log, err := telemetry.New(out, c)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []telemetry.Config{{Level: "loud"}, {Format: "xml"}} {
		if _, err := telemetry.New(&bytes.Buffer{}, c); err == nil {
			t.Errorf("New(%+v) gave no error", c)
		}
	}
}

func TestLevels(t *testing.T) {
	for level, want := range map[string]string{
		"debug": "d i w e", "": "i w e", "info": "i w e", "WARN": "w e", "error": "e",
	} {
		var out bytes.Buffer
		log := logger(t, &out, telemetry.Config{Level: level, Format: "json"})
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		log.Error("e")
		var got []string
		for line := range strings.Lines(out.String()) {
			var m struct {
				Msg string `json:"msg"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Msg)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("level %q: %s", level, diff)
		}
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"plain", func(l *slog.Logger) { l.Info("contained", "id", "c1", "n", 3) }, "INFO  contained id=c1 n=3\n"},
		{"quoted", func(l *slog.Logger) { l.Warn("x", "err", errors.New(`no "socket" here`)) }, "WARN  x err=\"no \\\"socket\\\" here\"\n"},
		{"empty", func(l *slog.Logger) { l.Info("x", "v", "") }, "INFO  x v=\"\"\n"},
		{
			"terminal escapes", func(l *slog.Logger) { l.Error("a\x1b[2Jb\nc", "arg", "\x1b]0;t\x07", "k\n", 1) },
			"ERROR a\\x1b[2Jb\\nc arg=\"\\x1b]0;t\\a\" k\\n=1\n",
		},
		{"right-to-left override", func(l *slog.Logger) { l.Info("a\u202eb") }, "INFO  a\\u202eb\n"},
		{"groups", func(l *slog.Logger) {
			l.With("a", 1).WithGroup("g").With("b", 2).Info("x", slog.Group("h", "c", 3), slog.Group("", "d", 4))
		}, "INFO  x a=1 g.b=2 g.h.c=3 g.d=4\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.log(logger(t, &out, telemetry.Config{Format: "text"}))
			_, line, _ := strings.Cut(out.String(), " ") // without the time
			if diff := cmp.Diff(tt.want, line); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Away from a terminal a log is for programs.
func TestAutoIsJSONAwayFromATerminal(t *testing.T) {
	var out bytes.Buffer
	logger(t, &out, telemetry.Config{}).Info("x")
	if !json.Valid(out.Bytes()) {
		t.Errorf("not JSON: %q", out.String())
	}
}

func TestNoSecretIsWritten(t *testing.T) {
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed := string(raw)
	pem := "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----"
	tests := []struct {
		name   string
		log    func(*slog.Logger)
		secret string
	}{
		{"seed under any name", func(l *slog.Logger) { l.Info("x", "value", seed) }, seed},
		{"seed in the message", func(l *slog.Logger) { l.Info("read " + seed) }, seed},
		{"seed within an error", func(l *slog.Logger) { l.Info("x", "err", fmt.Errorf("key %s: bad", seed)) }, seed},
		{"seed within a struct", func(l *slog.Logger) { l.Info("x", "v", struct{ A []string }{[]string{seed}}) }, seed},
		{"seed gathered by With", func(l *slog.Logger) { l.With("v", seed).WithGroup("g").Info("x") }, seed},
		{"named password", func(l *slog.Logger) { l.Info("x", "db_password", "hunter2") }, "hunter2"},
		{"named in a group", func(l *slog.Logger) { l.Info("x", slog.Group("g", "api-key", "hunter2")) }, "hunter2"},
		{"named token in With", func(l *slog.Logger) { l.With("Token", "hunter2").Info("x") }, "hunter2"},
		{"URL", func(l *slog.Logger) { l.Info("x", "url", "nats://joe:hunter2@nats.example:4222") }, "hunter2"},
		{"header", func(l *slog.Logger) { l.Info("sent Authorization: Bearer abcdef0123456789") }, "abcdef0123456789"},
		{"PEM", func(l *slog.Logger) { l.Info("x", "pem", pem) }, "MHcCAQEE"},
	}
	for _, format := range []string{"text", "json"} {
		for _, tt := range tests {
			t.Run(format+"/"+tt.name, func(t *testing.T) {
				var out bytes.Buffer
				log := logger(t, &out, telemetry.Config{Format: format})
				tt.log(log)
				log.Info("next", "public", public)
				if strings.Contains(out.String(), tt.secret) {
					t.Errorf("the secret was written: %s", out.String())
				}
				if !strings.Contains(out.String(), "[masked]") {
					t.Errorf("nothing says that something was masked: %s", out.String())
				}
				if n := strings.Count(out.String(), "\n"); n != 2 {
					t.Errorf("%d lines, want 2: %q", n, out.String())
				}
				if !strings.Contains(out.String(), public) {
					t.Errorf("a public key was masked: %s", out.String())
				}
			})
		}
	}
}

// The text handler keeps slog's own rules, as far as text can show them.
func TestHandlerRules(t *testing.T) {
	var out bytes.Buffer
	log := logger(t, &out, telemetry.Config{Format: "json"})
	err := slogtest.TestHandler(log.Handler(), func() []map[string]any {
		var all []map[string]any
		for line := range strings.Lines(out.String()) {
			m := map[string]any{}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
}

// Lines of many goroutines do not run into one another.
func TestConcurrentLinesStayWhole(t *testing.T) {
	var out bytes.Buffer
	log := logger(t, &out, telemetry.Config{Format: "text"})
	var all sync.WaitGroup
	for i := range 8 {
		child := log.With("worker", i)
		all.Go(func() {
			for range 50 {
				child.Info("line")
			}
		})
	}
	all.Wait()
	n := 0
	for line := range strings.Lines(out.String()) {
		n++
		if _, rest, _ := strings.Cut(line, " "); !strings.HasPrefix(rest, "INFO  line worker=") {
			t.Fatalf("broken line %q", line)
		}
	}
	if n != 400 {
		t.Errorf("%d lines, want 400", n)
	}
}
