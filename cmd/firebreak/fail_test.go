package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/lab"
)

// TestHoldStopsWhatIsAutomatic, and resume lets it act again; a release works all the same.
func TestHoldStopsWhatIsAutomatic(t *testing.T) {
	r := newRig(t, "")
	first, second, third := r.container("a-"+r.namespace), r.container("b-"+r.namespace), r.container("c-"+r.namespace)
	p := r.run()
	r.trigger(first, "xmrig")
	v := r.until("miner", first.ID, "enforced")
	if out, code := r.firebreak("hold", "--why", "test"); code != exitOK {
		t.Fatal(out)
	}
	p.kill() // the hold outlives the process
	r.run()
	r.trigger(second, "xmrig")
	wait(t, "the step to be refused because of the hold", func() bool {
		v, found := r.of("miner", second.ID)
		return found && len(v.Steps[0].Targets) > 0 && v.Steps[0].Targets[0].Cause == "hold"
	})
	if s := r.status(second); s != "running" {
		t.Errorf("held, but containerd says %s", s)
	}
	r.release(v.ID)
	if s := r.status(first); s != "running" {
		t.Errorf("released while held, but containerd says %s", s)
	}
	if out, code := r.firebreak("resume"); code != exitOK {
		t.Fatal(out)
	}
	r.trigger(third, "xmrig")
	r.until("miner", third.ID, "enforced")
}

// TestInnocentIsLeftAlone, and so is everything in a dry run.
func TestInnocentIsLeftAlone(t *testing.T) {
	r := newRig(t, "")
	dry := strings.NewReplacer("NAME", "dry", "TRIGGER", "dryminer", "mode: enforce", "mode: observe").Replace(pausePlaybook)
	if err := os.WriteFile(filepath.Join(r.dir, "playbooks", "dry.yaml"), []byte(dry), 0o600); err != nil {
		t.Fatal(err)
	}
	guilty, innocent := r.container("guilty-"+r.namespace), r.container("innocent-"+r.namespace)
	r.run()
	r.trigger(innocent, "dryminer")
	r.until("dry", innocent.ID, "observed")
	r.trigger(guilty, "xmrig")
	r.until("miner", guilty.ID, "enforced")
	if s := r.status(innocent); s != "running" {
		t.Errorf("a dry run, but containerd says %s", s)
	}
}

// TestWholePodIsPaused: the target is widened to the containers of the pod.
func TestWholePodIsPaused(t *testing.T) {
	r := newRig(t, "")
	pod := &lab.Pod{UID: fmt.Sprintf("6c1ba1f8-0000-4000-8000-%012d", rigs.Load()), Name: "shop", Namespace: "prod"}
	app := r.start(lab.Container{ID: "app-" + r.namespace, Pod: pod})
	sidecar := r.start(lab.Container{ID: "side-" + r.namespace, Pod: pod})
	stranger := r.container("stranger-" + r.namespace)
	r.run()
	r.trigger(app, "xmrig")
	v := r.until("miner", app.ID, "enforced")
	for _, c := range []*lab.Running{app, sidecar} {
		if s := r.status(c); s != "paused" {
			t.Errorf("%s is %s", c.ID, s)
		}
	}
	if s := r.status(stranger); s != "running" {
		t.Errorf("the stranger is %s", s)
	}
	r.release(v.ID)
	for _, c := range []*lab.Running{app, sidecar} {
		if s := r.status(c); s != "running" {
			t.Errorf("after the release %s is %s", c.ID, s)
		}
	}
}

