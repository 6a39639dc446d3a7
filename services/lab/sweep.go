package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// hierarchies are the roots of the host's cgroup hierarchies: one on v2, many
// on v1 and on hybrid hosts.
func hierarchies() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("cgroup hierarchies: %w", err)
	}
	var roots []string
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && (f[2] == "cgroup" || f[2] == "cgroup2") {
			roots = append(roots, f[1])
		}
	}
	return roots, nil
}

// killCgroup kills every process at and below a cgroup path, in all
// hierarchies, until none is left. On v1 SIGKILL acts only after a thaw.
func killCgroup(ctx context.Context, path string) error {
	if len(path) < 2 {
		return fmt.Errorf("kill cgroup %q: not the path of a container", path) //nolint:err113 // a slip of ours
	}
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for {
		left := 0
		for _, root := range roots {
			n, err := killBelow(filepath.Join(root, path))
			if err != nil {
				return err
			}
			left += n
		}
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d processes in cgroup %s outlive SIGKILL: %w", left, path, ctx.Err())
		}
	}
}

func killBelow(dir string) (left int, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		procs, err := os.ReadFile(filepath.Join(p, "cgroup.procs")) //nolint:gosec // a file of the kernel
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENODEV) {
			return err
		}
		for _, field := range bytes.Fields(procs) {
			pid, err := strconv.Atoi(string(field))
			if err != nil || pid <= 1 {
				continue
			}
			// ESRCH: it ended by itself. Anything else shows as a process left.
			if !errors.Is(syscall.Kill(pid, syscall.SIGKILL), syscall.ESRCH) {
				left++
			}
		}
		return errors.Join(thaw(p, "freezer.state", "THAWED"), thaw(p, "cgroup.freeze", "0"))
	})
	return left, err
}

func thaw(dir, file, value string) error {
	err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0)
	// The file is missing in other hierarchies, at their roots, or the cgroup has ended.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

func (l *Lab) killContainers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return killCgroup(ctx, l.cgroup)
}

// removeContainers removes what containerd knows of the containers. What goes
// wrong here is only told: shims, mounts and cgroups are swept afterwards.
func (l *Lab) removeContainers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	spaces, err := l.client.NamespaceService().List(ctx)
	if err != nil {
		l.log.Debug("lab: namespaces at stop", "err", err)
		return
	}
	for _, ns := range spaces {
		ctx := namespaces.WithNamespace(ctx, ns)
		all, err := l.client.Containers(ctx)
		if err != nil {
			l.log.Debug("lab: containers at stop", "namespace", ns, "err", err)
			continue
		}
		for _, c := range all {
			if err := l.remove(ctx, c); err != nil {
				l.log.Debug("lab: remove at stop", "container", c.ID(), "err", err)
			}
		}
	}
}

// remove deletes a container whose processes have ended.
func (l *Lab) remove(ctx context.Context, c containerd.Container) error {
	task, err := c.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, containerd.WithProcessKill)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("lab: delete task of %s: %w", c.ID(), err)
	}
	if err := c.Delete(ctx, containerd.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("lab: delete %s: %w", c.ID(), err)
	}
	return nil
}

// cgroupOfRunning is the cgroup path in the container's specification.
func (l *Lab) cgroupOfRunning(ctx context.Context, c containerd.Container) string {
	spec, err := c.Spec(ctx)
	if err != nil || spec.Linux == nil {
		l.log.Debug("lab: no cgroup known", "container", c.ID(), "err", err)
		return ""
	}
	return spec.Linux.CgroupsPath
}

// noteSockets remembers the sockets of running shims: they lie outside the
// folder, and a killed shim leaves its own behind.
func (l *Lab) noteSockets() {
	files, err := filepath.Glob(filepath.Join(l.dir, "state", "io.containerd.runtime.v2.task", "*", "*", "address"))
	if err != nil {
		return // the pattern is ours and holds no error
	}
	for _, f := range files {
		b, err := os.ReadFile(f) //nolint:gosec // a file of the kernel
		if s, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "unix://"); err == nil && ok && filepath.IsAbs(s) {
			l.sockets[s] = true
		}
	}
}

// killShims ends the shims that serve this lab's socket.
func (l *Lab) killShims(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		left := l.shims()
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("shims %v outlive SIGKILL", left) //nolint:err113 // nobody distinguishes it
		}
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill shim %d: %w", pid, err)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (l *Lab) shims() []int {
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil // the pattern is ours and holds no error
	}
	var found []int
	for _, p := range procs {
		line, err := os.ReadFile(p) //nolint:gosec // a file of the kernel
		if err != nil {
			continue // ended meanwhile
		}
		args := strings.Split(string(line), "\x00")
		if !strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") || !contains(args, l.Address()) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p))); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func contains(args []string, address string) bool {
	for i := 1; i < len(args); i++ {
		if args[i-1] == "-address" && args[i] == address {
			return true
		}
	}
	return false
}

// unmount takes down every mount below the folder, the last one first.
func (l *Lab) unmount() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(mounts)), "\n")
	var errs []error
	for i := len(lines) - 1; i >= 0; i-- {
		f := strings.Fields(lines[i])
		if len(f) < 5 || !strings.HasPrefix(f[4], l.dir+"/") {
			continue
		}
		if err := unix.Unmount(f[4], unix.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", f[4], err))
		}
	}
	return errors.Join(errs...)
}

// removeCgroups removes the lab's cgroup subtree in every hierarchy.
func (l *Lab) removeCgroups(ctx context.Context) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var errs []error
		for _, root := range roots {
			errs = append(errs, removeTree(filepath.Join(root, l.cgroup)))
		}
		err := errors.Join(errs...)
		// A cgroup is busy for a moment after its last process has ended.
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("remove cgroup %s: %w", dir, err)
	}
	return nil
}
