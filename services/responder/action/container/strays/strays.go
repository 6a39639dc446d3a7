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
	"errors"
	"fmt"
	"os"
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
	_, ns, err := namespace("/proc/"+strconv.Itoa(pid), kind)
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

// namespace gives the file and the inode of a process's namespace, by another
// thread where the first one has ended before the others.
func namespace(dir, kind string) (file string, ino uint64, err error) {
	file = dir + "/ns/" + kind
	if ino, err = inode(file); err == nil {
		return file, ino, nil
	}
	tasks, e := os.ReadDir(dir + "/task")
	if e != nil || len(tasks) < 2 {
		return file, 0, err
	}
	for _, t := range tasks {
		file = dir + "/task/" + t.Name() + "/ns/" + kind
		if ino, e := inode(file); e == nil {
			return file, ino, nil
		}
	}
	return file, 0, err
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

// Find lists all living processes of the containers, wherever they are.
func Find(containers []Container) ([]int, error) {
	names, err := processes()
	if err != nil {
		return nil, err
	}
	kernel := kernelThreads()
	family := map[uint64]bool{} // pid namespace → belongs to one of the containers
	var out []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || kernel[name] {
			continue
		}
		dir := "/proc/" + name
		// A process without namespaces has ended, or is a kernel thread.
		file, ns, err := namespace(dir, "pid")
		if err != nil {
			continue
		}
		mine, seen := family[ns]
		if !seen {
			mine = descends(file, containers)
			family[ns] = mine
		}
		if mine || sharesMounts(dir, containers) {
			out = append(out, pid)
		}
	}
	return out, nil
}

// kernelThreads gives the ids of the kernel's own threads, most of what /proc
// lists on a small host; looking at the namespaces of each would take longer
// than all the rest. Where the kernel does not tell, they are looked at.
func kernelThreads() map[string]bool {
	const kthreadd = "/proc/2"
	name, err := os.ReadFile(kthreadd + "/comm")
	if err != nil || strings.TrimSpace(string(name)) != "kthreadd" {
		return nil // a pid namespace of our own: 2 is somebody else
	}
	children, err := os.ReadFile(kthreadd + "/task/2/children")
	if err != nil {
		return nil
	}
	all := map[string]bool{"2": true}
	for _, pid := range strings.Fields(string(children)) {
		all[pid] = true
	}
	return all
}

func processes() ([]string, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	names, err := proc.Readdirnames(-1)
	if err = errors.Join(err, proc.Close()); err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return names, nil
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

// sharesMounts says whether a process is in the mount namespace of a container
// that has no pid namespace of its own.
func sharesMounts(dir string, containers []Container) bool {
	var mine uint64
	for _, c := range containers {
		if c.PID != 0 || c.Mount == 0 {
			continue
		}
		if mine == 0 {
			var err error
			if _, mine, err = namespace(dir, "mnt"); err != nil {
				return false
			}
		}
		if mine == c.Mount {
			return true
		}
	}
	return false
}
