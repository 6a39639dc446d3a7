package halt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Cgroup is one cgroup with a freezer. The zero Cgroup is none.
type Cgroup struct {
	Path string // below its hierarchy's root
	V2   bool

	root string
}

// Zero says whether this is no cgroup at all.
func (c Cgroup) Zero() bool { return c.Path == "" }

// Dir is the cgroup's folder.
func (c Cgroup) Dir() string { return c.root + c.Path }

// Exists says whether the cgroup is there.
func (c Cgroup) Exists() bool {
	var st unix.Stat_t
	return !c.Zero() && unix.Stat(c.Dir(), &st) == nil
}

// Freeze asks the kernel to stop everything in the cgroup and below. It
// returns at once; see Frozen and AwaitFrozen.
func (c Cgroup) Freeze() error {
	if c.V2 {
		return c.write("cgroup.freeze", "1")
	}
	return c.write("freezer.state", "FROZEN")
}

// Thaw lets it run on, unless a cgroup above is frozen.
func (c Cgroup) Thaw() error {
	if c.V2 {
		return c.write("cgroup.freeze", "0")
	}
	return c.write("freezer.state", "THAWED")
}

// Frozen says whether nothing in the cgroup and below can run, by this or by a
// freezer above it.
func (c Cgroup) Frozen() (bool, error) {
	if c.V2 {
		b, err := c.read("cgroup.events")
		return bytes.Contains(b, []byte("frozen 1")), err
	}
	b, err := c.read("freezer.state")
	return bytes.HasPrefix(b, []byte("FROZEN")), err
}

// SelfFrozen says whether this cgroup's own switch is on.
func (c Cgroup) SelfFrozen() (bool, error) {
	name := "freezer.self_freezing"
	if c.V2 {
		name = "cgroup.freeze"
	}
	b, err := c.read(name)
	return bytes.HasPrefix(b, []byte("1")), err
}

// AwaitFrozen waits until everything has stopped, at most for limit.
func (c Cgroup) AwaitFrozen(ctx context.Context, limit time.Duration) (bool, error) {
	return Await(ctx, limit, c.Frozen)
}

// Await looks again and again, at most for limit. It sleeps in the kernel, for the runtime's
// timers would make a wait of 20 µs one of 1 ms.
func Await(ctx context.Context, limit time.Duration, look func() (bool, error)) (bool, error) {
	deadline := time.Now().Add(limit)
	pause := unix.NsecToTimespec((20 * time.Microsecond).Nanoseconds())
	for {
		if done, err := look(); done || err != nil {
			return done, err
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false, nil
		}
		// A sleep that a signal cuts short only makes the next look earlier.
		if err := unix.Nanosleep(&pause, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("wait for %d ns: %w", pause.Nsec, err)
		}
		if pause.Nsec < int64(time.Millisecond) {
			pause.Nsec += pause.Nsec / 4
		}
	}
}

// Procs lists the processes of the cgroup and of those below it.
func (c Cgroup) Procs() ([]int, error) {
	if c.Zero() {
		return nil, nil
	}
	var pids []int
	err := filepath.WalkDir(c.Dir(), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if !d.IsDir() {
			return nil
		}
		b, err := readFile(p + "/cgroup.procs")
		if err != nil {
			if errors.Is(err, ErrGone) || errors.Is(err, unix.EOPNOTSUPP) {
				return nil // ended meanwhile, or a threaded cgroup: its processes are listed above it
			}
			return err
		}
		pids = appendPIDs(pids, b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("processes of cgroup %s: %w", c.Path, err)
	}
	return pids, nil
}

func appendPIDs(pids []int, b []byte) []int {
	for f := range bytes.FieldsSeq(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Children lists the names of the cgroups directly below.
func (c Cgroup) Children() ([]string, error) {
	if c.Zero() {
		return nil, nil
	}
	return childDirs(c.Dir())
}

// Child is the cgroup of that name directly below.
func (c Cgroup) Child(name string) Cgroup { return cgroup(c.root, c.Path+"/"+name, c.V2) }
