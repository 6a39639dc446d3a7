// Package protect finds processes that must never be halted: ours, and those
// without which nothing could be released again.
//
// A name alone proves nothing, for an intruder could call his program kubelet
// and be spared. So a file that lies in the container's writable layer or in
// memory is never taken for one of these; one that came with the image is.
//
// Start with [New] and [Guard.Find].
package protect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Names are the programs that are protected unless others are configured.
func Names() []string {
	return []string{"containerd", "dockerd", "kubelet", "nats-server", "firebreak"}
}

// Guard knows what is protected.
type Guard struct {
	names []string
	self  os.FileInfo // our own program, in whatever process
	pid   int
}

// New makes a guard for programs of those names and for our own.
func New(names []string) (*Guard, error) {
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("protect: our own program: %w", err)
	}
	return &Guard{names: names, self: self, pid: os.Getpid()}, nil
}

// Find gives the reason why one of the processes must not be halted, or "".
func (g *Guard) Find(pids []int) string {
	for _, pid := range pids {
		if pid == g.pid {
			return fmt.Sprintf("it holds this responder itself (pid %d)", pid)
		}
		dir, exe := program(pid)
		if exe == "" {
			continue // a kernel thread, or ended meanwhile
		}
		name := filepath.Base(exe)
		if slices.Contains(g.names, name) && genuine(dir, exe) {
			return fmt.Sprintf("it holds %s (pid %d, %s)", name, pid, exe)
		}
		if info, err := os.Stat(dir + "/exe"); err == nil && os.SameFile(info, g.self) {
			return fmt.Sprintf("it holds a process of Firebreak (pid %d)", pid)
		}
	}
	return ""
}

// program gives what a process executes, and the folder of the thread that
// tells: the first one can have ended before the others, for good or while
// another one executes a new program.
func program(pid int) (dir, exe string) {
	dir = "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(dir + "/exe")
	if err == nil {
		return dir, exe
	}
	threads, err := os.ReadDir(dir + "/task")
	if err != nil {
		return dir, ""
	}
	for _, t := range threads {
		one := dir + "/task/" + t.Name()
		if exe, err := os.Readlink(one + "/exe"); err == nil {
			return one, exe
		}
	}
	return dir, ""
}

// genuine says that the program can have come with the image.
func genuine(dir, exe string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir+"/exe", &st); err != nil {
		return !errors.Is(err, unix.ENOENT)
	}
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC || strings.HasSuffix(exe, " (deleted)") {
		return false
	}
	upper := upperDir(dir)
	if upper == "" {
		return true // no writable layer to look into
	}
	_, err := os.Lstat(filepath.Join(upper, exe))
	return errors.Is(err, fs.ErrNotExist)
}

// upperDir is the writable layer of a process's root, when that is an overlay.
func upperDir(dir string) string {
	b, err := os.ReadFile(dir + "/mountinfo") //nolint:gosec // a path of our own making
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || f[4] != "/" || len(g) < 3 || g[0] != "overlay" {
			continue
		}
		for o := range strings.SplitSeq(g[2], ",") {
			if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
				return dir
			}
		}
	}
	return ""
}
