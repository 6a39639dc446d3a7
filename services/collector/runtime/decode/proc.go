package decode

import (
	"bytes"
	"strconv"
	"strings"
)

// Bounds of what is taken of a command line; a process may make it megabytes long.
const (
	maxArgs    = 64
	maxArgText = 4096
)

// Cmdline splits /proc/<pid>/cmdline, within bounds.
func Cmdline(raw []byte) []string {
	if len(raw) > maxArgText {
		raw = raw[:maxArgText]
	}
	raw = bytes.TrimSuffix(raw, []byte{0})
	if len(raw) == 0 {
		return nil
	}
	args := strings.SplitN(string(raw), "\x00", maxArgs+1)
	if len(args) > maxArgs {
		args = args[:maxArgs]
	}
	for i := range args {
		args[i] = strings.ToValidUTF8(args[i], "\uFFFD")
	}
	return args
}

// Status is what /proc/<pid>/status says of a process.
type Status struct {
	PPID int
	UID  string // effective; "" when the file does not say
}

// ParseStatus reads /proc/<pid>/status.
func ParseStatus(raw []byte) Status {
	var s Status
	for l := range strings.SplitSeq(string(raw), "\n") {
		name, rest, _ := strings.Cut(l, ":")
		fields := strings.Fields(rest)
		switch {
		case name == "PPid" && len(fields) > 0:
			if n, err := strconv.Atoi(fields[0]); err == nil {
				s.PPID = n
			}
		case name == "Uid" && len(fields) > 1:
			if _, err := strconv.ParseUint(fields[1], 10, 32); err == nil {
				s.UID = fields[1]
			}
		}
	}
	return s
}
