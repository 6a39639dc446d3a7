package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSchemasForEditors: both are JSON, and what `new` writes points to them
// where they are, and passes as it does without.
func TestSchemasForEditors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for file, args := range map[string][]string{
		playbookSchemaFile: {"playbook", "schema"},
		testSchemaFile:     {"playbook", "schema", "--tests"},
	} {
		out, errOut, code := author(t, "", args...)
		if code != exitOK || !json.Valid([]byte(out)) {
			t.Fatalf("%v: exit %d: %s%s", args, code, out, errOut)
		}
		writeText(t, filepath.Join(dir, file), out)
	}
	if out, errOut, code := author(t, "", "playbook", "new", "mine", "--dir", dir); code != exitOK {
		t.Fatalf("new: exit %d: %s%s", code, out, errOut)
	}
	for file, schema := range map[string]string{"mine.yaml": playbookSchemaFile, "mine.test.yaml": testSchemaFile} {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if want := "# yaml-language-server: $schema=" + schema + "\n"; !strings.HasPrefix(string(raw), want) {
			t.Errorf("%s begins with %.60q, want %q", file, raw, want)
		}
	}
	if out, errOut, code := author(t, "", "playbook", "lint", "--strict", dir); code != exitOK {
		t.Errorf("lint: exit %d: %s%s", code, out, errOut)
	}
	if out, errOut, code := author(t, "", "playbook", "fmt", "--check", dir); code != exitOK {
		t.Errorf("fmt: exit %d: %s%s", code, out, errOut)
	}
	if out, errOut, code := author(t, "", "playbook", "test", dir); code != exitOK {
		t.Errorf("test: exit %d: %s%s", code, out, errOut)
	}
}
