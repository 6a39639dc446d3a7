package services_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "firebreak/"

// arrow says what the packages below from may import of the module. "x" is that
// package alone, "x/..." it and what lies below; "..." is everything.
type arrow struct {
	from string
	to   []string
}

// arrows are looked through from the top; the first that fits holds. Tests are
// free: they use services/lab and services/bus/bustest.
var arrows = []arrow{
	{"schemas/...", []string{"schemas/..."}},
	{"playbooks/...", nil},
	{"deploy/...", nil},
	{"cmd/...", []string{"..."}},
	{"services", nil}, // these tests

	{"services/playbook/...", []string{"schemas", "services/playbook/..."}},
	{"services/incident/...", []string{"schemas", "services/incident/..."}},
	{"services/correlator/engine/...", []string{"schemas", "schemas/intake", "services/playbook/...", "services/incident", "services/correlator/engine/..."}},
	{"services/correlator/...", []string{"schemas", "schemas/intake", "services/playbook/...", "services/incident", "services/correlator/...", "services/lease"}},
	{"services/conductor/decide/...", []string{"schemas", "services/playbook/...", "services/incident", "services/conductor/decide/..."}},
	{"services/conductor/...", []string{"schemas", "services/playbook/...", "services/incident", "services/conductor/...", "services/lease"}},
	{"services/workshop/...", []string{
		"schemas", "schemas/intake", "services/workshop/...", "services/playbook/...", "services/incident",
		"services/correlator/engine/...", "services/conductor/decide/...",
		"services/collector/cluster/decode", "services/collector/registry/decode", "services/collector/gateway/decode",
	}},

	{"services/responder/action/...", []string{"schemas", "services/responder", "services/responder/action/..."}},
	{"services/responder/conformance/...", []string{"schemas", "services/responder/...", "services/incident", "services/bus/bustest"}},
	{"services/responder/...", []string{"schemas", "services/incident", "services/responder", "services/responder/guardrail/...", "services/lease"}},
	{"services/collector/decodetest", []string{"schemas", "schemas/schemastest"}}, // for tests
	{"services/collector/...", []string{"schemas", "schemas/intake", "services/collector/..."}},
	{"services/console/...", []string{"schemas", "services/incident", "services/console/..."}},

	// A lease in STATE, for those of whom only one may act.
	{"services/lease/...", []string{"schemas"}},
	{"services/bus/...", []string{"schemas", "schemas/intake", "services/bus/..."}},
	{"services/telemetry/...", nil},
	{"services/doctor/...", nil},
	{"services/lab/...", []string{"services/lab/..."}},
	// The correlator's bench puts the parts together as cmd does, to time them.
	{"services/bench/correlate/...", []string{
		"schemas/...", "services/bench/...", "services/bus/...", "services/correlator/...", "services/playbook/...",
		"services/workshop/...", "services/collector/gateway/decode",
	}},
	{"services/bench/...", []string{"schemas", "schemas/intake", "services/bench/...", "services/lab/..."}},
	{"services/demo/...", []string{"schemas", "services/incident", "services/lab/...", "services/bench/workload"}},
}

// onlyFrom keeps heavy or powerful modules where they belong: nothing else may
// reach them, not even through another package.
var onlyFrom = []arrow{
	{"github.com/nats-io/nats.go/...", []string{"services/bus/...", "services/bench/correlate", "cmd/..."}},
	{"github.com/nats-io/nats-server/v2/...", []string{"services/bus/...", "services/bench/correlate", "cmd/..."}},
	{"github.com/spf13/viper", []string{"cmd/..."}},
}

// listed is what is asked of go list.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// packages asks go list once for the module's packages and all they rest on.
var packages = sync.OnceValues(func() ([]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("go list: %w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
})

func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	tree, below := strings.CutSuffix(pattern, "/...")
	return path == tree || below && strings.HasPrefix(path, tree+"/")
}

func anyMatches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// against finds the imports that no arrow allows.
func against(rules []arrow, all []listed) []string {
	var found []string
	for _, p := range all {
		from, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		i := slices.IndexFunc(rules, func(a arrow) bool { return matches(a.from, from) })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s: no arrow says what it may import; add one", from))
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && !anyMatches(rules[i].to, to) {
				found = append(found, fmt.Sprintf("%s imports %s", from, to))
			}
		}
	}
	return found
}

// reached finds packages that reach a module they must not, by whatever way.
func reached(rules []arrow, all []listed) []string {
	var found []string
	for _, p := range all {
		from, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		for _, rule := range rules {
			i := slices.IndexFunc(p.Deps, func(d string) bool { return matches(rule.from, d) })
			if i >= 0 && !anyMatches(rule.to, from) {
				found = append(found, fmt.Sprintf("%s reaches %s", from, p.Deps[i]))
			}
		}
	}
	return found
}

func TestArrows(t *testing.T) {
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range slices.Concat(against(arrows, all), reached(onlyFrom, all)) {
		t.Error(finding)
	}
	if !slices.ContainsFunc(all, func(p listed) bool { return p.ImportPath == module+"services/incident" }) {
		t.Error("go list did not list services/incident")
	}
}

func TestArrowsCanFail(t *testing.T) {
	one := func(from string, to ...string) []listed {
		return []listed{{ImportPath: module + from, Imports: to, Deps: to}, {ImportPath: "fmt", Standard: true}}
	}
	tests := []struct {
		name string
		in   []listed
		want []string
	}{
		{"what is allowed", one("services/incident", "fmt", module+"schemas"), nil},
		{"a service and the bus", one("services/conductor", module+"services/bus"), []string{"services/conductor imports services/bus"}},
		{"a service and another's loop", one("services/correlator", module+"services/conductor"), []string{"services/correlator imports services/conductor"}},
		{"the fold and the language", one("services/incident", module+"services/playbook"), []string{"services/incident imports services/playbook"}},
		{"the pure engine and its loop", one("services/correlator/engine", module+"services/correlator"), []string{"services/correlator/engine imports services/correlator"}},
		{"the executor and its actions", one("services/responder", module+"services/responder/action"), []string{"services/responder imports services/responder/action"}},
		{"schemas and a service", one("schemas", module+"services/bus"), []string{"schemas imports services/bus"}},
		{"a product and the lab", one("services/collector/runtime", module+"services/lab"), []string{"services/collector/runtime imports services/lab"}},
		{"a new service", one("services/new"), []string{"services/new: no arrow says what it may import; add one"}},
		{"a name that only begins alike", one("services/incidents"), []string{"services/incidents: no arrow says what it may import; add one"}},
		{"NATS beside the bus", one("services/conductor", "github.com/nats-io/nats.go/jetstream"), []string{"services/conductor reaches github.com/nats-io/nats.go/jetstream"}},
		{"NATS in the bus", one("services/bus", "github.com/nats-io/nats.go"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := slices.Concat(against(arrows, tt.in), reached(onlyFrom, tt.in))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
