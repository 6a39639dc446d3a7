package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/exec/decode"
)

// mounts adds to an exec where its file lies, as far as /proc tells.
func (p proc) mounts(e *decode.Exec) error {
	fd, err := unix.Open(p.name("exe"), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: p.name("exe"), Err: err}
	}
	file := os.NewFile(uintptr(fd), p.name("exe"))
	err = p.locate(e, fd)
	if closing := file.Close(); err == nil {
		err = closing
	}
	return err
}

func (p proc) locate(e *decode.Exec, fd int) error {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return &os.PathError{Op: "statfs", Path: p.name("exe"), Err: err}
	}
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: p.name("exe"), Err: err}
	}
	f := &e.File
	f.Magic, f.Links = uint32(fs.Type), uint32(st.Nlink) //nolint:gosec // 32 bits by definition
	f.KernelMount = f.Magic == decode.MagicTmpfs && f.Links == 0 && strings.HasPrefix(e.Path, "/memfd:")
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return err
	}
	text, err := p.read("mountinfo")
	if err != nil {
		return err
	}
	id := mountID(string(info))
	for line := range strings.Lines(text) {
		m, err := parseMount(line)
		if err != nil {
			return err
		}
		if m.point == "/" {
			e.RootDevice = m.device
		}
		if m.id == id {
			f.MountNS, f.Device, f.TopMount = e.MountNS, m.device, m.point == "/"
			f.Upper, f.LayerUnknown = m.upper(e.Path)
		}
	}
	return nil
}

func mountID(fdinfo string) string {
	for line := range strings.Lines(fdinfo) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// mountPoint is one line of mountinfo.
type mountPoint struct {
	id      string
	device  uint32
	point   string
	options map[string]string // of an overlay
}

func parseMount(line string) (mountPoint, error) {
	bad := fmt.Errorf("mountinfo line %q: %w", line, schemas.ErrInvalid)
	f := strings.Fields(line)
	dash := 0
	for i := 6; i < len(f) && dash == 0; i++ {
		if f[i] == "-" {
			dash = i
		}
	}
	if dash == 0 || len(f) < dash+4 {
		return mountPoint{}, bad
	}
	major, minor, ok := strings.Cut(f[2], ":")
	ma, err1 := strconv.ParseUint(major, 10, 12)
	mi, err2 := strconv.ParseUint(minor, 10, 20)
	if !ok || err1 != nil || err2 != nil {
		return mountPoint{}, bad
	}
	m := mountPoint{id: f[0], device: uint32(ma)<<20 | uint32(mi), point: f[4]}
	if f[dash+1] == "overlay" {
		m.options = map[string]string{}
		for o := range strings.SplitSeq(f[dash+3], ",") {
			k, v, _ := strings.Cut(o, "=")
			m.options[k] = v
		}
	}
	return m, nil
}

// upper says whether an overlay has a file in its upper layer, by looking for
// it there; unknown when that folder is out of our sight.
func (m mountPoint) upper(path string) (upper, unknown bool) {
	if m.options == nil {
		return false, false
	}
	dir := m.options["upperdir"]
	if _, err := os.Stat(dir); dir != "" && err != nil {
		return false, true
	}
	inside := strings.TrimPrefix(path, strings.TrimSuffix(m.point, "/"))
	_, err := os.Lstat(filepath.Join(dir, inside))
	return dir != "" && err == nil, false
}
