package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotRead says that a program must not be opened, or is no file.
var ErrNotRead = errors.New("not read")

// Program opens the program that a process runs, whether it has a name or not.
// The root is the device of the container's root ("major:minor", "" when it is
// not known).
//
// A container may serve a file system itself (FUSE), and never answer while it
// is paused: so the kernel is asked on what the file lies, and it is opened
// only where it lies on a file system of the host.
func Program(p Process, root string) (*os.File, error) {
	dir, err := os.Open(p.Folder())
	if err != nil {
		return nil, fmt.Errorf("program of process %d: %w", p.PID, err)
	}
	defer dir.Close() //nolint:errcheck // read only
	// O_PATH gets hold of the file without opening it.
	fd, err := unix.Openat(int(dir.Fd()), "exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("program of process %d: %w", p.PID, err)
	}
	held := os.NewFile(uintptr(fd), "program")
	defer held.Close() //nolint:errcheck // read only
	// After the descriptor was got: that it is the same process now means that
	// it was then, for the folder was opened before.
	if b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/stat"); err != nil {
		return nil, fmt.Errorf("program of process %d: %w", p.PID, err)
	} else if s, err := parseStat(b); err != nil || s.start != p.Start {
		return nil, fmt.Errorf("program of process %d: %w: the process has ended", p.PID, ErrNotRead)
	}
	if why := unsafe(p.Folder(), fd, root); why != "" {
		return nil, fmt.Errorf("program of process %d: %w: %s", p.PID, ErrNotRead, why)
	}
	open, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("program of process %d: %w", p.PID, err)
	}
	return os.NewFile(uintptr(open), "program"), nil
}

// unsafe is the reason why a file must not be read, or "". It asks no file system.
func unsafe(of string, fd int, root string) string {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st); err != nil {
		return err.Error()
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "it is no regular file"
	}
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return err.Error()
	}
	mounts, err := os.ReadFile(of + "/mountinfo") //nolint:gosec // a folder of /proc
	if err != nil {
		return err.Error()
	}
	kind, device := mountOf(mountID(string(info)), string(mounts))
	switch kind {
	case "tmpfs", "ramfs", "ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "zfs":
		return ""
	case "overlay":
		if device == root {
			return ""
		}
		return "it lies on an overlay that is not the container's root"
	case "":
		if inMemory(st) {
			return ""
		}
		return "it lies on a file system that is mounted nowhere any more"
	}
	return "it lies on a file system of the kind " + strconv.Quote(kind) + ", which may never answer"
}

func mountID(fdinfo string) string {
	for line := range strings.Lines(fdinfo) {
		if rest, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func mountOf(id, mounts string) (kind, device string) {
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if ok && len(f) >= 5 && len(g) >= 1 && f[0] == id {
			return g[0], f[2]
		}
	}
	return "", ""
}

// inMemory says whether a file lies where the kernel keeps files that have
// never had a name (memfd_create): one of our own lies there too.
func inMemory(st unix.Statx_t) bool {
	fd, err := unix.MemfdCreate("firebreak", unix.MFD_CLOEXEC)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var ours unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &ours)
	return err == nil && ours.Dev_major == st.Dev_major && ours.Dev_minor == st.Dev_minor
}