// TestPlaybooksChange while it runs: a good set is taken, a bad one is not.
func TestPlaybooksChange(t *testing.T) {
	r := newRig(t, "")
	run, other := r.container("a-"+r.namespace), r.container("b-"+r.namespace)
	p := r.run()
	if err := os.WriteFile(filepath.Join(r.dir, "playbooks", "bad.yaml"), []byte("kind: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, "the bad set to be refused", func() bool { return strings.Contains(p.output(), "the set before stays in force") })
	r.trigger(run, "xmrig")
	r.until("miner", run.ID, "enforced")
	if err := os.Remove(filepath.Join(r.dir, "playbooks", "bad.yaml")); err != nil {
		t.Fatal(err)
	}
	r.playbook("late", "latecomer")
	wait(t, "the new set", func() bool { return strings.Count(p.output(), "playbooks in force") > 1 })
	r.trigger(other, "latecomer")
	r.until("late", other.ID, "enforced")
	// The folder is replaced as a whole, as a checkout does it.
	folder, before := filepath.Join(r.dir, "playbooks"), strings.Count(p.output(), "playbooks in force")
	if err := os.Rename(folder, folder+".old"); err != nil {
		t.Fatal(err)
	}
	wait(t, "the missing folder to be noticed", func() bool { return strings.Count(p.output(), "the set before stays in force") > 1 })
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	r.playbook("new", "newcomer")
	wait(t, "the new folder's set", func() bool { return strings.Count(p.output(), "playbooks in force") > before })
	if texts := r.keptPlaybooks(); !strings.Contains(texts["new.yaml"], "newcomer") {
		t.Errorf("the sources of the set in force are not kept: %v", texts)
	}
}

// TestPlaybooksBehindALink: the folder that is named is a link.
func TestPlaybooksBehindALink(t *testing.T) {
	r := newRig(t, "")
	folder := filepath.Join(r.dir, "playbooks")
	if err := os.Rename(folder, folder+".real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder+".real", folder); err != nil {
		t.Fatal(err)
	}
	p := r.run()
	r.playbook("late", "latecomer")
	wait(t, "the new set", func() bool { return strings.Count(p.output(), "playbooks in force") > 1 })
}

// keptPlaybooks gives the sources of the set that was announced last, by the
// name of the file.
func (r *testRig) keptPlaybooks() map[string]string {
	r.t.Helper()
	c := r.people()
	var last schemas.PlaybooksEvent
	if err := c.FollowEvents(r.t.Context(), 0, func(e schemas.Event) error {
		if e.Type == schemas.PlaybooksChanged {
			return json.Unmarshal(e.Data, &last)
		}
		return nil
	}, func() error { return errAll }); !errors.Is(err, errAll) {
		r.t.Fatal(err)
	}
	blob, err := c.Blob(r.t.Context(), last.Content)
	if err != nil {
		r.t.Fatal(err)
	}
	defer blob.Close()
	var texts map[string]string
	if err := json.NewDecoder(blob).Decode(&texts); err != nil {
		r.t.Fatal(err)
	}
	byFile := map[string]string{}
	for name, text := range texts {
		byFile[filepath.Base(name)] = text
	}
	return byFile
}

// TestClearErrors: what is wrong, on what, and the right exit code.
func TestClearErrors(t *testing.T) {
	r := newRig(t, "")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no such command":    {[]string{"rnu"}, exitUsage, `no command "rnu"`},
		"no such flag":       {[]string{"watch", "--arenas", "x"}, exitUsage, "unknown flag"},
		"wrong arena":        {[]string{"watch", "--arena", "moon"}, exitUsage, "it can be registry"},
		"never started":      {[]string{"incident", "list"}, exitFailed, "never started"},
		"no incident named":  {[]string{"incident", "show"}, exitUsage, "the id of one incident"},
		"no playbook there":  {[]string{"playbook", "lint", "/nowhere"}, exitUsage, "there is no /nowhere"},
		"respond elsewhere":  {[]string{"respond", "--at", "moon"}, exitUsage, "can be at: node"},
		"not a digest":       {[]string{"evidence", "get", "x"}, exitUsage, "no digest"},
		"migrate needs url":  {[]string{"bus", "migrate"}, exitUsage, "bus.url is not set"},
		"negative suppress":  {[]string{"incident", "release", "x", "--suppress", "-1s"}, exitUsage, "negative"},
		"bench needs number": {[]string{"bench", "contain", "-n", "0"}, exitUsage, "at least 1"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := r.firebreak(c.args...)
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("exit %d, want %d and %q in:\n%s", code, c.code, c.want, out)
			}
		})
	}
}

