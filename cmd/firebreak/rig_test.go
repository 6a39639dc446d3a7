package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/incident"
	"firebreak/services/lab"
	"firebreak/services/telemetry"
)

// patience is how long a test waits for something that must happen.
const patience = 60 * time.Second

// testRig is one test's Firebreak: a configuration, a data folder, containers in
// a containerd namespace of its own, and the processes that it starts.
type testRig struct {
	t         *testing.T
	lab       *lab.Lab
	dir       string
	config    string
	namespace string
}

var rigs atomic.Int64

// pausePlaybook is the one that most tests use: any exec of xmrig pauses its container.
const pausePlaybook = `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: NAME, summary: A test miner runs, arena: runtime, severity: high}
on:
  start:
    type: runtime.process.started
    when: has(process.executable.name) && process.executable.name == "TRIGGER"
match: {by: container.id}
once: 1h
guard: {mode: enforce}
then:
  - do: container.pause
    for: 4h
    onExpire: keep
  - do: notify.log
    with: {text: "paused ${signals.start.container.id}"}
`

func newRig(t *testing.T, config string) *testRig {
	t.Helper()
	r := &testRig{t: t, lab: labs.get(t), dir: t.TempDir(), namespace: fmt.Sprintf("test%d", rigs.Add(1))}
	r.config = filepath.Join(r.dir, "firebreak.yaml")
	r.playbook("miner", "xmrig")
	text := fmt.Sprintf(`data_dir: ./data
library: false
playbooks: [./playbooks]
log: {level: debug, format: json}
runtime:
  containerd: {address: %q, namespaces: [%s]}
%s`, r.lab.Address(), r.namespace, config)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// playbook writes one that pauses on a trigger.
func (r *testRig) playbook(name, trigger string) {
	r.t.Helper()
	dir := filepath.Join(r.dir, "playbooks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	text := strings.NewReplacer("NAME", name, "TRIGGER", trigger).Replace(pausePlaybook)
	if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// process is a firebreak command that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // valid after done
}

// command starts the test binary as firebreak.
func (r *testRig) command(env []string, args ...string) *process {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	log, err := os.CreateTemp(r.dir, "log-*")
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	p := &process{t: r.t, cmd: exec.Command(self, args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Env = append(append(cleanEnviron(), "TEST_AS_FIREBREAK=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	r.t.Cleanup(func() {
		p.kill()
		if r.t.Failed() {
			r.t.Logf("%s:\n%s", strings.Join(args, " "), p.tail())
		}
	})
	return p
}

// run starts `firebreak run` and waits until it is at work.
func (r *testRig) run(env ...string) *process {
	r.t.Helper()
	p := r.command(env, "run", "--config", r.config)
	p.atWork()
	return p
}

func (p *process) atWork() {
	p.t.Helper()
	wait(p.t, "firebreak to be at work", func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("firebreak ended: %v\n%s", p.err, p.tail())
		default:
		}
		return strings.Contains(p.output(), "firebreak is at work")
	})
}

func (p *process) output() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// tail is the end of the output, for the log of a test that failed.
func (p *process) tail() string {
	out := p.output()
	return out[max(0, len(out)-20_000):]
}

// kill ends the process by SIGKILL and waits.
func (p *process) kill() {
	select {
	case <-p.done:
		return
	default:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	<-p.done
}

// stop ends the process by SIGTERM; it must end well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.ended()
	if p.err != nil {
		p.t.Errorf("after SIGTERM: %v\n%s", p.err, p.output())
	}
}

// ended waits for the process's end.
func (p *process) ended() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("the process did not end within %s\n%s", patience, p.output())
	}
}

// firebreak runs one command to its end.
func (r *testRig) firebreak(args ...string) (out string, code int) {
	r.t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	code = execute(ctx, append(args, "--config", r.config), strings.NewReader(""), &stdout, &stderr)
	return stdout.String() + stderr.String(), code
}

