package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/services/responder/action/evidence/text"
)

func (c *copier) upper(u *Upper) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(u.dir.Fd()), &st); err != nil {
		return fmt.Errorf("upper folder %s: %w", u.Path, err)
	}
	if _, err := u.dir.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("upper folder %s: %w", u.Path, err)
	}
	c.dev, c.marks = st.Dev, u.marks
	return c.folder(u.dir, "", 1)
}

// folder walks one folder. What cannot be read is told and left.
func (c *copier) folder(dir *os.File, at string, depth int) error {
	names, err := dir.Readdirnames(maxEntries - len(c.diff.Entries) + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		c.cuts.Add("folder %s: %v", text.Text(at).Short(), err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return fmt.Errorf("list files: %w", err)
		}
		full := path.Join(at, name)
		if len(c.diff.Entries) >= maxEntries || c.names+len(full) > maxNames {
			c.cuts.Add("files after %s: more than %d names, or %d MiB of them", text.Text(full).Short(), maxEntries, maxNames>>20)
			return nil
		}
		c.names += len(full)
		if err := c.entry(dir, name, full, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry lists one name, keeps it when it is a file and goes down when it is a folder.
func (c *copier) entry(dir *os.File, name, full string, depth int) error {
	// O_PATH gets hold of what the name means without opening it. One name
	// below a descriptor, with O_NOFOLLOW: nothing leads anywhere else.
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		c.cuts.Add("%s: %v", text.Text(full).Short(), err)
		return nil
	}
	held := os.NewFile(uintptr(fd), "held")
	defer held.Close() //nolint:errcheck // only a handle
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		c.cuts.Add("%s: %v", text.Text(full).Short(), err)
		return nil
	}
	e := describe(full, st)
	switch e.Kind {
	case "symlink":
		e.Target = text.Text(linkOf(fd))
		c.names += len(e.Target)
	case "dir":
		return c.down(fd, st, e, depth)
	case "file":
		if err := c.file(fd, st, &e); err != nil {
			return err
		}
	}
	if e.LeftOut != "" {
		c.cuts.Add("%s: %s", e.Path.Short(), e.LeftOut)
	}
	c.diff.Entries = append(c.diff.Entries, e)
	return nil
}

func describe(full string, st unix.Stat_t) Entry {
	e := Entry{
		Path: text.Text(full), Size: st.Size, Mode: "0" + strconv.FormatUint(uint64(st.Mode), 8),
		UID: st.Uid, GID: st.Gid, Mtime: time.Unix(st.Mtim.Unix()).UTC(),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind = "file"
		if st.Nlink > 1 {
			e.Links = uint64(st.Nlink) //nolint:unconvert // another type on arm64
		}
	case unix.S_IFDIR:
		e.Kind = "dir"
	case unix.S_IFLNK:
		e.Kind = "symlink"
	case unix.S_IFIFO:
		e.Kind = "fifo"
	case unix.S_IFSOCK:
		e.Kind = "socket"
	case unix.S_IFBLK:
		e.Kind = "block"
	default:
		e.Kind = "char"
		if st.Rdev == 0 {
			e.Kind = "whiteout" // the overlay's mark for a name that was removed
		}
	}
	// Times beyond what JSON can say are no times.
	if y := e.Mtime.Year(); y < 0 || y > 9999 {
		e.Mtime = time.Time{}
	}
	return e
}

func linkOf(fd int) string {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// reopen opens for reading what a descriptor holds, and nothing else: it is
// what was looked at, whatever its name means by now.
func reopen(fd, flags int) (*os.File, error) {
	link := "/proc/self/fd/" + strconv.Itoa(fd)
	flags |= unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	// Reading must leave no trace in what is read.
	got, err := unix.Open(link, flags|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) {
		got, err = unix.Open(link, flags, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return os.NewFile(uintptr(got), "reopened"), nil
}

func (c *copier) file(fd int, st unix.Stat_t, e *Entry) error {
	f, err := reopen(fd, 0)
	if err != nil {
		e.LeftOut = err.Error()
		return nil
	}
	defer f.Close() //nolint:errcheck // read only
	if _, ok := c.attribute(f, "overlay.whiteout"); ok && st.Size == 0 {
		e.Kind = "whiteout"
		return nil
	}
	if _, ok := c.attribute(f, "overlay.metacopy"); ok {
		e.LeftOut = "only its attributes were changed; its content is the image's"
		return nil
	}
	k, err := c.keep(f, "upper/"+string(e.Path), st.Size, e.Mtime)
	e.Kept, e.Sha256, e.LeftOut = k.name, k.sha256, k.leftOut
	return err
}

// down lists a folder and what is in it.
func (c *copier) down(fd int, st unix.Stat_t, e Entry, depth int) error {
	at := len(c.diff.Entries)
	c.diff.Entries = append(c.diff.Entries, e)
	leave := func(why string) error {
		c.diff.Entries[at].LeftOut = why
		c.cuts.Add("%s: %s", e.Path.Short(), why)
		return nil
	}
	switch {
	case depth >= maxDepth:
		return leave(fmt.Sprintf("more than %d folders deep", maxDepth))
	case st.Dev != c.dev:
		return leave("something else is mounted there")
	}
	dir, err := reopen(fd, unix.O_DIRECTORY)
	if err != nil {
		return leave(err.Error())
	}
	defer dir.Close() //nolint:errcheck // read only
	if v, ok := c.attribute(dir, "overlay.opaque"); ok && v == "y" {
		c.diff.Entries[at].Opaque = true
	}
	return c.folder(dir, string(e.Path), depth+1)
}

// attribute reads one of the overlay's own marks. Only from where this overlay
// keeps them: elsewhere the container can set them itself, to hide a file.
func (c *copier) attribute(f *os.File, name string) (string, bool) {
	buf := make([]byte, 64)
	n, err := unix.Fgetxattr(int(f.Fd()), c.marks+name, buf)
	if err == nil {
		return string(buf[:n]), true
	}
	return "", errors.Is(err, unix.ERANGE) // it is there, and longer than any that is looked for
}