// TestStartsThatMustFail name the reason and end with the right exit code.
func TestStartsThatMustFail(t *testing.T) {
	t.Run("garbage playbook", func(t *testing.T) {
		r := newRig(t, "")
		if err := os.WriteFile(filepath.Join(r.dir, "playbooks", "x.yaml"), []byte("\x00\xff{"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.fails(exitUsage, "x.yaml", "run")
	})
	t.Run("missing folder of playbooks", func(t *testing.T) {
		r := newRig(t, "")
		if err := os.RemoveAll(filepath.Join(r.dir, "playbooks")); err != nil {
			t.Fatal(err)
		}
		r.fails(exitUsage, "there is no", "run")
		r.fails(exitUsage, "there is no", "playbook", "lint")
		r.fails(exitUsage, "there is no", "playbook", "list")
	})
	t.Run("pipe among the playbooks", func(t *testing.T) {
		r := newRig(t, "")
		if err := syscall.Mkfifo(filepath.Join(r.dir, "playbooks", "x.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.fails(exitUsage, "not a regular file", "run")
		r.fails(exitUsage, "not a regular file", "playbook", "lint")
	})
	t.Run("pipe as guardrail", func(t *testing.T) {
		r := newRig(t, "guardrail: ./rail.yaml\n")
		if err := syscall.Mkfifo(filepath.Join(r.dir, "rail.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.fails(exitUsage, "no regular file", "run")
	})
	t.Run("garbage guardrail", func(t *testing.T) {
		r := newRig(t, "guardrail: ./rail.yaml\n")
		if err := os.WriteFile(filepath.Join(r.dir, "rail.yaml"), []byte("protect: 3\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.fails(exitUsage, "rail.yaml", "run")
	})
	t.Run("listens beyond loopback without TLS", func(t *testing.T) {
		r := newRig(t, "bus: {listen: \"0.0.0.0:0\"}\n")
		r.fails(exitUsage, "TLS", "run")
	})
	t.Run("second instance", func(t *testing.T) {
		r := newRig(t, "")
		r.run()
		r.fails(exitFailed, "another Firebreak", "run")
	})
	t.Run("data_dir is a file", func(t *testing.T) {
		r := newRig(t, "")
		if err := os.WriteFile(filepath.Join(r.dir, "data"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r.fails(exitUsage, "data_dir", "run")
	})
}

// fails runs a command as a process that must end with the code and the words.
func (r *testRig) fails(code int, want string, args ...string) {
	r.t.Helper()
	p := r.command(nil, append(args, "--config", r.config)...)
	p.ended()
	if got := p.cmd.ProcessState.ExitCode(); got != code || !strings.Contains(p.output(), want) {
		r.t.Errorf("exit %d, want %d and %q in:\n%s", got, code, want, p.output())
	}
}

// TestLedgerGone: somebody deleted the ledger. The process says so and ends;
// started again it works.
func TestLedgerGone(t *testing.T) {
	r := newRig(t, "")
	p := r.run()
	r.deleteLedger()
	p.ended()
	if code := p.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(p.output(), "LEDGER") {
		t.Errorf("exit %d, want %d and a word on LEDGER:\n%s", code, exitFailed, p.tail())
	}
	run := r.container("victim-" + r.namespace)
	r.run()
	r.trigger(run, "xmrig")
	r.until("miner", run.ID, "enforced")
}

// deleteLedger does with the administrator's key what nobody else can.
func (r *testRig) deleteLedger() {
	r.t.Helper()
	cfg, err := loadConfig(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	place, err := bus.Find(cfg.DataDir)
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := nats.NkeyOptionFromSeed(place.Keyfile(bus.Admin))
	if err != nil {
		r.t.Fatal(err)
	}
	nc, err := nats.Connect(place.Address, key)
	if err != nil {
		r.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := js.DeleteStream(r.t.Context(), "LEDGER"); err != nil {
		r.t.Fatal(err)
	}
}

// TestMissingContainerd: the rest goes to work, says what is missing, and
// takes containerd up when it comes.
func TestMissingContainerd(t *testing.T) {
	r := newRig(t, "")
	raw, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.dir, "c.sock")
	text := strings.Replace(string(raw), r.lab.Address(), link, 1)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := r.command(nil, "run", "--config", r.config)
	wait(t, "the missing socket to be named", func() bool { return strings.Contains(p.output(), link) })
	out, code := r.firebreak("incident", "list")
	if code != exitOK {
		t.Errorf("the ledger cannot be read without containerd: %s", out)
	}
	if err := os.Symlink(r.lab.Address(), link); err != nil {
		t.Fatal(err)
	}
	p.atWork()
	run := r.container("victim-" + r.namespace)
	r.trigger(run, "xmrig")
	r.until("miner", run.ID, "enforced")
	p.stop()
}

// TestFullDisk: with the data folder's disk full, events wait in the spool or
// are counted, nothing crashes, and with room again containment goes on.
func TestFullDisk(t *testing.T) {
	r := newRig(t, "")
	data := filepath.Join(r.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=1200m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	run := r.container("victim-" + r.namespace)
	p := r.run()
	filler := filepath.Join(data, "filler")
	fill(t, filler, data)
	wait(t, "the bus to refuse events for want of room", func() bool { return strings.Contains(p.output(), "free") })
	r.trigger(run, "xmrig")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r.until("miner", run.ID, "enforced")
	p.stop()
}

// fill leaves about 200 MiB on the disk: below what EVENTS needs, above the
// ledger's last reserve.
func fill(t *testing.T, path, dir string) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	free := int64(fs.Bavail) * fs.Bsize
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, free-200<<20); err != nil {
		t.Fatal(err)
	}
}
