package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/services/responder/action/evidence/text"
)

// Process is what is kept of one.
type Process struct {
	PID       int         `json:"pid"`
	Inside    []int       `json:"pid_inside,omitempty"` // its numbers in its own pid namespaces
	Thread    int         `json:"thread,omitempty"`     // its first thread has ended: what is told is of this one
	PPID      int         `json:"ppid"`
	Start     uint64      `json:"start_ticks"` // since boot: with the pid it names a process for good
	Started   time.Time   `json:"started"`
	Comm      text.Text   `json:"comm"`
	State     string      `json:"state"`
	Exe       text.Text   `json:"exe"`
	Deleted   bool        `json:"exe_deleted,omitempty"` // it has no file any more, or never had one
	Args      []text.Text `json:"args"`
	Cwd       text.Text   `json:"cwd"`
	UID       []int       `json:"uid"` // real, effective, saved, file system
	GID       []int       `json:"gid"`
	Caps      string      `json:"cap_eff,omitempty"`
	Env       []text.Text `json:"environment_names"`
	Files     []File      `json:"files"`
	Mapped    []Mapping   `json:"mapped_programs"`
	Anonymous int         `json:"anonymous_executable_maps,omitempty"`
	Net       string      `json:"net_namespace,omitempty"`
	Cut       []string    `json:"cut,omitempty"`
}

// Folder is where /proc tells of it.
func (p Process) Folder() string {
	of := "/proc/" + strconv.Itoa(p.PID)
	if p.Thread != 0 {
		of += "/task/" + strconv.Itoa(p.Thread)
	}
	return of
}

// File is an open file.
type File struct {
	FD     int       `json:"fd"`
	Target text.Text `json:"target"`
}

// Mapping is a file that is mapped as a program.
type Mapping struct {
	Path    text.Text `json:"path"`
	Device  string    `json:"device"`
	Inode   uint64    `json:"inode"`
	Deleted bool      `json:"deleted,omitempty"`
}

// List is all that was read.
type List struct {
	Processes []Process `json:"processes"`
	Cut       []string  `json:"cut,omitempty"`
}

// Bounds. What is beyond them is told in Cut.
const (
	maxProcesses = 4096
	maxThreads   = 4096 // that are asked
	maxArgs      = 64 << 10
	maxEnviron   = 256 << 10
	maxFiles     = 2048
	maxMaps      = 8 << 20
	maxMapped    = 512
	maxTotal     = 24 << 20 // of all names, arguments and targets
)

// reader reads processes one after the other.
type reader struct {
	boot time.Time
	left int // bytes that may still be kept
}

// Read reads the processes with these numbers, as far as holds says that they
// are still the ones that are meant. Those that have ended are left out.
func Read(ctx context.Context, pids []int, holds func(pid int) bool) (List, error) {
	r := reader{left: maxTotal}
	var err error
	if r.boot, err = bootTime(); err != nil {
		return List{}, err
	}
	out := List{Processes: []Process{}}
	var cuts text.Cuts
	for i, pid := range pids {
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("read processes: %w", err)
		}
		if i == maxProcesses {
			cuts.Add("%d of %d processes were not read: more than %d", len(pids)-i, len(pids), maxProcesses)
			break
		}
		p, ok := r.read(pid, holds)
		if !ok {
			continue
		}
		out.Processes = append(out.Processes, p)
		for _, c := range p.Cut {
			cuts.Add("process %d: %s", pid, c)
		}
	}
	out.Cut = cuts.List()
	return out, nil
}

// read reads one process; false when it is gone or another's.
func (r *reader) read(pid int, holds func(int) bool) (Process, bool) {
	dir, err := os.OpenRoot("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return Process{}, false
	}
	defer dir.Close() //nolint:errcheck // read only
	if !holds(pid) {
		return Process{}, false
	}
	// Read after that question: it succeeds only while the folder's own
	// process lives, so the answer was about this one.
	b, _, err := readUp(dir, "stat", 4096)
	if err != nil {
		return Process{}, false
	}
	s, err := parseStat(b)
	if err != nil {
		return Process{}, false
	}
	p := Process{PID: pid, PPID: s.ppid, Start: s.start, Comm: text.Text(s.comm), State: s.state, Started: r.boot.Add(ticks(s.start)), Args: []text.Text{}, Env: []text.Text{}, Files: []File{}, Mapped: []Mapping{}}
	var cuts text.Cuts
	if b, _, err := readUp(dir, "status", 64<<10); err == nil {
		status(b, &p)
	}
	if thread := living(dir, &p); thread != nil {
		defer thread.Close() //nolint:errcheck // read only
		dir = thread
		if b, _, err := readUp(dir, "stat", 4096); err == nil {
			if of, err := parseStat(b); err == nil {
				s.argStart, s.argEnd = of.argStart, of.argEnd
			}
		}
	}
	r.identity(dir, &p)
	if r.left <= 0 {
		cuts.Add("only its program: more than %d MiB were kept of the others", maxTotal>>20)
	} else {
		r.arguments(dir, s, &p, &cuts)
		r.environment(dir, &p, &cuts)
		r.files(dir, &p, &cuts)
		r.mapped(dir, &p, &cuts)
	}
	p.Cut = cuts.List()
	return p, true
}

