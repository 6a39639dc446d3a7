package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// instance asks who is at work on the data folder.
func instance(dir, locks string) Result {
	who, err := holders(dir, locks)
	switch {
	case err != nil:
		return warn("See whether a Firebreak runs on this data folder before starting one.", "cannot tell: %v", err)
	case len(who) > 0:
		return warn("One Firebreak at a time can use a data folder: stop that one before another is started on it, or give the other a data_dir of its own.", "at work on %s: %s", dir, strings.Join(who, ", "))
	default:
		return ok("none is at work on %s", dir)
	}
}

// holders lists the processes that hold a lock of the data folder. It looks
// into the kernel's own list rather than trying to lock: a Firebreak that
// starts at that moment would be turned away by the trial.
func holders(dir, locks string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.lock"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	raw, err := readSmall(locks)
	if err != nil {
		return nil, err
	}
	held := parseLocks(string(raw))
	var who []string
	for _, file := range files {
		var st unix.Stat_t
		if err := unix.Lstat(file, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue // gone again, or nothing that Firebreak made
		}
		content, err := readSmall(file)
		if err != nil {
			return nil, err
		}
		// Inode numbers are of a disk; that the file names the same process
		// makes it the right one.
		pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
		if err == nil && slices.Contains(held[st.Ino], pid) {
			part := strings.TrimSuffix(filepath.Base(file), ".lock")
			who = append(who, fmt.Sprintf("process %d (%s)", pid, part))
		}
	}
	return who, nil
}

// parseLocks reads /proc/locks: which processes hold a lock on which inode.
// A line is "1: FLOCK  ADVISORY  WRITE 42 fe:00:1234 0 EOF".
func parseLocks(text string) map[uint64][]int {
	held := map[uint64][]int{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" {
			continue // a process that waits has "->" there
		}
		pid, err := strconv.Atoi(f[4])
		if err != nil {
			continue
		}
		device := strings.Split(f[5], ":")
		inode, err := strconv.ParseUint(device[len(device)-1], 10, 64)
		if err != nil {
			continue
		}
		held[inode] = append(held[inode], pid)
	}
	return held
}