// container starts one that counts for ever.
func (r *testRig) container(id string) *lab.Running {
	r.t.Helper()
	return r.start(lab.Container{ID: id})
}

func (r *testRig) start(c lab.Container) *lab.Running {
	r.t.Helper()
	c.Namespace = r.namespace
	if c.Args == nil {
		c.Args = []string{"/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.05; done"}
	}
	run, err := r.lab.Run(r.t.Context(), c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := run.End(context.Background()); err != nil && !r.t.Failed() {
			r.t.Errorf("end %s: %v", c.ID, err)
		}
	})
	return run
}

// trigger drops and executes a file of that name in the container.
func (r *testRig) trigger(run *lab.Running, name string) {
	r.t.Helper()
	if out, err := run.Exec(r.t.Context(), "/bin/cp", "/bin/busybox", "/"+name); err != nil {
		r.t.Fatalf("drop %s: %v: %s", name, err, out)
	}
	r.execute(run, name)
}

// execute runs the dropped file. What it says does not matter: it may be
// frozen before it says anything.
func (r *testRig) execute(run *lab.Running, name string) {
	r.t.Helper()
	if _, err := run.Spawn(r.t.Context(), "/"+name, "x"); err != nil {
		r.t.Fatalf("execute %s: %v", name, err)
	}
}

// status is what containerd says of the container.
func (r *testRig) status(run *lab.Running) string {
	r.t.Helper()
	s, err := run.Status(r.t.Context())
	if err != nil {
		return err.Error()
	}
	return string(s)
}

// people is a client that sees all.
func (r *testRig) people() *bus.Client {
	r.t.Helper()
	cfg, err := loadConfig(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := dial(r.t.Context(), cfg, bus.People, false, telemetry.Discard())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// incidents folds the ledger as it stands.
func (r *testRig) incidents() ([]incident.View, []schemas.Record) {
	r.t.Helper()
	c := r.people()
	defer c.Close()
	var records []schemas.Record
	all, err := foldLedger(r.t.Context(), c, func(rec schemas.Record) { records = append(records, rec) })
	if err != nil {
		r.t.Fatal(err)
	}
	var views []incident.View
	for _, i := range all {
		if i.Opened() != nil {
			views = append(views, i.View())
		}
	}
	return views, records
}

// of finds the incident whose playbook and container these are.
func (r *testRig) of(playbook, container string) (incident.View, bool) {
	r.t.Helper()
	views, _ := r.incidents()
	for _, v := range views {
		if v.Playbook == playbook && v.Key["container.id"] == container {
			return v, true
		}
	}
	return incident.View{}, false
}

// until waits until the pause of the incident is in the state.
func (r *testRig) until(playbook, container, state string) incident.View {
	r.t.Helper()
	var v incident.View
	wait(r.t, fmt.Sprintf("the pause of %s by %s to be %s", container, playbook, state), func() bool {
		var found bool
		v, found = r.of(playbook, container)
		return found && pauseState(v) == state
	}, func() string { return fmt.Sprintf("%+v", v) })
	return v
}

func pauseState(v incident.View) string {
	for _, s := range v.Steps {
		if s.Action == "container.pause" && len(s.Targets) == 1 {
			return string(s.Targets[0].State)
		}
	}
	return ""
}

// once fails when a record of a kind is there more than once at one task.
func (r *testRig) once(kinds ...schemas.Kind) {
	r.t.Helper()
	_, records := r.incidents()
	seen := map[string]int{}
	for _, rec := range records {
		seen[rec.Subject()]++
	}
	for subject, n := range seen {
		for _, k := range kinds {
			if n > 1 && strings.HasSuffix(subject, "."+string(k)) {
				r.t.Errorf("%d records %s", n, subject)
			}
		}
	}
}

func wait(t *testing.T, what string, until func() bool, instead ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !until(); {
		if time.Now().After(deadline) {
			for _, f := range instead {
				t.Log(f())
			}
			t.Fatalf("waited %s for %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