// living opens the folder of a thread that lives, where the first one does not:
// of one that has ended the kernel tells nothing, and a program can end it on
// purpose. Nil where the first one lives, or none does.
func living(dir *os.Root, p *Process) *os.Root {
	if p.State != "Z" && p.State != "X" {
		return nil
	}
	tasks, err := dir.Open("task")
	if err != nil {
		return nil
	}
	names, err := tasks.Readdirnames(maxThreads)
	if e := tasks.Close(); err != nil || e != nil {
		return nil
	}
	for _, n := range names {
		tid, err := strconv.Atoi(n)
		if err != nil || tid == p.PID {
			continue
		}
		thread, err := dir.OpenRoot(path.Join("task", n))
		if err != nil {
			continue
		}
		if _, err := thread.Readlink("exe"); err == nil {
			p.Thread = tid
			return thread
		}
		if thread.Close() != nil {
			return nil
		}
	}
	return nil
}

// identity reads what it runs, and where.
func (r *reader) identity(dir *os.Root, p *Process) {
	// The links of /proc are text for the kernel; nothing follows them here.
	if exe, err := dir.Readlink("exe"); err == nil {
		p.Exe, p.Deleted = split(exe)
	}
	if cwd, err := dir.Readlink("cwd"); err == nil {
		p.Cwd = text.Text(cwd)
	}
	if net, err := dir.Readlink("ns/net"); err == nil {
		p.Net = net
	}
	r.left -= len(p.Exe) + len(p.Cwd)
}

const deleted = " (deleted)"

// split takes the kernel's mark off a link's target. A program in memory alone
// (memfd) always bears it.
func split(link string) (text.Text, bool) {
	name, gone := strings.CutSuffix(link, deleted)
	return text.Text(name), gone
}

func (r *reader) arguments(dir *os.Root, s stat, p *Process, cuts *text.Cuts) {
	b, cut, err := readUp(dir, "cmdline", maxArgs)
	if err != nil {
		cuts.Add("its arguments could not be read: %v", err)
		return
	}
	// A program that wrote over the end of its arguments makes the kernel read
	// on into its environment, where there are values.
	switch {
	case s.argEnd > s.argStart:
		b = b[:min(uint64(len(b)), s.argEnd-s.argStart)]
	case len(b) > 0:
		cuts.Add("its arguments, for where they end is not known")
		b = nil
	}
	if cut {
		cuts.Add("its arguments beyond %d KiB", maxArgs>>10)
	}
	r.left -= len(b)
	if len(b) == 0 {
		return
	}
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(b, []byte{0}), []byte{0}) {
		p.Args = append(p.Args, text.Text(arg))
	}
}

func (r *reader) environment(dir *os.Root, p *Process, cuts *text.Cuts) {
	b, cut, err := readUp(dir, "environ", maxEnviron)
	if err != nil {
		cuts.Add("its environment could not be read: %v", err)
		return
	}
	names, odd := variables(b, cut)
	if cut {
		cuts.Add("its environment beyond %d KiB", maxEnviron>>10)
	}
	if odd > 0 {
		cuts.Add("%d entries of its environment have no proper name, and could be a value", odd)
	}
	for _, n := range names {
		p.Env = append(p.Env, text.Text(n))
		r.left -= len(n)
	}
}

func (r *reader) files(dir *os.Root, p *Process, cuts *text.Cuts) {
	fds, err := dir.Open("fd")
	if err != nil {
		cuts.Add("its open files could not be read: %v", err)
		return
	}
	names, err := fds.Readdirnames(maxFiles + 1)
	if e := fds.Close(); err == nil || err == io.EOF { //nolint:errorlint // Readdirnames gives it as it is
		err = e
	}
	if err != nil {
		cuts.Add("its open files could not be read: %v", err)
	}
	if len(names) > maxFiles {
		cuts.Add("its open files beyond %d", maxFiles)
		names = names[:maxFiles]
	}
	for _, n := range names {
		fd, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		to, err := dir.Readlink(path.Join("fd", n))
		if err != nil {
			continue // closed meanwhile
		}
		p.Files = append(p.Files, File{FD: fd, Target: text.Text(to)})
		r.left -= len(to) + 16
	}
	slices.SortFunc(p.Files, func(a, b File) int { return a.FD - b.FD })
}

func (r *reader) mapped(dir *os.Root, p *Process, cuts *text.Cuts) {
	b, cut, err := readUp(dir, "maps", maxMaps)
	if err != nil {
		cuts.Add("its maps could not be read: %v", err)
		return
	}
	p.Mapped, p.Anonymous = programs(b)
	if cut {
		cuts.Add("its maps beyond %d MiB", maxMaps>>20)
	}
	if len(p.Mapped) > maxMapped {
		cuts.Add("its mapped programs beyond %d", maxMapped)
		p.Mapped = p.Mapped[:maxMapped]
	}
	for _, m := range p.Mapped {
		r.left -= len(m.Path) + 32
	}
}

// readUp reads at most limit bytes, and says whether there was more.
func readUp(dir *os.Root, name string, limit int64) (b []byte, cut bool, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, false, fmt.Errorf("open: %w", err)
	}
	b, err = io.ReadAll(io.LimitReader(f, limit+1))
	if e := f.Close(); err == nil {
		err = e
	}
	if int64(len(b)) > limit {
		b, cut = b[:limit], true
	}
	if err != nil {
		return b, cut, fmt.Errorf("read: %w", err)
	}
	return b, cut, nil
}
