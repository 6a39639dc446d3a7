package halt

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Place is where the kernel keeps one container: its own cgroups, as paths
// below the roots of their hierarchies. "" where it has none of its own.
type Place struct {
	ID    string `json:"id"`  // the container's
	PID   int    `json:"pid"` // its first process
	Start uint64 `json:"start"`
	V1    string `json:"v1,omitempty"`
	V2    string `json:"v2,omitempty"`
}

// ErrGone says that a process or a cgroup is no more.
var ErrGone = errors.New("no more there")

// Locate finds the cgroups of the container with that id from one of its
// processes. It fails with ErrGone when the process is gone or belongs to
// something else by now.
func (h Host) Locate(pid int, id string) (Place, error) {
	at := Place{ID: id, PID: pid}
	s, err := ReadStat(pid)
	if err != nil {
		return at, err
	}
	at.Start = s.Start
	err = cgroupsOf(pid, func(text []byte) bool {
		v1, v2 := h.own(string(text), id)
		at.V1, at.V2 = max(at.V1, v1), max(at.V2, v2) // "" is the least
		return (h.V1 == "" || at.V1 != "") && (h.V2 == "" || at.V2 != "")
	})
	return at, err
}

// cgroupsOf hands over the text of /proc/<pid>/cgroup until it is found good.
// A thread that has ended is in no v1 cgroup any more, and the first thread can
// end before the others: for good, or for the moment when another one executes
// a program. Then the others are asked.
func cgroupsOf(pid int, good func(text []byte) bool) error {
	text, err := readProc(pid, "cgroup")
	if err != nil || good(text) {
		return err
	}
	s, err := ReadStat(pid)
	if err != nil || s.Threads < 2 && s.State != 'Z' {
		return err
	}
	tasks, err := childDirs("/proc/" + strconv.Itoa(pid) + "/task")
	for _, t := range tasks {
		// A thread may end between the list and the look.
		if text, err := readProc(pid, "task/"+t+"/cgroup"); err == nil && good(text) {
			return nil
		}
	}
	return err
}

// own takes from /proc/<pid>/cgroup the paths that end in the container's own cgroup.
func (h Host) own(text, id string) (v1, v2 string) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, ":")
		controllers, p, ok := strings.Cut(strings.TrimSuffix(rest, "\n"), ":")
		if !ok {
			continue
		}
		switch {
		case controllers == "" && h.V2 != "":
			v2 = cutAt(p, id)
		case h.V1 != "" && hasOption(controllers, "freezer"):
			v1 = cutAt(p, id)
		}
	}
	return v1, v2
}

// minID is the shortest id that is taken for one: a shorter one could be part
// of any other name, so there the name must be the id.
const minID = 12

// cutAt gives the path up to the element that bears the id: a container may
// have cgroups of its own below.
func cutAt(p, id string) string {
	if id == "" || strings.Contains(p, "/..") {
		return "" // a path outside our cgroup namespace
	}
	at := 0
	for at < len(p) {
		end := strings.IndexByte(p[at+1:], '/')
		if end < 0 {
			end = len(p)
		} else {
			end += at + 1
		}
		if name := p[at+1 : end]; name == id || len(id) >= minID && strings.Contains(name, id) {
			return p[:end]
		}
		at = end
	}
	return ""
}

// Alive says whether the container's first process is still the one it was.
func (at Place) Alive() bool {
	s, err := ReadStat(at.PID)
	return err == nil && s.Start == at.Start && !s.Dead()
}

// Own is the cgroup that the runtime itself freezes.
func (h Host) Own(at Place) Cgroup {
	if h.V1 != "" {
		return cgroup(h.V1, at.V1, false)
	}
	return cgroup(h.V2, at.V2, true)
}

// Side is the cgroup that holds the same processes and that the runtime does
// not look at: the v2 one of a hybrid host.
func (h Host) Side(at Place) Cgroup {
	if h.V1 == "" {
		return Cgroup{}
	}
	return cgroup(h.V2, at.V2, true)
}

// Parent is the cgroup of the pod with that UID, in the hierarchy of Own, and
// the zero Cgroup when the container's parent cannot be told to be that.
func (h Host) Parent(at Place, podUID string) Cgroup {
	own := h.Own(at)
	if own.Zero() || len(podUID) < minID {
		return Cgroup{}
	}
	up := path.Dir(own.Path)
	// systemd's slices write the UID with underscores.
	name := strings.ReplaceAll(path.Base(up), "_", "-")
	if !strings.Contains(name, "pod"+podUID) {
		return Cgroup{}
	}
	return cgroup(own.root, up, own.V2)
}

// At is the cgroup that a process is in, whosever it is, in the hierarchy of
// Own. It serves to look, not to freeze.
func (h Host) At(pid int) (Cgroup, error) {
	var c Cgroup
	err := cgroupsOf(pid, func(text []byte) bool {
		for line := range strings.Lines(string(text)) {
			_, rest, _ := strings.Cut(line, ":")
			controllers, p, ok := strings.Cut(strings.TrimSuffix(rest, "\n"), ":")
			switch {
			case !ok || strings.Contains(p, "/.."):
			case h.V1 != "" && hasOption(controllers, "freezer"):
				c = cgroup(h.V1, p, false)
			case h.V1 == "" && controllers == "":
				c = cgroup(h.V2, p, true)
			}
		}
		return !c.Zero()
	})
	return c, err
}

func cgroup(root, p string, v2 bool) Cgroup {
	if root == "" || p == "" || p == "/" {
		return Cgroup{}
	}
	return Cgroup{Path: p, V2: v2, root: root}
}

// String names the place for people.
func (at Place) String() string { return fmt.Sprintf("container %s (pid %d)", at.ID, at.PID) }
