package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Free space below which the bus acts (see docs/operating.md), and below which
// the operator should.
const (
	refuseEvents = 512 << 20
	freeBallast  = 64 << 20
	soon         = 1 << 30
)

// folder asks whether the data folder can be written, or made.
func folder(dir string) Result {
	const remedy = "Give Firebreak a folder of its own on a local, writable disk (data_dir)."
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		above, err := existing(dir)
		if err != nil {
			return fail(remedy, "%v", err)
		}
		if err := unix.Access(above, unix.W_OK|unix.X_OK); err != nil {
			return fail(remedy, "%s is not there and cannot be made in %s: %v", dir, above, err)
		}
		return ok("%s will be made", dir)
	}
	switch {
	case err != nil:
		return fail(remedy, "%v", err)
	case !info.IsDir():
		return fail(remedy, "%s is %s, not a folder", dir, kindOf(info.Mode()))
	}
	if err := tryWrite(dir); err != nil {
		return fail(remedy, "%s cannot be written: %v", dir, err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return warn("chmod 700 "+dir, "%s has mode %04o: it holds the keys, and others can look into it", dir, info.Mode().Perm())
	}
	return ok("%s can be written", dir)
}

// tryWrite stores a file as the bus would, and takes it away again.
func tryWrite(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".firebreak-doctor-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close())
}

// space compares what is free with the bus's thresholds.
func space(dir string) Result {
	above, err := existing(dir)
	if err != nil {
		return fail("", "%v", err)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(above, &s); err != nil {
		return fail("", "cannot tell how much is free at %s: %v", above, err)
	}
	return judgeSpace(above, s.Bavail*uint64(s.Bsize), s.Files > 0 && s.Ffree == 0) //nolint:gosec // the size of a block is positive
}

func judgeSpace(dir string, free uint64, noInodes bool) Result {
	const remedy = "Free space on that disk, or move data_dir to a larger one."
	switch {
	case noInodes:
		return fail(remedy, "no inode is free at %s", dir)
	case free < freeBallast:
		return fail(remedy, "%s free at %s: below %s the ledger lives on its ballast, and then on nothing", size(free), dir, size(freeBallast))
	case free < refuseEvents:
		return fail(remedy, "%s free at %s: below %s new events are refused and collectors spool", size(free), dir, size(refuseEvents))
	case free < soon:
		return warn(remedy, "%s free at %s: at %s new events will be refused", size(free), dir, size(refuseEvents))
	default:
		return ok("%s free at %s", size(free), dir)
	}
}

func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}

// existing gives the folder itself, or the nearest above it that exists.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("folder %s: %w", dir, err)
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", fmt.Errorf("%s is %s, not a folder", dir, kindOf(info.Mode()))
		case !errors.Is(err, fs.ErrNotExist) || dir == "/":
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}
