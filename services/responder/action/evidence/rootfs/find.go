package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrUnknown says that what differs from the image cannot be told.
var ErrUnknown = errors.New("what differs from the image cannot be told")

// Upper is the folder that holds what differs from the image.
type Upper struct {
	Path   string // as the runtime's side names it
	Device string // of the overlay, "major:minor"

	dir   *os.File
	marks string // where the overlay keeps its own marks: "trusted." or "user."
}

// Close lets go of the folder.
func (u *Upper) Close() error {
	if err := u.dir.Close(); err != nil {
		return fmt.Errorf("close %s: %w", u.Path, err)
	}
	return nil
}

// Container names the container whose root is looked for.
type Container struct {
	ID, Namespace string // containerd's
	PID           int    // its first process
	Runtime       int    // a process of the runtime's side: the shim
}

// Find finds the upper folder of a container's root.
func Find(c Container) (*Upper, error) {
	of := "/proc/" + strconv.Itoa(c.Runtime)
	outside, err := os.ReadFile("/proc/" + strconv.Itoa(c.Runtime) + "/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w: the mounts of process %d: %w", ErrUnknown, c.Runtime, err)
	}
	// Only for roots that containerd has not named, and not to be had where the
	// first thread has ended.
	inside, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID) + "/mountinfo")
	if err != nil {
		inside = nil
	}
	m, err := choose(c, string(outside), string(inside))
	if err != nil {
		return nil, err
	}
	root, err := unix.Open(of+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: the root of process %d: %w", ErrUnknown, c.Runtime, err)
	}
	defer unix.Close(root) //nolint:errcheck // only a handle
	fd, err := unix.Openat2(root, m.upper, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", ErrUnknown, m.upper, err)
	}
	return &Upper{Path: m.upper, Device: m.device, dir: os.NewFile(uintptr(fd), "upper"), marks: m.marks}, nil
}

const trusted, user = "trusted.", "user."

// mount is a line of mountinfo.
type mount struct{ device, point, kind, upper, marks string }

// choose finds the container's root among the mounts of the runtime's side: by
// the name that containerd gives it, else by the device that the container
// itself has for its root.
func choose(c Container, outside, inside string) (mount, error) {
	all := parse(outside)
	name := "/io.containerd.runtime.v2.task/" + c.Namespace + "/" + c.ID + "/rootfs"
	var found []mount
	for _, m := range all {
		if strings.HasSuffix(m.point, name) {
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		for _, own := range parse(inside) {
			for _, m := range all {
				if own.point == "/" && m.device == own.device && m.kind == "overlay" {
					found = append(found, m)
				}
			}
		}
	}
	if len(found) == 0 {
		return mount{}, fmt.Errorf("%w: its root is no overlay that the runtime has mounted (the native snapshotter keeps whole copies)", ErrUnknown)
	}
	for _, m := range found[1:] {
		if m.device != found[0].device || m.upper != found[0].upper {
			return mount{}, fmt.Errorf("%w: there are %d mounts that could be its root", ErrUnknown, len(found))
		}
	}
	switch m := found[0]; {
	case m.kind != "overlay":
		return mount{}, fmt.Errorf("%w: its root is a mount of the kind %q, no overlay", ErrUnknown, m.kind)
	case m.upper == "":
		return mount{}, fmt.Errorf("%w: its root is an overlay without an upper folder: nothing can be written there", ErrUnknown)
	default:
		return m, nil
	}
}

func parse(text string) []mount {
	var out []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 1 {
			continue
		}
		m := mount{device: f[2], point: unescape(f[4]), kind: g[0], marks: trusted}
		if len(g) >= 3 && m.kind == "overlay" {
			for o := range strings.SplitSeq(g[2], ",") {
				if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
					m.upper = unescape(dir)
				}
				if o == "userxattr" {
					m.marks = user
				}
			}
		}
		out = append(out, m)
	}
	return out
}

// unescape takes back the kernel's \ooo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
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
