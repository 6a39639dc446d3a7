package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// lockDataDir makes this process the only one at work on a data folder. The
// kernel lets go of the lock when the process ends, however it ends.
func lockDataDir(dir, part string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); errors.Is(err, unix.ENOTDIR) {
		return nil, usagef("data_dir: %s, or what is above it, is a file and no folder", dir)
	} else if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	path := filepath.Join(dir, part+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // below the operator's folder
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("another Firebreak%s is at work on %s: stop it first, or give this one a data_dir of its own", holder(path), dir)
		} else {
			err = fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, errors.Join(err, f.Close())
	}
	if err := writePID(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil //nolint:errcheck // only a lock is given up
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	return nil
}

// holder says which process has the lock, when the file tells.
func holder(path string) string {
	raw, err := os.ReadFile(path) //nolint:gosec // our own lock file
	if err != nil {
		return ""
	}
	var pid int
	if _, err := fmt.Sscan(string(raw), &pid); err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}
