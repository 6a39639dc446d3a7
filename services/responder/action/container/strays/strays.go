// Package strays finds processes of a container that are no longer where the
// container's processes are halted.
//
// A process with the right to write to cgroup files can move out of its
// cgroup, but it cannot leave its pid namespace: that, and those within it, is
// how it is found. A container in the host's pid namespace has none of its
// own; there the mount namespace must do, which a privileged process can leave.
//
// Start with [Find].
package strays

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Container is what is looked for: the namespaces of its first process.
type Container struct {
	PID    uint64 // inode of the pid namespace; 0 when it is the host's
	Mount  uint64 // inode of the mount namespace; 0 when it is the host's
	Unsure bool   // it can leave both without a trace
}

// Of looks at the namespaces of a container's first process.
func Of(pid int) (Container, error) {
	var c Container
	var err error
	if c.PID, err = differs(pid, "pid"); err != nil {
		return c, err
	}
	if c.Mount, err = differs(pid, "mnt"); err != nil {
		return c, err
	}
	if c.PID == 0 {
		c.Unsure = c.Mount == 0 || privileged(pid)
	}
	return c, nil
}

// differs gives a process's namespace, or 0 when it is that of the host's first process.
func differs(pid int, kind string) (uint64, error) {
	ns, err := inode("/proc/" + strconv.Itoa(pid) + "/ns/" + kind)
	if err != nil {
		return 0, fmt.Errorf("namespace of pid %d: %w", pid, err)
	}
	for _, host := range []string{"/proc/1/ns/", "/proc/self/ns/"} {
		if other, err := inode(host + kind); err == nil && other == ns {
			return 0, nil
		}
	}
	return ns, nil
}

func inode(file string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", file, err)
	}
	return st.Ino, nil
}

// privileged says that a process holds CAP_SYS_ADMIN, with which it can enter
// other namespaces.
func privileged(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(b)) {
		if caps, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(caps), 16, 64)
			return err != nil || set&(1<<unix.CAP_SYS_ADMIN) != 0
		}
	}
	return true
}

// Find lists the living processes of the containers that are not among those
// known to be held.
func Find(containers []Container, held map[int]bool) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	family := map[uint64]bool{} // pid namespace → belongs to one of the containers
	var out []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || held[pid] {
			continue
		}
		// A process without namespaces has ended, or is a kernel thread.
		ns, err := inode(dir + "/ns/pid")
		if err != nil {
			continue
		}
		mine, seen := family[ns]
		if !seen {
			mine = descends(dir+"/ns/pid", containers)
			family[ns] = mine
		}
		if mine || sharesMounts(dir, containers) {
			out = append(out, pid)
		}
	}
	return out, nil
}

// descends says whether a pid namespace is that of a container, or below it.
func descends(file string, containers []Container) bool {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == nil {
		var found bool
		var up int
		found, up, err = climb(fd, containers)
		if e := unix.Close(fd); err == nil {
			err = e
		}
		if found {
			return true
		}
		fd = up
	}
	return false // none above that we may see (EPERM), or ended meanwhile
}

// climb says whether a pid namespace is that of a container, and opens the one
// above it when it is not.
func climb(fd int, containers []Container) (found bool, up int, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, -1, fmt.Errorf("pid namespace: %w", err)
	}
	for _, c := range containers {
		if c.PID != 0 && c.PID == st.Ino {
			return true, -1, nil
		}
	}
	if up, err = unix.IoctlRetInt(fd, unix.NS_GET_PARENT); err != nil {
		return false, -1, fmt.Errorf("pid namespace: %w", err)
	}
	return false, up, nil
}

func sharesMounts(dir string, containers []Container) bool {
	for _, c := range containers {
		if c.Mount == 0 {
			continue
		}
		ns, err := inode(dir + "/ns/mnt")
		if err == nil && ns == c.Mount {
			return true
		}
	}
	return false
}
