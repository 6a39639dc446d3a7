package decode

import (
	"strings"
)

// Cgroups is the content of /proc/<pid>/cgroup: the path in every hierarchy.
type Cgroups struct {
	Unified string            // cgroup v2; "" when there is no such line
	V1      map[string]string // by controller ("memory", "freezer", "name=systemd"); nil without v1
}

// ParseCgroups reads /proc/<pid>/cgroup. Lines of another form are left out.
func ParseCgroups(raw []byte) Cgroups {
	var c Cgroups
	for l := range strings.SplitSeq(string(raw), "\n") {
		parts := strings.SplitN(l, ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		if parts[1] == "" {
			c.Unified = parts[2]
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if controller == "" {
				continue
			}
			if c.V1 == nil {
				c.V1 = map[string]string{}
			}
			c.V1[controller] = parts[2]
		}
	}
	return c
}

// Container is the path of a container's cgroup: that of the hierarchies which
// the runtime puts containers into, before the unified one, which on hybrid
// hosts may only know the service around it.
func (c Cgroups) Container() string {
	for _, controller := range []string{"freezer", "devices", "memory", "pids", "cpuacct"} {
		if p := c.V1[controller]; p != "" && p != "/" {
			return p
		}
	}
	if c.Unified == "/" {
		return ""
	}
	return c.Unified
}

// Within says whether a process in cgroup path belongs to group: a container
// may have made cgroups of its own below its own one.
func Within(path, group string) bool {
	return group != "" && strings.HasPrefix(path, group) && (len(path) == len(group) || path[len(group)] == '/')
}

// Up gives the same cgroups with every path within group cut back to group itself.
func (c Cgroups) Up(group string) Cgroups {
	up := Cgroups{Unified: c.Unified}
	if Within(c.Unified, group) {
		up.Unified = group
	}
	if c.V1 != nil {
		up.V1 = make(map[string]string, len(c.V1))
	}
	for controller, path := range c.V1 {
		if Within(path, group) {
			path = group
		}
		up.V1[controller] = path
	}
	return up
}

// CgroupPath says where a container's cgroup lies by its OCI specification,
// for one whose process is gone: a path as it is, or systemd's
// "<slice>:<prefix>:<name>" as the slice's own path.
func CgroupPath(spec string) string {
	if strings.HasPrefix(spec, "/") {
		return spec
	}
	parts := strings.Split(spec, ":")
	if len(parts) != 3 || parts[2] == "" {
		return ""
	}
	slice, prefix, name := parts[0], parts[1], parts[2]
	if slice == "" {
		slice = "system.slice"
	}
	unit := name + ".scope"
	if prefix != "" {
		unit = prefix + "-" + unit
	}
	return expandSlice(slice) + "/" + unit
}

// expandSlice gives the path of a slice: "a-b.slice" lies in "a.slice".
func expandSlice(slice string) string {
	name := strings.TrimSuffix(slice, ".slice")
	var path, prefix string
	for part := range strings.SplitSeq(name, "-") {
		if part == "" {
			continue
		}
		path += "/" + prefix + part + ".slice"
		prefix += part + "-"
	}
	return path
}
