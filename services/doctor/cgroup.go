package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is where and how this host freezes.
type hierarchy struct {
	mode string // v1 | hybrid | v2
	dir  string // where the freezer is mounted
	v2   bool   // which of the two freezers it is
}

// readHierarchy finds the freezer in the text of a mountinfo file.
func readHierarchy(mountinfo string) (hierarchy, error) {
	var one, two, freezer string
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(line, " - ")
		at, kind := strings.Fields(before), strings.Fields(after)
		if !found || len(at) < 5 || len(kind) < 3 {
			continue
		}
		switch kind[0] {
		case "cgroup2":
			if two == "" {
				two = at[4]
			}
		case "cgroup":
			one = at[4]
			if slices.Contains(strings.Split(kind[2], ","), "freezer") {
				freezer = at[4]
			}
		}
	}
	switch {
	case freezer != "" && two != "":
		return hierarchy{mode: "hybrid", dir: freezer}, nil
	case freezer != "":
		return hierarchy{mode: "v1", dir: freezer}, nil
	case two != "" && one != "":
		return hierarchy{mode: "hybrid", dir: two, v2: true}, nil
	case two != "":
		return hierarchy{mode: "v2", dir: two, v2: true}, nil
	default:
		return hierarchy{}, errors.New("no freezer is mounted, neither cgroup v2 nor the freezer of v1")
	}
}

// cgroups freezes a process of its own in a cgroup of its own.
func cgroups(ctx context.Context, mountinfo string) Result {
	const remedy = "Give Firebreak a writable cgroup file system: on the host itself, or with the host's /sys/fs/cgroup mounted into its container."
	raw, err := readSmall(mountinfo)
	if err != nil {
		return fail(remedy, "cannot tell: %v", err)
	}
	h, err := readHierarchy(string(raw))
	if err != nil {
		return fail(remedy, "%v", err)
	}
	what, err := h.tryFreeze(ctx)
	if err != nil {
		return fail(remedy, "%s, and freezing does not work: %v", h.mode, err)
	}
	return ok("%s: %s was frozen and thawed at %s", h.mode, what, h.dir)
}

// trialName begins the name of the cgroups that this process tries.
var trialName = "firebreak-doctor-" + strconv.Itoa(os.Getpid()) + "-"

// tryFreeze leaves nothing behind, whatever happens.
func (h hierarchy) tryFreeze(ctx context.Context) (what string, err error) {
	dir, err := os.MkdirTemp(h.dir, trialName+"*")
	if err != nil {
		return "", fmt.Errorf("make a cgroup: %w", err)
	}
	defer func() { err = errors.Join(err, removeCgroup(dir)) }()

	what = "an empty cgroup"
	if sleep, lookErr := exec.LookPath("sleep"); lookErr == nil {
		what = "a process"
		child := exec.Command(sleep, "60") //nolint:gosec // from the operator's PATH; ended below, after the thaw, and not by ctx
		if err := child.Start(); err != nil {
			return "", fmt.Errorf("start a process to freeze: %w", err)
		}
		defer func() { err = errors.Join(err, end(child)) }()
		if err := write(dir, "cgroup.procs", strconv.Itoa(child.Process.Pid)); err != nil {
			return "", fmt.Errorf("put a process into a cgroup: %w", err)
		}
	}
	// Thaw before the process is ended: on v1 a kill waits for it.
	defer func() { err = errors.Join(err, h.thaw(dir)) }()
	if err := h.freeze(dir); err != nil {
		return "", err
	}
	return what, h.awaitFrozen(ctx, dir)
}

func (h hierarchy) freeze(dir string) error {
	if h.v2 {
		return write(dir, "cgroup.freeze", "1")
	}
	return write(dir, "freezer.state", "FROZEN")
}

func (h hierarchy) thaw(dir string) error {
	if h.v2 {
		return write(dir, "cgroup.freeze", "0")
	}
	return write(dir, "freezer.state", "THAWED")
}

func (h hierarchy) awaitFrozen(ctx context.Context, dir string) error {
	file, want := "freezer.state", "FROZEN"
	if h.v2 {
		file, want = "cgroup.events", "frozen 1"
	}
	for {
		raw, err := readSmall(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		if strings.Contains(string(raw), want) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the kernel never said %q: %w", want, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// write sets a file of a cgroup; it never makes one.
func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0) //nolint:gosec // in the cgroup made above
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func end(child *exec.Cmd) error {
	if err := child.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the process that was frozen: %w", err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("end the process that was frozen: %w", err)
	}
	return nil
}

// removeCgroup waits for the kernel to let go of what ran there.
func removeCgroup(dir string) error {
	for tries := 0; ; tries++ {
		err := unix.Rmdir(dir)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, unix.EBUSY) && tries < 200:
			time.Sleep(10 * time.Millisecond)
		default:
			return fmt.Errorf("remove the cgroup %s: %w", dir, err)
		}
	}
}
