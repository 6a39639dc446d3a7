package exec

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/exec/decode"
)

// roots remembers on which device each container has its root file system, so
// that one that a process mounted and made its own root is not taken for it.
type roots map[place]uint32

// place names a container: namespaces of the runtime may share an id.
type place struct{ namespace, id string }

const maxRoots = 8192 // a full table is emptied

// of gives the device by the container's first process. Where that cannot be
// asked, the process's own root has to do.
func (r roots) of(c *schemas.Container, e *decode.Exec) uint32 {
	at := place{c.Namespace, c.ID}
	if d, ok := r[at]; ok {
		return d
	}
	d, err := rootOf(c.PID)
	if err != nil {
		return e.RootDevice
	}
	if d != e.RootDevice { // one of the two has moved; ask again the next time
		return d
	}
	if len(r) >= maxRoots {
		clear(r)
	}
	r[at] = d
	return d
}

var errNoPID = errors.New("no first process is known")

func rootOf(pid int) (uint32, error) {
	if pid <= 0 {
		return 0, errNoPID
	}
	var st unix.Stat_t
	// The slash makes it the folder that the link leads to.
	if err := unix.Stat("/proc/"+strconv.Itoa(pid)+"/root/", &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: "root of the container", Err: err}
	}
	return kernelDevice(st.Dev), nil
}

// kernelDevice turns a device number as system calls give it into the kernel's own form.
func kernelDevice(dev uint64) uint32 { return unix.Major(dev)<<20 | unix.Minor(dev) }
