package index_test

import (
	"encoding/json"
	"testing"

	"firebreak/playbooks"
	"firebreak/schemas"
	"firebreak/services/bench/events"
	"firebreak/services/correlator/engine/index"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

// library gives the signals of the playbooks that come with Firebreak.
func library(tb testing.TB) []index.Rule {
	tb.Helper()
	all, err := playbook.FromFS(playbooks.FS, "")
	if err != nil {
		tb.Fatal(err)
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		tb.Fatal(findings)
	}
	var rules []index.Rule
	for _, p := range set.Playbooks {
		for _, s := range p.Signals {
			if s.Match == nil {
				rules = append(rules, index.Rule{Type: s.Type, When: s.When})
			}
		}
	}
	return rules
}

// started is a process in a container.
func started(tb testing.TB, executable string, args ...string) []byte {
	tb.Helper()
	raw, err := json.Marshal(schemas.ProcessEvent{
		Host: &schemas.Host{Name: "n1"},
		K8s:  &schemas.K8s{Namespace: &schemas.Namespace{Name: "shop"}, Pod: &schemas.Pod{Name: "web-1", UID: "p1"}},
		Container: &schemas.Container{
			ID: "c1", Name: "web", Runtime: "containerd", Image: &schemas.ContainerImage{Name: "registry.example/shop/web", Tag: "1"},
		},
		Process: &schemas.Process{
			PID: 4711, Executable: &schemas.Executable{Name: executable, Path: "/bin/" + executable, Origin: "image"}, CommandArgs: args,
			Parent: &schemas.Parent{PID: 1, Executable: &schemas.Executable{Name: "runc", Path: "/usr/bin/runc"}},
		},
		User: &schemas.User{ID: "0", Name: "root"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// BenchmarkLibrary is the matching of one event with the built-in library.
func BenchmarkLibrary(b *testing.B) {
	rules := library(b)
	x := index.New(rules)
	run := func(name, typ string, made ...[]byte) {
		b.Run(name, func(b *testing.B) {
			var s index.Scratch
			matches, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if err := x.Match(typ, made[i%len(made)], &s, func(int, map[string]any) { matches++ }); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(matches)/float64(i), "matches/op")
		})
	}
	run("probe", schemas.ProcessStarted, started(b, "sh", "sh", "-c", "pg_isready -U postgres -h 127.0.0.1"))
	run("cat", schemas.ProcessStarted, started(b, "cat", "cat", "/etc/nginx/nginx.conf"))
	run("curl", schemas.ProcessStarted, started(b, "curl", "curl", "-fsS", "http://127.0.0.1:8080/healthz"))
	run("python", schemas.ProcessStarted, started(b, "python3", "python3", "-c", "print(1)"))
	run("quotes", schemas.ProcessStarted, started(b, "sh", "sh", "-c", `test "$(redis-cli ping)" = PONG`))
	w := events.New(1, 40, 0)
	var mixed [][]byte
	for range batch {
		e, err := w.Next()
		if err != nil {
			b.Fatal(err)
		}
		if e.Type == schemas.ProcessStarted {
			mixed = append(mixed, e.Data)
		}
	}
	run("bench processes", schemas.ProcessStarted, mixed...)
}
