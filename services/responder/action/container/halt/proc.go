package halt

import (
	"bytes"
	"fmt"
	"strconv"
)

// Stat is what we need of /proc/<pid>/stat.
type Stat struct {
	Comm    string
	State   byte // R S D T t Z X …
	PPID    int
	CPU     uint64 // ticks used, user and system, all threads
	Threads uint64
	Start   uint64 // ticks since boot: with the pid it names a process for good
}

// ReadStat reads a process's stat; ErrGone when there is no such process.
func ReadStat(pid int) (Stat, error) {
	b, err := readProc(pid, "stat")
	if err != nil {
		return Stat{}, err
	}
	s, err := parseStat(b)
	if err != nil {
		return s, fmt.Errorf("stat of pid %d: %w", pid, err)
	}
	return s, nil
}

func parseStat(b []byte) (Stat, error) {
	// The name may hold spaces and parentheses of its own: the last one ends it.
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return Stat{}, fmt.Errorf("%q has no name in parentheses", b) //nolint:err113 // the kernel's format
	}
	s := Stat{Comm: string(b[open+1 : end])}
	f := bytes.Fields(b[end+1:])
	const state, ppid, utime, stime, threads, start = 0, 1, 11, 12, 17, 19
	if len(f) <= start {
		return s, fmt.Errorf("%q has %d fields after the name", b, len(f)) //nolint:err113 // the kernel's format
	}
	s.State = f[state][0]
	var err error
	if s.PPID, err = strconv.Atoi(string(f[ppid])); err != nil {
		return s, fmt.Errorf("parent: %w", err)
	}
	for i, into := range map[int]*uint64{utime: &s.CPU, threads: &s.Threads, start: &s.Start} {
		if *into, err = strconv.ParseUint(string(f[i]), 10, 64); err != nil {
			return s, fmt.Errorf("field %d: %w", i, err)
		}
	}
	system, err := strconv.ParseUint(string(f[stime]), 10, 64)
	if err != nil {
		return s, fmt.Errorf("field %d: %w", stime, err)
	}
	s.CPU += system
	return s, nil
}

// Dead says that the process has ended. One whose first thread has ended while
// others run looks the same but for their number.
func (s Stat) Dead() bool { return (s.State == 'Z' || s.State == 'X') && s.Threads <= 1 }

// still says that the process's first thread is stopped by a signal or has ended.
func (s Stat) still() bool {
	return s.State == 'T' || s.State == 't' || s.State == 'Z' || s.State == 'X'
}

// everyThread asks of each thread of a process; one that has ended meanwhile
// does not count. A group of threads stops, and goes on, one after the other.
func everyThread(pid int, is func(Stat) bool) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := childDirs(dir)
	if err != nil {
		return true // ended meanwhile
	}
	for _, t := range tasks {
		b, err := readFile(dir + "/" + t + "/stat")
		if err != nil {
			continue
		}
		if s, err := parseStat(b); err == nil && !is(s) {
			return false
		}
	}
	return true
}

// Proc names a process for good.
type Proc struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// Activity is what a process has used of the processor; two equal ones mean
// that it has not run in between.
type Activity struct {
	State byte
	CPU   uint64
	Sched string // all threads' time on the processor in ns, and their turns
}

// maxThreads bounds how many threads of one process are looked at singly.
const maxThreads = 512

// ReadActivity reads what a process and its threads have used.
func ReadActivity(pid int) (Activity, error) {
	s, err := ReadStat(pid)
	if err != nil {
		return Activity{}, err
	}
	a := Activity{State: s.State, CPU: s.CPU}
	tasks, err := childDirs("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return a, err
	}
	var all bytes.Buffer
	for i, t := range tasks {
		if i == maxThreads {
			break
		}
		// Kernels built without scheduler statistics have no such file; then
		// the ticks alone must do.
		b, err := readFile("/proc/" + strconv.Itoa(pid) + "/task/" + t + "/schedstat")
		if err != nil {
			continue
		}
		f := bytes.Fields(b)
		if len(f) == 3 { // on the processor, waiting for it (goes on growing), turns
			all.WriteString(t)
			all.WriteByte(':')
			all.Write(f[0])
			all.WriteByte(':')
			all.Write(f[2])
			all.WriteByte(' ')
		}
	}
	a.Sched = all.String()
	return a, nil
}
