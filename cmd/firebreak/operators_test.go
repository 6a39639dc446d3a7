package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/lab"
)

// joined writes a playbook whose match joins programs that start in a
// container; each signal's program is called <playbook>-<signal>. It pauses.
func (r *testRig) joined(name, match string, signals ...string) {
	r.t.Helper()
	var on strings.Builder
	for _, s := range signals {
		on.WriteString("  " + s + ": {type: runtime.process.started, when: 'has(container.id) && has(process.executable.name) && process.executable.name == \"" + name + "-" + s + "\"'}\n")
	}
	text := `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: ` + name + `, summary: Programs start, arena: runtime, severity: high}
on:
` + on.String() + `match: ` + match + `
once: 1h
guard: {mode: enforce}
then:
  - do: container.pause
    for: 4h
    onExpire: keep
`
	if err := os.WriteFile(filepath.Join(r.dir, "playbooks", name+".yaml"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// does drops a playbook's programs into a container, and executes them in order.
func (r *testRig) does(run *lab.Running, playbook string, signals ...string) {
	r.t.Helper()
	for _, s := range slices.Compact(slices.Sorted(slices.Values(signals))) {
		if out, err := run.Exec(r.t.Context(), "/bin/cp", "/bin/busybox", "/"+playbook+"-"+s); err != nil {
			r.t.Fatalf("drop %s: %v: %s", s, err, out)
		}
	}
	for _, s := range signals {
		r.execute(run, playbook+"-"+s)
	}
}

// TestOperatorsOnRealContainers: what each operator waits for is done in a
// container of its own, and its opposite in another one. A replay of the log
// opens the same incidents.
func TestOperatorsOnRealContainers(t *testing.T) {
	r := newRig(t, "")
	cases := map[string]struct {
		match       string
		does, spare []string // the last of does completes it
	}{
		"all":      {"{all: [a, b], by: container.id, within: 5m}", []string{"b", "a"}, []string{"b", "b"}},
		"sequence": {"{sequence: [a, b], by: container.id, within: 5m}", []string{"a", "b"}, []string{"b", "a"}},
		"until":    {"{sequence: [a, b], until: c, by: container.id, within: 5m}", []string{"c", "a", "b"}, []string{"a", "c", "b"}},
		"count":    {"{count: {of: a, atLeast: 3}, by: container.id, within: 5m}", []string{"a", "a", "a"}, []string{"a", "a"}},
		"absent":   {"{absent: {after: a, expect: b}, by: container.id, within: 10s}", []string{"a"}, []string{"a", "b"}},
	}
	for name, tc := range cases {
		r.joined(name, tc.match, slices.Compact(slices.Sorted(slices.Values(slices.Concat(tc.does, tc.spare))))...)
	}
	r.run()
	struck, spared := map[string]*lab.Running{}, map[string]*lab.Running{}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		struck[name], spared[name] = r.container(name+"-"+r.namespace), r.container("spared-"+name+"-"+r.namespace)
		r.does(spared[name], name, cases[name].spare...)
		r.does(struck[name], name, cases[name].does...)
	}
	for name, run := range struck {
		r.until(name, run.ID, "enforced")
		if s := r.status(run); s != "paused" {
			t.Errorf("%s: containerd says %s", name, s)
		}
	}
	for name, run := range spared {
		if v, found := r.of(name, run.ID); found {
			t.Errorf("%s: opened %+v", name, v)
		}
		if s := r.status(run); s != "running" {
			t.Errorf("%s: containerd says %s of what is to be spared", name, s)
		}
	}
	if out, code := r.firebreak("playbook", "replay", "--from-log", "--check"); code != exitOK {
		t.Errorf("a replay of the log differs: exit %d: %s", code, out)
	}
}

// TestWindowsOutliveAKill ends the process by SIGKILL between the events of a
// match. The incident knows both of them.
func TestWindowsOutliveAKill(t *testing.T) {
	r := newRig(t, "")
	r.joined("sequence", "{sequence: [a, b], by: container.id, within: 5m}", "a", "b")
	run := r.container("victim-" + r.namespace)
	p := r.run()
	r.does(run, "sequence", "a")
	wait(t, "the first event to be stored", func() bool { return r.stored(run.ID, "sequence-a") })
	p.kill()
	r.run()
	r.does(run, "sequence", "b")
	r.until("sequence", run.ID, "enforced")
	r.once(effects...)
	_, records := r.incidents()
	for _, rec := range records {
		if rec.Kind != schemas.KindOpened {
			continue
		}
		var o schemas.Opened
		if err := rec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"a", "b"} {
			if !strings.Contains(string(o.Signals[s].Data), `"sequence-`+s+`"`) {
				t.Errorf("signal %s is %+v", s, o.Signals[s])
			}
		}
	}
}

// stored says whether the log holds that a program was started in a container.
func (r *testRig) stored(container, program string) bool {
	r.t.Helper()
	c := r.people()
	defer c.Close()
	found := false
	err := c.FollowEvents(r.t.Context(), 0, func(e schemas.Event) error {
		found = found || e.Type == schemas.ProcessStarted &&
			strings.Contains(string(e.Data), `"`+container+`"`) && strings.Contains(string(e.Data), `"`+program+`"`)
		return nil
	}, func() error { return errAll })
	if !errors.Is(err, errAll) {
		r.t.Fatal(err)
	}
	return found
}
