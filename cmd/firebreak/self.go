package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"firebreak/services/bus"
	"firebreak/services/lab"
	"firebreak/services/telemetry"
)

// rig is a containerd of its own and this very binary at work on it, in a
// folder that goes when it stops. The demo and the benchmarks stand on it.
type rig struct {
	dir    string
	lab    *lab.Lab
	run    *exec.Cmd
	done   chan error
	people *bus.Client
	binary string

	// workload is a copy of this binary that runs inside the containers. The
	// very file would be taken for Firebreak itself, which is never contained.
	workload string
}

const rigStart = 60 * time.Second

// startRig starts both and waits until Firebreak is at work: with a playbook,
// or with the library in force when it is "".
func startRig(ctx context.Context, playbook string, say func(string)) (_ *rig, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("this starts containers and looks at the kernel: run it as root")
	}
	r := &rig{done: make(chan error, 1)}
	if r.binary, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find this binary: %w", err)
	}
	if r.dir, err = os.MkdirTemp("", "firebreak-"); err != nil {
		return nil, fmt.Errorf("a folder for the run: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop(context.WithoutCancel(ctx)))
		}
	}()
	r.workload = filepath.Join(r.dir, "workload")
	if err = copyFile(r.binary, r.workload); err != nil {
		return nil, err
	}
	say("starting a containerd of our own")
	if r.lab, err = lab.Start(ctx, lab.Config{Dir: filepath.Join(r.dir, "lab"), Log: telemetry.Discard()}); err != nil {
		return nil, err
	}
	if err = r.configure(playbook); err != nil {
		return nil, err
	}
	say("starting firebreak run")
	if err = r.start(ctx); err != nil {
		return nil, err
	}
	cfg, err := loadConfig(r.configFile())
	if err != nil {
		return nil, err
	}
	r.people, err = dial(ctx, cfg, bus.People, false, telemetry.Discard())
	return r, err
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from) //nolint:gosec // this binary
	if err != nil {
		return fmt.Errorf("copy this binary: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700) //nolint:gosec // in a folder of our own
	if err != nil {
		return fmt.Errorf("copy this binary: %w", err)
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if _, err := io.Copy(dst, src); err != nil {
		return fmt.Errorf("copy this binary: %w", err)
	}
	return nil
}

func (r *rig) configFile() string { return filepath.Join(r.dir, "firebreak.yaml") }
func (r *rig) logFile() string    { return filepath.Join(r.dir, "firebreak.log") }

// configure writes the configuration, and the playbook beside it.
func (r *rig) configure(playbook string) error {
	force := "library: enforce"
	if playbook != "" {
		force = "library: false\nplaybooks: [./playbook.yaml]"
		if err := os.WriteFile(filepath.Join(r.dir, "playbook.yaml"), []byte(playbook), 0o600); err != nil {
			return fmt.Errorf("playbook: %w", err)
		}
	}
	text := fmt.Sprintf("data_dir: ./data\n%s\nlog: {format: json}\nruntime:\n  containerd: {address: %q, namespaces: [default, k8s.io]}\n", force, r.lab.Address())
	if err := os.WriteFile(r.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

func (r *rig) start(ctx context.Context) error {
	log, err := os.Create(r.logFile())
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer log.Close()
	r.run = exec.Command(r.binary, "run", "--config", r.configFile()) //nolint:gosec // this very binary
	r.run.Stderr = log
	r.run.Env = cleanEnviron()
	// A session of its own: its raised priority stays with it. Should this
	// process die, it goes too.
	r.run.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel takes the end of the thread that started it for the parent's
		defer runtime.UnlockOSThread()
		err := r.run.Start()
		if started <- err; err == nil {
			r.done <- r.run.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start firebreak run: %w", err)
	}
	return r.atWork(ctx)
}

// cleanEnviron leaves out what would steer the other process elsewhere.
func cleanEnviron() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, envPrefix+"_") {
			env = append(env, kv)
		}
	}
	return env
}

// atWork waits for the line that says so in the log.
func (r *rig) atWork(ctx context.Context) error {
	deadline := time.NewTimer(rigStart)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.done:
			r.run = nil
			return fmt.Errorf("firebreak run ended: %w\n%s", err, r.tail())
		case <-deadline.C:
			return fmt.Errorf("firebreak run is not at work after %s:\n%s", rigStart, r.tail())
		case <-tick.C:
			raw, err := os.ReadFile(r.logFile())
			if err != nil {
				return fmt.Errorf("log: %w", err)
			}
			if strings.Contains(string(raw), "firebreak is at work") {
				return nil
			}
		}
	}
}

// tail is the end of the log, for errors.
func (r *rig) tail() string {
	f, err := os.Open(r.logFile())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// stop ends Firebreak, the containers and containerd, and removes the folder.
func (r *rig) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var errs []error
	if r.people != nil {
		r.people.Close()
	}
	if r.run != nil && r.run.Process != nil {
		errs = append(errs, r.end())
	}
	if r.lab != nil {
		errs = append(errs, r.lab.Stop(ctx))
	}
	errs = append(errs, os.RemoveAll(r.dir))
	return errors.Join(errs...)
}

func (r *rig) end() error {
	if err := r.run.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop firebreak run: %w", err)
	}
	select {
	case err := <-r.done:
		if err != nil {
			return fmt.Errorf("firebreak run: %w\n%s", err, r.tail())
		}
		return nil
	case <-time.After(20 * time.Second):
		err := errors.Join(errors.New("firebreak run did not stop within 20 s"), r.run.Process.Kill())
		return errors.Join(err, <-r.done)
	}
}
