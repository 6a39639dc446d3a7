package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// daemon is one containerd process.
type daemon struct {
	process *os.Process
	log     string
	done    chan struct{} // closed when it ended
	err     error         // valid after done
}

// configure writes containerd's configuration.
func (l *Lab) configure() error {
	for _, d := range []string{"root", "state", "fifo", "runc"} {
		if err := os.MkdirAll(filepath.Join(l.dir, d), 0o711); err != nil { //nolint:gosec // containers of other users pass through
			return fmt.Errorf("lab: %w", err)
		}
	}
	text := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = %q
[ttrpc]
  address = %q
`, filepath.Join(l.dir, "root"), filepath.Join(l.dir, "state"), l.Address(), l.Address()+".ttrpc")
	if err := os.WriteFile(filepath.Join(l.dir, "config.toml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

func startDaemon(dir string, v2 bool) (*daemon, error) {
	program, err := exec.LookPath("containerd")
	if err != nil {
		return nil, fmt.Errorf("lab: %w: install containerd and runc", err)
	}
	args := []string{program, "--config", filepath.Join(dir, "config.toml")}
	if v2 {
		if args, err = seeingV2(args); err != nil {
			return nil, err
		}
	}
	d := &daemon{log: filepath.Join(dir, "containerd.log"), done: make(chan struct{})}
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec // our own configuration
	cmd.Stdout, cmd.Stderr = out, out
	// Should this process die without Stop, containerd goes with it. The
	// kernel looks at the thread that started it, so that thread is kept.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			d.err = cmd.Wait()
		}
		close(d.done)
	}()
	err = <-started
	if e := out.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", program, err)
	}
	d.process = cmd.Process
	return d, nil
}

// seeingV2 runs a command in a mount namespace of its own, where the cgroup
// file system is v2 alone: runc then does as it does on such a host. Every
// program in between executes the next one, so that the process stays the same.
func seeingV2(args []string) ([]string, error) {
	const usual = "/sys/fs/cgroup"
	root, err := v2Root()
	if err != nil || root == usual {
		return args, err
	}
	script := `mount --bind "$0" ` + usual + ` && exec "$@"`
	return append([]string{"unshare", "--mount", "sh", "-c", script, root}, args...), nil
}

func v2Root() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("lab: cgroup v2: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("lab: cgroup v2: %w: it is mounted nowhere", os.ErrNotExist)
}

// stop ends containerd and waits for it.
func (d *daemon) stop(kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	// An error here means that it has ended already.
	if d.process.Signal(sig) == nil {
		select {
		case <-d.done:
			return
		case <-time.After(10 * time.Second):
			if d.process.Kill() != nil {
				return
			}
		}
	}
	<-d.done
}

// tail is the end of containerd's log, for error messages.
func (d *daemon) tail() string {
	b, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// chooseSnapshotter takes overlayfs where the folder's file system bears it.
func (l *Lab) chooseSnapshotter(ctx context.Context) (string, error) {
	answer, err := l.client.IntrospectionService().Plugins(ctx, "type==io.containerd.snapshotter.v1")
	if err != nil {
		return "", fmt.Errorf("lab: ask containerd for its snapshotters: %w", err)
	}
	for _, p := range answer.Plugins {
		if p.ID == "overlayfs" && p.InitErr == nil {
			return "overlayfs", nil
		}
	}
	return "native", nil
}
