package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas/schemastest"
	"firebreak/services/workshop/format"
)

// TestTheSamplesTellWhatTheReadmeSays: the recorded events beside the guides
// are valid, and the library answers to them as is written there.
func TestTheSamplesTellWhatTheReadmeSays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, as string
		want     []string
	}{
		{"intrusion.ndjson", format.CloudEvents, []string{
			"version-tag-moved", "moved-version-runs", "shell-from-server", "reverse-shell",
			"token-stolen-and-used", "pod-token-by-hand", "cluster-admin-bound", "host-file-from-container",
		}},
		{"audit.ndjson", format.Audit, []string{
			"secrets-listed-everywhere", "wildcard-role", "host-namespaces", "privileged-pod", "pod-made-for-a-session", "exec-into-pod",
		}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("..", "..", "docs", "samples", tt.file)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			events, err := format.Text(tt.as, raw, format.Options{Source: "/sample"})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				schemastest.Valid(t, e)
			}
			out, errOut, code := author(t, "", "playbook", "replay", "--json", "--as", tt.as, path)
			if code != exitOK {
				t.Fatalf("exit %d: %s%s", code, out, errOut)
			}
			var got []string
			for line := range strings.Lines(out) {
				var incident struct{ Playbook string }
				if err := json.Unmarshal([]byte(line), &incident); err != nil {
					t.Fatal(err)
				}
				if incident.Playbook != "" {
					got = append(got, incident.Playbook)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("incidents (-want +got):\n%s", diff)
			}
		})
	}
}
