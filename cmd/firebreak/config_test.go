package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "firebreak.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigDefaultsAndPaths(t *testing.T) {
	path := write(t, `
data_dir: ./data
node_name: n1
library: false
playbooks: [./mine, /etc/playbooks]
bus: {sync: always}
runtime:
  containerd: {address: /c.sock, namespaces: [k8s.io]}
`)
	got, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := config{
		DataDir: filepath.Join(dir, "data"), ClusterName: "local", NodeName: "n1", Library: "false",
		Playbooks: []string{filepath.Join(dir, "mine"), "/etc/playbooks"},
		Bus:       busConfig{Listen: "127.0.0.1:0", Sync: "always"},
		Runtime:   runtimeConfig{Containerd: containerdConfig{Address: "/c.sock", Namespaces: []string{"k8s.io"}}, Exec: "auto"},
		Log:       logConfig{Level: "info", Format: "auto"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConfigVariablesAreAboveTheFile(t *testing.T) {
	t.Setenv("FIREBREAK_BUS_SYNC", "always")
	t.Setenv("FIREBREAK_RUNTIME_CONTAINERD_ADDRESS", "/other.sock")
	got, err := loadConfig(write(t, "bus: {sync: interval}\nnode_name: n\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bus.Sync != "always" || got.Runtime.Containerd.Address != "/other.sock" {
		t.Errorf("got %q and %q", got.Bus.Sync, got.Runtime.Containerd.Address)
	}
}

func TestConfigErrorsSayWhere(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown":       {"data_dri: x\n", `:1:1: unknown key "data_dri" (did you mean "data_dir"?)`},
		"unknown below": {"bus:\n  urll: x\n", `:2:3: unknown key "bus.urll" (did you mean "bus.url"?)`},
		"scalar":        {"bus: 3\n", ":1:6: bus wants keys and values here"},
		"not yaml":      {"a: [\n", "yaml: line"},
		"value":         {"library: maybe\n", `library is "maybe"; it can be observe, enforce, false`},
		"sync":          {"bus: {sync: often}\n", `bus.sync is "often"`},
		"url alone":     {"bus: {url: nats://127.0.0.1:4222}\n", "bus.nkey"},
		"tls half":      {"bus: {tls: {cert: a}}\n", "both cert and key"},
		"twice":         {"data_dir: a\ndata_dir: b\n", "already defined"},
		"type":          {"playbooks: {a: b}\n", "playbooks"},
		"no namespaces": {"runtime: {containerd: {namespaces: []}}\n", "namespaces is empty"},
		"second":        {"library: observe\n---\nlibrary: enforce\n", ":2: a second document"},
		"empty folder":  {"playbooks: ['']\n", "no empty name"},
		"top":           {"- a\n", "wants keys and values here"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig(write(t, c.text))
			var usage usageError
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &usage) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestConfigRefusesUnknownVariables(t *testing.T) {
	t.Setenv("FIREBREAK_DATADIR", "x")
	_, err := loadConfig(write(t, ""))
	if err == nil || !strings.Contains(err.Error(), `unknown variable FIREBREAK_DATADIR (did you mean "FIREBREAK_DATA_DIR"?)`) {
		t.Errorf("got %v", err)
	}
}

func TestEveryKeyIsDocumentedAndHasADefault(t *testing.T) {
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys() {
		if _, ok := configDefaults[k]; !ok {
			t.Errorf("%s has no default", k)
		}
		if !strings.Contains(string(doc), "`"+k+"`") {
			t.Errorf("docs/configuration.md does not explain `%s`", k)
		}
	}
	if len(configDefaults) != len(keys()) {
		t.Errorf("%d defaults for %d keys", len(configDefaults), len(keys()))
	}
}
