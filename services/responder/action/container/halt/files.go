package halt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Files of the kernel are read and written by system calls alone: the hot path
// has no use for the poller behind os.File.

func (c Cgroup) write(name, value string) error {
	file := c.Dir() + "/" + name
	if c.Zero() {
		return fmt.Errorf("write %s: %w: no cgroup", name, ErrGone)
	}
	fd, err := open(file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	if e := unix.Close(fd); err == nil {
		err = e
	}
	return classed("write "+value+" to", file, err)
}

func (c Cgroup) read(name string) ([]byte, error) {
	if c.Zero() {
		return nil, fmt.Errorf("read %s: %w: no cgroup", name, ErrGone)
	}
	return readFile(c.Dir() + "/" + name)
}

func readProc(pid int, name string) ([]byte, error) {
	return readFile("/proc/" + strconv.Itoa(pid) + "/" + name)
}

func open(file string, flags int) (int, error) {
	for {
		fd, err := unix.Open(file, flags|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, classed("open", file, err)
		}
	}
}

func readFile(file string) ([]byte, error) {
	fd, err := open(file, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 512)
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := unix.Read(fd, out[len(out):cap(out)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			if e := unix.Close(fd); err == nil {
				err = e
			}
			return out, classed("read", file, err)
		}
		out = out[:len(out)+n]
	}
}

// classed makes "no such thing any more" one class.
func classed(what, file string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%s %s: %w", what, file, ErrGone)
	default:
		return fmt.Errorf("%s %s: %w", what, file, err)
	}
}

func childDirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrGone
		}
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
