// Package protect finds processes that must never be halted: ours, and those
// without which nothing could be released again.
//
// A name alone proves nothing, for an intruder could call his program kubelet
// and be spared. So a container's program counts only where it is proved to have
// come with the container's image; what lies in its writable layer, in a volume,
// in memory or in a file system of its own making never does. A program in the
// host's own mounts is what its name says. Where nothing can be proved, the
// container can be halted.
//
// Nothing here asks a file system that the container may serve itself, and
// could leave waiting for ever.
//
// Start with [New] and [Guard.Find].
package protect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Names are the programs that are protected unless others are configured.
func Names() []string {
	return []string{"containerd", "dockerd", "kubelet", "nats-server", "firebreak"}
}

// Guard knows what is protected.
type Guard struct {
	names []string
	self  file // our own program, in whatever process
	pid   int
}

// New makes a guard for programs of those names and for our own.
func New(names []string) (*Guard, error) {
	self, err := look(unix.AT_FDCWD, "/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("protect: our own program: %w", err)
	}
	return &Guard{names: names, self: self, pid: os.Getpid()}, nil
}

// Find gives the reason why one of a container's processes must not be halted,
// or "". The container's first process leads to its image.
func (g *Guard) Find(first int, pids []int) string {
	if slices.Contains(pids, g.pid) {
		return fmt.Sprintf("it holds this responder itself (pid %d)", g.pid)
	}
	var image layers
	for _, pid := range pids {
		dir, exe := program(pid)
		if exe == "" {
			continue // a kernel thread, or ended meanwhile
		}
		is, err := look(unix.AT_FDCWD, dir+"/exe")
		if err != nil {
			continue
		}
		if is == g.self {
			return fmt.Sprintf("it holds a process of Firebreak (pid %d)", pid)
		}
		name := filepath.Base(exe)
		if slices.Contains(g.names, name) && (onHost(dir) || image.of(first).have(exe, is)) {
			return fmt.Sprintf("it holds %s (pid %d, %s)", name, pid, exe)
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
