package lease

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holder names a process: a pid alone may be used again.
type Holder struct {
	Host   string `json:"host"`
	BootID string `json:"boot_id"` // of the kernel, with the pid namespace in which PID counts
	PID    int    `json:"pid"`
	Start  uint64 `json:"start"` // when it started, in clock ticks since the boot
}

// Self is this process.
func Self() (Holder, error) {
	host, err := os.Hostname()
	if err != nil {
		return Holder{}, fmt.Errorf("name of this host: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Holder{}, fmt.Errorf("boot of this host: %w", err)
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return Holder{}, fmt.Errorf("pid namespace of this process: %w", err)
	}
	start, err := started(os.Getpid())
	if err != nil {
		return Holder{}, err
	}
	return Holder{Host: host, BootID: strings.TrimSpace(string(boot)) + " " + ns, PID: os.Getpid(), Start: start}, nil
}

// dead says for certain that the holder, a process of the same host, boot and
// pid namespace as self, is no longer alive. False where that cannot be known.
func (h Holder) dead(self Holder) bool {
	if h.BootID == "" || h.Host != self.Host || h.BootID != self.BootID || h.PID <= 0 {
		return false
	}
	start, err := started(h.PID)
	switch {
	case err == nil:
		return start != h.Start
	case errors.Is(err, os.ErrProcessDone):
		return true
	default:
		// /proc may hide the processes of others; a signal tells them apart.
		return errors.Is(unix.Kill(h.PID, 0), unix.ESRCH)
	}
}

// started reads when a process started; a zombie counts as ended.
func started(pid int) (uint64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", pid, err)
	}
	// The name stands in parentheses and may hold anything, these too.
	end := bytes.LastIndexByte(raw, ')')
	fields := strings.Fields(string(raw[end+1:]))
	const state, starttime = 0, 19 // of the fields behind the name
	if end < 0 || len(fields) <= starttime {
		return 0, fmt.Errorf("process %d: its stat cannot be read", pid)
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return 0, fmt.Errorf("process %d: %w: it has ended", pid, os.ErrProcessDone)
	}
	start, err := strconv.ParseUint(fields[starttime], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("process %d: its start: %w", pid, err)
	}
	return start, nil
}
