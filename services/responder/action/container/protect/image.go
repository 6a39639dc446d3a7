package protect

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"firebreak/services/responder/action/container/halt"
)

// file is what one file is told from another by.
type file struct {
	device [2]uint32
	inode  uint64
}

// look asks for what the kernel remembers of a file. Without that flag a file
// system that a process serves would be asked, and need not answer.
func look(at int, name string) (file, error) {
	var st unix.Statx_t
	flags := unix.AT_STATX_DONT_SYNC
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := unix.Statx(at, name, flags, unix.STATX_INO, &st); err != nil {
		return file{}, fmt.Errorf("look at %s: %w", name, err)
	}
	return file{[2]uint32{st.Dev_major, st.Dev_minor}, st.Ino}, nil
}

// onHost says that a process lives in the host's mounts, or in our own.
func onHost(dir string) bool {
	in, err := os.Readlink(dir + "/ns/mnt")
	if err != nil {
		return false
	}
	for _, host := range []string{"/proc/1/ns/mnt", "/proc/self/ns/mnt"} {
		if other, err := os.Readlink(host); err == nil && other == in {
			return true
		}
	}
	return false
}

// layers are those of a container's root, an overlay, as the runtime's side has
// mounted it. What the container's own mounts say proves nothing: with a user
// namespace it may mount, and chroot, whatever it likes.
type layers struct {
	sought bool
	root   string // "" when the root is no overlay, or cannot be found
	upper  string // the writable layer; "" when there is none
}

// of finds the layers, once.
func (l *layers) of(first int) *layers {
	if l.sought {
		return l
	}
	l.sought = true
	s, err := halt.ReadStat(first)
	if err != nil || s.PPID <= 0 {
		return l
	}
	inside, err := mounts(thread(first), maxMounts)
	if err != nil {
		return l
	}
	device := ""
	for _, m := range inside {
		if m.point == "/" && m.overlay {
			device = m.device // the last one is the topmost
		}
	}
	shim := "/proc/" + strconv.Itoa(s.PPID)
	outside, err := mounts(shim, 0)
	if device == "" || err != nil {
		return l
	}
	for _, m := range outside {
		if m.device == device && m.overlay && m.whole {
			l.root = shim + "/root" + m.point
			if m.upper != "" {
				l.upper = shim + "/root" + m.upper
			}
			return l
		}
	}
	return l
}

// have says that a program's file lies in the root's read-only layers: it is
// the file of that name in the root, and the writable layer has none there.
func (l *layers) have(name string, is file) bool {
	if l.root == "" || !strings.HasPrefix(name, "/") {
		return false
	}
	found, err := below(l.root, name)
	if err != nil || found != is {
		return false
	}
	if l.upper == "" {
		return true
	}
	_, err = below(l.upper, name)
	return errors.Is(err, unix.ENOENT)
}

// below looks at a file in a folder, and never leaves that by a link or a mount.
func below(dir, name string) (file, error) {
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return file{}, fmt.Errorf("open %s: %w", dir, notThere(err))
	}
	defer unix.Close(at) //nolint:errcheck // only a handle
	fd, err := unix.Openat2(at, strings.TrimLeft(name, "/"), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return file{}, fmt.Errorf("open %s in %s: %w", name, dir, err)
	}
	defer unix.Close(fd) //nolint:errcheck // only a handle
	return look(fd, "")
}

// errNoFolder is not ENOENT: that a layer cannot be found does not say that a
// file is not in it.
var errNoFolder = errors.New("no such folder")

func notThere(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return errNoFolder
	}
	return err
}

// thread is the folder of a process, or of a thread of it when the first one
// has ended.
func thread(pid int) string {
	dir, _ := program(pid)
	return dir
}

// maxMounts bounds how much is read of a list of mounts that a container can
// make as long as it likes.
const maxMounts = 1 << 20

// mount is a line of mountinfo.
type mount struct {
	device, point, upper string
	overlay, whole       bool // whole: its root is the file system's
}

func mounts(dir string, limit int64) (all []mount, err error) {
	f, err := os.Open(dir + "/mountinfo") //nolint:gosec // a path of our own making
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var r io.Reader = f
	if limit > 0 {
		r = io.LimitReader(f, limit)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if m, ok := parse(line); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

func parse(line string) (mount, bool) {
	before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 5 || len(g) < 3 {
		return mount{}, false
	}
	m := mount{device: f[2], whole: f[3] == "/", point: unescape(f[4]), overlay: g[0] == "overlay"}
	for o := range strings.SplitSeq(g[2], ",") {
		if dir, ok := strings.CutPrefix(o, "upperdir="); ok && m.overlay {
			m.upper = unescape(dir)
		}
	}
	return m, true
}

// unescape takes back the kernel's \ooo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
