package usage

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// mounts says where the hierarchies of the kernel's cgroups lie.
type mounts struct {
	unified string
	v1      map[string]string // by controller
}

func findMounts() (mounts, error) {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mounts{}, fmt.Errorf("usage source: read the mounts: %w", err)
	}
	m := parseMounts(string(raw))
	if m.unified == "" && len(m.v1) == 0 {
		return m, errors.New("usage source: no cgroup hierarchy is mounted: mount the host's /sys/fs/cgroup")
	}
	return m, nil
}

// parseMounts reads /proc/<pid>/mountinfo: "… <root> <mount point> … - <type> <source> <options>".
func parseMounts(info string) mounts {
	m := mounts{v1: map[string]string{}}
	for l := range strings.SplitSeq(info, "\n") {
		left, right, ok := strings.Cut(l, " - ")
		at, fs := strings.Fields(left), strings.Fields(right)
		if !ok || len(at) < 5 || len(fs) < 3 || at[3] != "/" {
			continue
		}
		switch fs[0] {
		case "cgroup2":
			m.unified = first(m.unified, at[4])
		case "cgroup":
			for o := range strings.SplitSeq(fs[2], ",") {
				m.v1[o] = first(m.v1[o], at[4])
			}
		}
	}
	return m
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// layout names the form of the host's cgroups.
func (m mounts) layout() string {
	switch {
	case m.v1["memory"] == "" && m.v1["cpuacct"] == "":
		return "v2"
	case m.unified != "":
		return "hybrid"
	default:
		return "v1"
	}
}
