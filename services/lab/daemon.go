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
		if err := os.MkdirAll(filepath.Join(l.dir, d), 0o711); err != nil {
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

func startDaemon(dir string) (*daemon, error) {
	program, err := exec.LookPath("containerd")
	if err != nil {
		return nil, fmt.Errorf("lab: %w: install containerd and runc", err)
	}
	d := &daemon{log: filepath.Join(dir, "containerd.log"), done: make(chan struct{})}
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	cmd := exec.Command(program, "--config", filepath.Join(dir, "config.toml")) //nolint:gosec // our own configuration
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
