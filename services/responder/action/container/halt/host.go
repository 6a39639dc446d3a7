package halt

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Host knows where this host's freezers are mounted.
type Host struct {
	V1 string // root of the v1 freezer hierarchy; "" where there is none
	V2 string // root of the v2 hierarchy; "" where there is none
}

// ErrNoFreezer says that the host has no freezer we can reach.
var ErrNoFreezer = errors.New("no cgroup freezer is mounted here")

// Find looks for the freezers in this process's mounts.
func Find() (Host, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Host{}, fmt.Errorf("find the freezers: %w", err)
	}
	h := parseMounts(string(b))
	if h.V1 == "" && h.V2 == "" {
		return h, fmt.Errorf("find the freezers: %w: mount /sys/fs/cgroup of the host", ErrNoFreezer)
	}
	return h, nil
}

// parseMounts reads mountinfo. A mount of less than a whole hierarchy is
// passed over: paths of processes outside it could not be found in it.
func parseMounts(text string) Host {
	var h Host
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 || f[3] != "/" {
			continue
		}
		switch {
		case g[0] == "cgroup2" && h.V2 == "":
			h.V2 = f[4]
		case g[0] == "cgroup" && h.V1 == "" && hasOption(g[2], "freezer"):
			h.V1 = f[4]
		}
	}
	return h
}

func hasOption(list, want string) bool {
	for o := range strings.SplitSeq(list, ",") {
		if o == want {
			return true
		}
	}
	return false
}
