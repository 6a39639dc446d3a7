package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"firebreak/services/responder/action/evidence/process"
	"firebreak/services/responder/action/evidence/text"
)

// Socket is one line of a table.
type Socket struct {
	Protocol string    `json:"protocol"` // tcp tcp6 udp udp6 unix
	State    string    `json:"state"`
	Local    string    `json:"local,omitempty"`
	Remote   string    `json:"remote,omitempty"`
	Path     text.Text `json:"path,omitempty"`
	Abstract bool      `json:"abstract,omitempty"` // the path is a name that no file has
	UID      int       `json:"uid,omitempty"`
	Inode    uint64    `json:"inode"`
	PIDs     []int     `json:"pids,omitempty"` // the container's processes that hold it
}

// Space is a network namespace.
type Space struct {
	Namespace string   `json:"namespace"`
	Host      bool     `json:"host,omitempty"` // the host's: others' sockets are not kept
	Sockets   []Socket `json:"sockets"`
	Others    int      `json:"others,omitempty"` // how many were not kept, for they are others'
}

// List is all that was read.
type List struct {
	Spaces []Space  `json:"namespaces"`
	Cut    []string `json:"cut,omitempty"`
}

// Bounds. What is beyond them is told in Cut.
const (
	maxSpaces  = 64
	maxSockets = 32768
	maxLine    = 4096
	maxLines   = 1 << 20 // of one table
)

// Read reads the sockets of all network namespaces of the processes.
func Read(ctx context.Context, procs []process.Process) (List, error) {
	out := List{Spaces: []Space{}}
	t := &told{}
	host, err := os.Readlink("/proc/1/ns/net")
	if err != nil {
		// Process 1 can be out of reach. Then our own counts: a responder runs
		// in the host's, where it can.
		host, err = os.Readlink("/proc/self/ns/net")
	}
	if err != nil {
		return out, fmt.Errorf("sockets: the host's network namespace: %w", err)
	}
	var spaces []string
	t.holders, spaces = index(procs)
	for i, name := range spaces {
		if i == maxSpaces {
			t.cuts.Add("%d of %d network namespaces were not read: more than %d", len(spaces)-i, len(spaces), maxSpaces)
			break
		}
		s := Space{Namespace: name, Host: name == host, Sockets: []Socket{}}
		for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
			if err := s.table(ctx, protocol, procs, t); err != nil {
				return out, err
			}
		}
		if err := s.unixTable(ctx, procs, t); err != nil {
			return out, err
		}
		out.Spaces = append(out.Spaces, s)
	}
	out.Cut = t.cuts.List()
	return out, nil
}

// told is what all tables share.
type told struct {
	holders map[uint64][]int // pids by inode
	cuts    text.Cuts
	changed string // the namespace whose unix sockets changed while they were read
}

// keep takes a socket into a namespace; false when it can take no more.
func (t *told) keep(s *Space, one Socket) bool {
	one.PIDs = t.holders[one.Inode]
	if s.Host && len(one.PIDs) == 0 {
		s.Others++
		return true
	}
	if len(s.Sockets) >= maxSockets {
		t.cuts.Add("table %s of %s: more than %d sockets", one.Protocol, s.Namespace, maxSockets)
		return false
	}
	s.Sockets = append(s.Sockets, one)
	return true
}

// index tells who holds which socket, and names the namespaces in order.
func index(procs []process.Process) (holders map[uint64][]int, spaces []string) {
	holders = map[uint64][]int{}
	for _, p := range procs {
		if p.Net != "" && !slices.Contains(spaces, p.Net) {
			spaces = append(spaces, p.Net)
		}
		for _, f := range p.Files {
			rest, ok := strings.CutPrefix(string(f.Target), "socket:[")
			inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
			if ok && err == nil && !slices.Contains(holders[inode], p.PID) {
				holders[inode] = append(holders[inode], p.PID)
			}
		}
	}
	return holders, spaces
}

var errNobody = errors.New("no process is left in it")

// table reads one table through the first process that is still there.
func (s *Space) table(ctx context.Context, protocol string, procs []process.Process, t *told) error {
	err := errNobody
	for _, p := range procs {
		if p.Net != s.Namespace {
			continue
		}
		var f *os.File
		if f, err = s.open(p, protocol); err != nil {
			continue
		}
		err = s.lines(ctx, f, protocol, t)
		if e := f.Close(); err == nil {
			err = e
		}
		break
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sockets: %w", ctx.Err())
	}
	if err != nil && !(errors.Is(err, os.ErrNotExist) && strings.HasSuffix(protocol, "6")) { // a kernel without IPv6
		t.cuts.Add("table %s of %s: %v", protocol, s.Namespace, err)
	}
	return nil
}

// open opens a table through a folder that is seen to be of that namespace.
func (s *Space) open(p process.Process, protocol string) (*os.File, error) {
	dir, err := os.OpenRoot(p.Folder())
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", p.PID, err)
	}
	defer dir.Close() //nolint:errcheck // read only
	if now, err := dir.Readlink("ns/net"); err != nil || now != s.Namespace {
		return nil, fmt.Errorf("process %d: %w: it has ended, or left the namespace", p.PID, errors.Join(process.ErrNotRead, err))
	}
	f, err := dir.Open("net/" + protocol)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", p.PID, err)
	}
	return f, nil
}

func (s *Space) lines(ctx context.Context, r io.Reader, protocol string, t *told) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			continue // the heading
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // the caller says what it was
		}
		one, ok := decode(protocol, lines.Text())
		if !ok {
			t.cuts.Add("table %s of %s: line %d is not in the kernel's format", protocol, s.Namespace, n)
			continue
		}
		if !t.keep(s, one) {
			return nil
		}
		if n >= maxLines {
			t.cuts.Add("table %s of %s after %d lines", protocol, s.Namespace, n)
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}
