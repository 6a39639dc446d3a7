package halt

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Marks: for whom a cgroup is halted.
const (
	MarkPause   = "pause"   // an action that lasts until it is released
	MarkCapture = "capture" // while evidence is taken
	MarkRelease = "release" // the pause is being undone
)

// Before is what a container was before we touched it.
type Before struct {
	Status  string `json:"status"`            // containerd's: running, paused, created
	Frozen  bool   `json:"frozen,omitempty"`  // the switch that we turn was on already
	Stopped []Proc `json:"stopped,omitempty"` // processes that were stopped by a signal
}

const attribute = "trusted.firebreak."

// SetMark writes down for whom the cgroup is halted, and what was before. An
// earlier mark for the same stays: the state before the first counts.
func (c Cgroup) SetMark(who string, b Before) error {
	value, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("mark %s on %s: %w", who, c.Path, err)
	}
	err = unix.Setxattr(c.Dir(), attribute+who, value, unix.XATTR_CREATE)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return classed("mark "+who+" on", c.Dir(), err)
}

// Mark reads a mark, and false when there is none.
func (c Cgroup) Mark(who string) (Before, bool) {
	var b Before
	if c.Zero() {
		return b, false
	}
	buf := make([]byte, 4096)
	n, err := unix.Getxattr(c.Dir(), attribute+who, buf)
	for errors.Is(err, unix.ERANGE) && len(buf) < 1<<16 {
		buf = make([]byte, 4*len(buf))
		n, err = unix.Getxattr(c.Dir(), attribute+who, buf)
	}
	if err != nil {
		return b, false // none, or a kernel whose cgroups bear none
	}
	return b, json.Unmarshal(buf[:n], &b) == nil
}

// ClearMark takes a mark away; one that is not there is no error.
func (c Cgroup) ClearMark(who string) error {
	if c.Zero() {
		return nil
	}
	err := unix.Removexattr(c.Dir(), attribute+who)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return classed("unmark "+who+" on", c.Dir(), err)
}
