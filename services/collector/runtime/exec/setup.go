package exec

import (
	"path"
	"strings"

	"firebreak/services/collector/runtime/cgroup"
	"firebreak/services/collector/runtime/exec/decode"
)

// within says whether cgroups lie in the container whose cgroup is at path.
func within(c decode.Cgroups, container string) bool {
	return below(c.V1, container) || below(c.V2, container)
}

func below(p, container string) bool {
	rest, ok := strings.CutPrefix(p, container)
	return ok && (rest == "" || rest[0] == '/')
}

// process names one process for as long as the kernel runs.
type process struct {
	pid   int
	start uint64
}

// adopters are processes outside the containers that were the parent of a
// program inside one: shims, and runtimes that had done their work.
type adopters map[process]struct{}

// maxAdopters bounds the memory; a full set is emptied. A node has about one
// shim per pod.
const maxAdopters = 8192

// note learns from an exec in a container.
func (a adopters) note(e *decode.Exec, in cgroup.Candidate) {
	p := &e.Parent
	if within(p.Cgroups, in.Path) || e.MountNS == p.MountNS {
		return
	}
	if len(a) >= maxAdopters {
		clear(a)
	}
	a[process{p.PID, p.Start}] = struct{}{}
}

// setUp says whether an exec in a container's cgroup is the runtime's own, by
// the rule of the package documentation.
func (a adopters) setUp(e *decode.Exec, in cgroup.Candidate) bool {
	p := &e.Parent
	return !within(p.Cgroups, in.Path) && // 1
		e.MountNS == p.MountNS && // 2
		ownFile(e) && // 3
		!a.has(p) // 4
}

func ownFile(e *decode.Exec) bool {
	f, p := &e.File, &e.Parent
	if f.Inode == p.Inode && f.Device == p.Device {
		return p.Inode != 0
	}
	return f.Size == p.Size && p.Size != 0 && f.MountNS != e.MountNS
}

func (a adopters) has(p *decode.Parent) bool {
	if _, ok := a[process{p.PID, p.Start}]; ok || p.PID == 1 {
		return true
	}
	name := path.Base(p.Path) // of a host's process: the container has no say in it
	return strings.HasPrefix(name, "containerd-shim") || name == "conmon"
}
