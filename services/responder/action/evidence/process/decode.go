package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"firebreak/services/responder/action/evidence/text"
)

// stat is what is needed of /proc/<pid>/stat.
type stat struct {
	comm, state      string
	ppid             int
	start            uint64
	argStart, argEnd uint64 // addresses; 0 where we may not know them
}

var errFormat = errors.New("not the kernel's format")

func parseStat(b []byte) (stat, error) {
	// The name may hold spaces and parentheses of its own: the last one ends it.
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("stat: %w", errFormat)
	}
	f := strings.Fields(string(b[end+1:]))
	const state, ppid, start, argStart, argEnd = 0, 1, 19, 45, 46
	if len(f) <= start {
		return stat{}, fmt.Errorf("stat: %w: %d fields after the name", errFormat, len(f))
	}
	s := stat{comm: string(b[open+1 : end]), state: f[state]}
	var err, err2 error
	s.ppid, err = strconv.Atoi(f[ppid])
	s.start, err2 = strconv.ParseUint(f[start], 10, 64)
	if err = errors.Join(err, err2); err != nil {
		return stat{}, fmt.Errorf("stat: %w: %w", errFormat, err)
	}
	if len(f) > argEnd {
		s.argStart, err = strconv.ParseUint(f[argStart], 10, 64)
		s.argEnd, err2 = strconv.ParseUint(f[argEnd], 10, 64)
		if err = errors.Join(err, err2); err != nil {
			return stat{}, fmt.Errorf("stat: %w: %w", errFormat, err)
		}
	}
	return s, nil
}

// ticks is a number of clock ticks; /proc counts 100 of them a second on every
// architecture that Go knows.
func ticks(n uint64) time.Duration {
	const most = uint64(1<<63-1) / uint64(10*time.Millisecond)
	return time.Duration(min(n, most)) * 10 * time.Millisecond
}

func bootTime() (time.Time, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("time of boot: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			if err != nil {
				return time.Time{}, fmt.Errorf("time of boot: %w", err)
			}
			return time.Unix(n, 0).UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("time of boot: %w", errFormat)
}

// status takes users, groups and numbers from /proc/<pid>/status. A name with
// line breaks is escaped there, so no line can be forged.
func status(b []byte, p *Process) {
	for line := range strings.Lines(string(b)) {
		key, rest, _ := strings.Cut(line, ":")
		switch key {
		case "Uid":
			p.UID = numbers(rest)
		case "Gid":
			p.GID = numbers(rest)
		case "NSpid":
			if n := numbers(rest); len(n) > 1 {
				p.Inside = n[1:] // the first is its number here
			}
		case "CapEff":
			p.Caps = strings.TrimSpace(rest)
		}
	}
}

func numbers(s string) []int {
	var out []int
	for _, f := range strings.Fields(s) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

const maxName = 256

// variables gives the names of an environment and how many entries have none.
// A program may have written over its environment so that an entry begins in
// the midst of a value: what does not look like a name is not kept.
func variables(b []byte, cut bool) (names []string, odd int) {
	b = bytes.TrimRight(b, "\x00")
	if cut {
		b = b[:bytes.LastIndexByte(b, 0)+1]
	}
	for entry := range bytes.SplitSeq(b, []byte{0}) {
		name, _, ok := bytes.Cut(entry, []byte("="))
		switch {
		case len(entry) == 0:
		case ok && proper(name):
			names = append(names, string(name))
		default:
			odd++
		}
	}
	return names, odd
}

func proper(name []byte) bool {
	if len(name) == 0 || len(name) > maxName || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for _, c := range name {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && c != '_' && c != '.' && c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// programs takes the files that are mapped as programs from /proc/<pid>/maps,
// each once, and counts executable memory without a file.
func programs(b []byte) (files []Mapping, anonymous int) {
	files = []Mapping{}
	seen := map[Mapping]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
		if len(f) < 5 || len(f[1]) < 4 || f[1][2] != 'x' {
			continue
		}
		inode, err := strconv.ParseUint(f[4], 10, 64)
		if err != nil {
			continue
		}
		name := ""
		if len(f) == 6 {
			name = strings.TrimLeft(f[5], " ")
		}
		if strings.HasPrefix(name, "[v") && inode == 0 {
			continue // the kernel's own page: vdso, vsyscall
		}
		if inode == 0 {
			anonymous++
			continue
		}
		m := Mapping{Device: f[3], Inode: inode}
		var t text.Text
		t, m.Deleted = split(name)
		m.Path = t
		if !seen[m] {
			seen[m] = true
			files = append(files, m)
		}
	}
	return files, anonymous
}
