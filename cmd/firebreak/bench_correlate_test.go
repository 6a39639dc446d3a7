package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBenchCorrelate takes every measure with a few events, the killed process
// included.
func TestBenchCorrelate(t *testing.T) {
	t.Setenv("TEST_AS_FIREBREAK", "1") // what the benchmark starts is this binary
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	if code := execute(ctx, []string{"bench", "correlate", "--json", "--scale", "0.0005"}, strings.NewReader(""), &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, errOut.String())
	}
	var names []string
	lines := map[string]map[string]any{}
	for line := range strings.Lines(out.String()) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		name, _ := one["measure"].(string)
		names, lines[name] = append(names, name), one
	}
	if diff := cmp.Diff(append(append([]string{}, measures...), "summary"), names); diff != "" {
		t.Fatal(diff)
	}
	for _, figure := range [][2]string{
		{"recovery", "seconds"},
		{"recovery", "empty_start_seconds"},
		{"recovery", "filled_events_per_second"},
		{"latency", "p50_ms"},
		{"pipeline", "ratio"},
		{"replay", "seconds"},
		{"match", "bytes_per_event"},
		{"hostile", "worst_event_ms"},
	} {
		if v, ok := lines[figure[0]][figure[1]].(float64); !ok || v <= 0 {
			t.Errorf("%s: %s is %v", figure[0], figure[1], lines[figure[0]][figure[1]])
		}
	}
	if targets, ok := lines["summary"]["targets"].([]any); !ok || len(targets) < 15 {
		t.Errorf("summary: %v", lines["summary"])
	}
}

func TestBenchCorrelateForPeople(t *testing.T) {
	var out, errOut bytes.Buffer
	code := execute(t.Context(), []string{"bench", "correlate", "--only", "match,windows,hostile", "--scale", "0.001", "--seed", "7"}, strings.NewReader(""), &out, &errOut)
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, errOut.String())
	}
	for _, want := range []string{"encoding/json into a map", "largest set to smallest", "hot p50 µs", "hostile event", "duplicate keys", "target"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestBenchCorrelateUsage(t *testing.T) {
	for _, args := range [][]string{{"--only", "nonsense"}, {"--scale", "0"}, {"--scale", "1.5"}, {"--scale", "NaN"}, {"more"}} {
		var out, errOut bytes.Buffer
		if code := execute(t.Context(), append([]string{"bench", "correlate"}, args...), strings.NewReader(""), &out, &errOut); code != exitUsage {
			t.Errorf("%v: exit code %d: %s%s", args, code, out.String(), errOut.String())
		}
	}
}

func TestGrouped(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.4: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := grouped(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}
