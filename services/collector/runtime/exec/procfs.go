package exec

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/cgroup"
	"firebreak/services/collector/runtime/exec/decode"
)

// readExec gathers from /proc what the BPF program reads in the kernel. It
// fails when the process is gone. host is the host's mount namespace.
func readExec(pid int, host uint32) (decode.Exec, error) {
	p := proc(pid)
	self, err := p.process()
	if err != nil {
		return decode.Exec{}, err
	}
	e := decode.Exec{PID: pid, Start: self.Start, Path: self.Path, MountNS: self.MountNS, HostMount: host, Cgroups: self.Cgroups}
	e.File.Device, e.File.Inode, e.File.Size = self.Device, self.Inode, self.Size
	if e.Args, e.ArgsCut, err = p.args(); err != nil {
		return e, err
	}
	if e.UID, err = p.uid(); err != nil {
		return e, err
	}
	if err := p.mounts(&e); err != nil {
		return e, err
	}
	// A parent that is gone meanwhile is left out, like one that was never known.
	if parent, err := proc(self.PID).process(); err == nil {
		parent.PID = self.PID
		e.Parent = parent
	}
	return e, nil
}

// proc reads the entries of one process.
type proc int

func (p proc) name(entry string) string { return "/proc/" + strconv.Itoa(int(p)) + "/" + entry }

func (p proc) read(entry string) (string, error) {
	raw, err := os.ReadFile(p.name(entry))
	return string(raw), err
}

// process reads what is wanted of a parent as well; PID is its parent's.
func (p proc) process() (decode.Parent, error) {
	var d decode.Parent
	stat, err := p.read("stat")
	if err != nil {
		return d, err
	}
	if d.PID, d.Start, err = parseStat(stat); err != nil {
		return d, err
	}
	text, err := p.read("cgroup")
	if err != nil {
		return d, err
	}
	groups, err := cgroup.Parse(text)
	if err != nil {
		return d, err
	}
	d.Cgroups.V1, d.Cgroups.V2 = cgroup.Paths(groups)
	if d.MountNS, err = p.mountNS(); err != nil {
		return d, err
	}
	if d.Path, err = os.Readlink(p.name("exe")); err != nil {
		return d, err
	}
	d.Path = strings.TrimSuffix(d.Path, " (deleted)")
	var st unix.Stat_t
	if err := unix.Stat(p.name("exe"), &st); err != nil {
		return d, &os.PathError{Op: "stat", Path: p.name("exe"), Err: err}
	}
	d.Device, d.Inode, d.Size = kernelDevice(st.Dev), st.Ino, uint64(st.Size) //nolint:gosec // a size
	return d, nil
}

// ticksPerSecond is USER_HZ, which is 100 on every architecture we build for.
const ticksPerSecond = 100

// parseStat takes the parent's pid and the start from /proc/<pid>/stat. The
// name in parentheses may hold anything, parentheses included.
func parseStat(text string) (parent int, start uint64, err error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("stat of a process: %w: %d fields after its name", schemas.ErrInvalid, len(fields))
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, fmt.Errorf("stat of a process: parent: %w", schemas.ErrInvalid)
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("stat of a process: start: %w", schemas.ErrInvalid)
	}
	return parent, ticks * (1_000_000_000 / ticksPerSecond), nil
}

// maxArgs is what the BPF program takes along.
const maxArgs = 4096

func (p proc) args() (args []string, cut bool, err error) {
	text, err := p.read("cmdline")
	if err != nil || text == "" {
		return nil, false, err
	}
	if len(text) > maxArgs {
		text, cut = text[:maxArgs], true
	}
	return strings.Split(strings.TrimSuffix(text, "\x00"), "\x00"), cut, nil
}

// uid is the effective one.
func (p proc) uid() (uint32, error) {
	text, err := p.read("status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "Uid:" {
			id, err := strconv.ParseUint(f[2], 10, 32)
			if err != nil {
				break
			}
			return uint32(id), nil
		}
	}
	return 0, fmt.Errorf("status of process %d: %w: no user id", p, schemas.ErrInvalid)
}

func (p proc) mountNS() (uint32, error) {
	link, err := os.Readlink(p.name("ns/mnt"))
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "mnt:["), "]"), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("mount namespace %q of process %d: %w", link, p, schemas.ErrInvalid)
	}
	return uint32(id), nil
}
