package cgroup

import (
	"fmt"
	"strconv"
	"strings"

	"firebreak/schemas"
)

// Entry is one line of /proc/<pid>/cgroup.
type Entry struct {
	Hierarchy   int      // 0 is the unified one (version 2)
	Controllers []string // empty for the unified hierarchy
	Path        string   // below the hierarchy's root
}

// Parse reads /proc/<pid>/cgroup.
func Parse(text string) ([]Entry, error) {
	var entries []Entry
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		number, rest, ok := strings.Cut(line, ":")
		controllers, path, ok2 := strings.Cut(rest, ":")
		hierarchy, err := strconv.Atoi(number)
		if !ok || !ok2 || err != nil || hierarchy < 0 || !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("cgroup line %q: %w: want hierarchy:controllers:/path", line, schemas.ErrInvalid)
		}
		e := Entry{Hierarchy: hierarchy, Path: path}
		if controllers != "" {
			e.Controllers = strings.Split(controllers, ",")
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// preferred are the version 1 controllers in the order in which their paths
// are believed; the freezer comes first, for it is what a container is halted by.
var preferred = [...]string{"freezer", "memory", "pids", "devices", "cpu"}

// Paths gives the process's path in a version 1 hierarchy ("" where there is
// none, or only roots) and in the unified one.
func Paths(entries []Entry) (v1, v2 string) {
	for _, want := range preferred {
		for _, e := range entries {
			if v1 == "" && e.Path != "/" && has(e.Controllers, want) {
				v1 = e.Path
			}
		}
	}
	for _, e := range entries {
		if e.Hierarchy == 0 && e.Path != "/" {
			v2 = e.Path
		}
	}
	return v1, v2
}

func has(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}
