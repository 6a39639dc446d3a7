package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// capabilities that Firebreak uses, with what is lost without each.
var capabilities = []struct {
	bit      int
	name     string
	required bool
	lost     string
}{
	{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", true, "containerd's socket and the cgroups of containers cannot be opened"},
	{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", true, "no containment can be verified, and processes cannot be looked at for their origin and for evidence"},
	{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", false, "a container cannot be marked as halted, so it is only paused, which is slower"},
	{unix.CAP_KILL, "CAP_KILL", false, "a container is not halted before its pause where that takes signals"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", false, "the proc connector, which stands in for eBPF, cannot be used"},
	{unix.CAP_BPF, "CAP_BPF", false, "the eBPF exec sensor cannot be loaded"},
	{unix.CAP_PERFMON, "CAP_PERFMON", false, "the eBPF exec sensor cannot be attached"},
}

// Inode numbers of the kernel's first namespaces (include/linux/proc_ns.h).
const (
	firstPIDNamespace  = "pid:[4026531836]"
	firstUserNamespace = "user:[4026531837]"
)

func privileges(self string) Result {
	const root = "Run Firebreak as root on the host (the systemd unit in deploy/systemd does)."
	raw, err := readSmall(filepath.Join(self, "status"))
	if err != nil {
		return fail(root, "cannot tell: %v", err)
	}
	effective, uid, err := parseStatus(raw)
	if err != nil {
		return fail(root, "cannot tell: %v", err)
	}
	if ns, err := os.Readlink(filepath.Join(self, "ns/user")); err == nil && ns != firstUserNamespace {
		return fail(root, "uid %d in a user namespace: its capabilities do not reach the host's containers", uid)
	}
	if ns, err := os.Readlink(filepath.Join(self, "ns/pid")); err == nil && ns != firstPIDNamespace {
		return fail("Run it in the host's pid namespace (hostPID in Kubernetes, --pid=host elsewhere).", "a pid namespace of its own: processes of other containers cannot be seen")
	}
	var lost []string
	state := OK
	for _, c := range capabilities {
		if effective&(1<<c.bit) != 0 {
			continue
		}
		lost = append(lost, c.name+": "+c.lost)
		state = worse(state, Warn)
		if c.required {
			state = Fail
		}
	}
	if state == OK {
		return ok("uid %d with every capability needed", uid)
	}
	remedy := root
	if uid == 0 { // somebody took them away
		remedy = "Grant them: CapabilityBoundingSet= in the unit, capabilities.add in a pod, --cap-add elsewhere."
	}
	return Result{State: state, Detail: fmt.Sprintf("uid %d lacks %s", uid, strings.Join(lost, "; ")), Remedy: remedy}
}

// parseStatus takes the effective capabilities and user id from /proc/<pid>/status.
func parseStatus(raw []byte) (effective uint64, uid int, err error) {
	uid = -1
	found := false
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case key == "CapEff" && len(fields) == 1:
			if effective, err = strconv.ParseUint(fields[0], 16, 64); err != nil {
				return 0, -1, fmt.Errorf("CapEff %q: %w", fields[0], err)
			}
			found = true
		case key == "Uid" && len(fields) == 4: // real, effective, saved, filesystem
			if uid, err = strconv.Atoi(fields[1]); err != nil {
				return 0, -1, fmt.Errorf("uid %q: %w", fields[1], err)
			}
		}
	}
	if !found || uid < 0 {
		return 0, -1, errors.New("the process's status names no capabilities or user")
	}
	return effective, uid, nil
}

func kernel(btf string) Result {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fail("", "cannot tell: %v", err)
	}
	release := string(bytes.TrimRight(u.Release[:], "\x00"))
	if !atLeast(release, 5, 8) {
		return warn("Use a kernel of 5.8 or later for the eBPF exec sensor.", "%s: has no BPF ring buffer", release)
	}
	f, err := openSmall(btf)
	if err != nil {
		return warn("Use a kernel built with CONFIG_DEBUG_INFO_BTF, as the kernels of the distributions are; in a container mount /sys/kernel/btf.", "%s, without type information (BTF): %v", release, err)
	}
	if err := f.Close(); err != nil {
		return warn("", "%s: %v", release, err)
	}
	return ok("%s with BTF", release)
}

// atLeast compares a kernel's release, such as "6.1.0-21-amd64".
func atLeast(release string, major, minor int) bool {
	var a, b int
	if n, err := fmt.Sscanf(release, "%d.%d", &a, &b); n != 2 || err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

func limits() Result {
	var files, locked unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return warn("", "cannot tell: %v", err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &locked); err != nil {
		return warn("", "cannot tell: %v", err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return warn("", "cannot tell: %v", err)
	}
	return judgeLimits(files.Max, locked.Max, string(bytes.TrimRight(u.Release[:], "\x00")))
}

func judgeLimits(files, locked uint64, release string) Result {
	const enoughFiles, enoughLocked = 4096, 64 << 20
	if files < enoughFiles {
		return warn("Raise it: `ulimit -Hn 65536`, or LimitNOFILE= in the unit.", "at most %d open files; the bus and the sensor want %d", files, enoughFiles)
	}
	// Since 5.11 the memory of BPF maps counts for the cgroup, not for this limit.
	if locked < enoughLocked && !atLeast(release, 5, 11) {
		return warn("Raise it: `ulimit -Hl unlimited`, or LimitMEMLOCK= in the unit.", "at most %d KiB of locked memory on a kernel before 5.11; the eBPF sensor wants %d MiB", locked>>10, enoughLocked>>20)
	}
	return ok("%d open files", files)
}

// firstClock is before any build of Firebreak: a clock before it is wrong.
var firstClock = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func clock(dataDir string) Result {
	var t unix.Timex // modes 0: only read
	state, err := unix.Adjtimex(&t)
	synced := err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	return judgeClock(time.Now(), newest(dataDir), synced)
}

func judgeClock(now, newest time.Time, synced bool) Result {
	const remedy = "Set the clock and keep it with chrony or systemd-timesyncd: windows, expiry and the order of events of several hosts rest on it."
	switch {
	case now.Before(firstClock):
		return fail(remedy, "the clock says %s", now.UTC().Format(time.RFC3339))
	case newest.After(now.Add(time.Minute)):
		return warn(remedy, "the clock is behind: files of the data folder were written %s from now", newest.Sub(now).Round(time.Second))
	case !synced:
		return warn(remedy, "%s, and nothing keeps it in step", now.UTC().Format(time.RFC3339))
	default:
		return ok("%s, kept in step", now.UTC().Format(time.RFC3339))
	}
}

// newest gives when the youngest file of a folder was written; the zero time
// when there is none to be seen.
func newest(dir string) time.Time {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return time.Time{} // the check of the data folder reports it
	}
	var last time.Time
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// openSmall opens a regular file; anything else could block.
func openSmall(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) //nolint:gosec // a place of the kernel
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is %s, not a regular file", path, kindOf(info.Mode()))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := openSmall(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return raw, errors.Join(err, f.Close())
}

func kindOf(m os.FileMode) string {
	switch {
	case m.IsRegular():
		return "a regular file"
	case m.IsDir():
		return "a folder"
	case m&os.ModeNamedPipe != 0:
		return "a named pipe"
	case m&os.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}
