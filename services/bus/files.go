package bus

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
)

// How large files may be that are read whole.
const (
	maxKeyFile     = 4 << 10
	maxAddressFile = 4 << 10
	maxCertFile    = 1 << 20
	maxRosterFile  = 16 << 20
)

// Modes of what lies in the folder of the bus.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// readRegular reads a whole file, if it is one: a pipe would keep us waiting
// for ever, and a device has no end.
func readRegular(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	var raw []byte
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s: %w: it is no regular file (%s)", path, schemas.ErrInvalid, info.Mode().Type())
	default:
		raw, err = io.ReadAll(io.LimitReader(f, limit+1))
		if err == nil && int64(len(raw)) > limit {
			err = fmt.Errorf("%s: %w: it is larger than %d bytes, which no such file is", path, schemas.ErrInvalid, limit)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, nil, err
	}
	return raw, info, nil
}

// Secure makes what lies in the bus's folder its owner's alone again, keys
// before all, and warns once of what it found open to others. What is open and
// is not ours is refused: its owner could put its own keys there. [Start] and
// [EnsureKeys] do it by themselves; it is for those that want to be told.
func Secure(dataDir string, log *slog.Logger) error {
	p := placeIn(dataDir)
	var open []string
	// data_dir itself is the operator's, and its folder "bus" may be a link to
	// another disk; whatever lies in that is ours and no link.
	paths := []string{p.dir, filepath.Join(p.dir, "keys")}
	for i, path := range paths {
		was, err := closeToOthers(path, dirMode, i > 0)
		if err != nil {
			return err
		}
		if was {
			open = append(open, path)
		}
	}
	files := []string{p.rosterFile(), p.addressFile(), filepath.Join(p.dir, "lock"), filepath.Join(p.dir, "ballast")}
	keys, err := os.ReadDir(paths[1])
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keys of the bus: %w", err)
	}
	for _, k := range keys {
		if k.Type().IsRegular() {
			files = append(files, filepath.Join(paths[1], k.Name()))
		}
	}
	for _, path := range files {
		was, err := closeToOthers(path, fileMode, true)
		if err != nil {
			return err
		}
		if was {
			open = append(open, path)
		}
	}
	if len(open) > 0 {
		log.Warn("files of the bus were open to other users of this host, and are closed now: who could read a key may have a copy: see \"If a key is stolen\" in threat-model.md", "paths", open)
	}
	return nil
}

// closeToOthers takes the rights of group and others from a file or folder, and
// tells whether there were any. What is not there has none.
func closeToOthers(path string, mode fs.FileMode, noLink bool) (bool, error) {
	flags := unix.O_PATH | unix.O_CLOEXEC
	if noLink {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Open(path, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("keys of the bus: %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
	}
	kind := st.Mode & unix.S_IFMT
	switch {
	case noLink && kind == unix.S_IFLNK:
		err = fmt.Errorf("%s: %w: it is a link, which Firebreak never makes there: remove it", path, schemas.ErrInvalid)
	case kind != unix.S_IFREG && kind != unix.S_IFDIR:
		err = nil // reading it says what is wrong with it
	case st.Mode&0o077 == 0:
	case int(st.Uid) != os.Geteuid():
		err = fmt.Errorf("%s: %w: it is open to others (mode %04o) and belongs to user %d: look what is in it, then give it to the user that Firebreak runs as, with mode %04o",
			path, ErrDenied, st.Mode&0o7777, st.Uid, mode)
	default:
		// By the file that was looked at, not by a name that may lead elsewhere now.
		err = os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
		return err == nil, errors.Join(err, f.Close())
	}
	return false, errors.Join(err, f.Close())
}
