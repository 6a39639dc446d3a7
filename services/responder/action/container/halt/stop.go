package halt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Stopped lists the processes of the cgroup that a signal has stopped.
func (c Cgroup) Stopped() ([]Proc, error) {
	pids, err := c.Procs()
	if err != nil {
		return nil, err
	}
	var out []Proc
	for _, pid := range pids {
		if s, err := ReadStat(pid); err == nil && s.State == 'T' {
			out = append(out, Proc{pid, s.Start})
		}
	}
	return out, nil
}

// Signal sends SIGSTOP or SIGCONT to every process of the cgroup but those
// left out, and says to how many. A process is signalled only through a
// descriptor that was seen to be in this cgroup.
func (c Cgroup) Signal(sig unix.Signal, but []Proc) (int, error) {
	pids, err := c.Procs()
	if err != nil {
		return 0, err
	}
	sent := 0
	for _, pid := range pids {
		ok, err := c.signal(pid, sig, but)
		if err != nil {
			return sent, err
		}
		if ok {
			sent++
		}
	}
	return sent, nil
}

func (c Cgroup) signal(pid int, sig unix.Signal, but []Proc) (sent bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
			return false, nil // ended meanwhile
		}
		return false, fmt.Errorf("signal pid %d: %w", pid, err)
	}
	defer func() {
		if e := unix.Close(fd); err == nil && e != nil {
			err = fmt.Errorf("signal pid %d: %w", pid, e)
		}
	}()
	s, err := ReadStat(pid)
	in, err2 := c.Holds(pid)
	if err != nil || err2 != nil || !in || s.Dead() || slices.Contains(but, Proc{pid, s.Start}) {
		if err = errors.Join(err, err2); errors.Is(err, ErrGone) {
			err = nil
		}
		return false, err
	}
	switch err := unix.PidfdSendSignal(fd, sig, nil, 0); {
	case errors.Is(err, unix.ESRCH):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("signal pid %d: %w", pid, err)
	}
	return true, nil
}

// Holds says whether a process is in the cgroup or below it.
func (c Cgroup) Holds(pid int) (bool, error) {
	if c.Zero() {
		return false, nil
	}
	in := false
	err := cgroupsOf(pid, func(text []byte) bool {
		in = c.named(text)
		return in
	})
	return in, err
}

// named says whether /proc/<pid>/cgroup names the cgroup or one below it.
func (c Cgroup) named(text []byte) bool {
	for line := range bytes.Lines(text) {
		_, rest, _ := bytes.Cut(line, []byte(":"))
		controllers, p, _ := bytes.Cut(rest, []byte(":"))
		mine := c.V2 && len(controllers) == 0 || !c.V2 && hasOption(string(controllers), "freezer")
		if !mine {
			continue
		}
		below, ok := bytes.CutPrefix(bytes.TrimSuffix(p, []byte("\n")), []byte(c.Path))
		return ok && (len(below) == 0 || below[0] == '/')
	}
	return false
}

// Continue takes stop signals back behind a shut freezer, but for the processes
// left out, and waits until each of them stands in the freezer instead. On v2
// that is a step of its own: a stopped process counts as frozen, and wakes for a
// moment, within the kernel, to go from the one to the other.
func (c Cgroup) Continue(ctx context.Context, but []Proc, limit time.Duration) (bool, error) {
	if _, err := c.Signal(unix.SIGCONT, but); err != nil {
		return false, err
	}
	return Await(ctx, limit, func() (bool, error) {
		pids, err := c.Procs()
		if err != nil {
			return false, err
		}
		for _, pid := range pids {
			s, err := ReadStat(pid)
			if err == nil && !slices.Contains(but, Proc{pid, s.Start}) && !everyThread(pid, Stat.settled) {
				return false, nil
			}
		}
		return c.Frozen()
	})
}

func (s Stat) settled() bool { return s.State != 'T' && s.State != 'R' }

// Stop halts a cgroup by signals, for where its own freezer must be off when
// the runtime pauses it. It returns when everything is stopped, or false when
// that did not come about within limit.
//
// It freezes first: what is frozen can start nothing new, so one round of
// signals gets all, even of a loop that forks without end, and after the thaw
// each process stops before it runs on. The v1 freezer can wait for ever for a
// process with many threads that is just executing another program, so after
// patience it goes on without: round after round until none is new.
func Stop(ctx context.Context, c Cgroup, patience, limit time.Duration) (bool, error) {
	if err := c.Freeze(); err != nil {
		return false, err
	}
	frozen, err := c.AwaitFrozen(ctx, patience)
	if err == nil && frozen {
		_, err = c.Signal(unix.SIGSTOP, nil)
	}
	if e := c.Thaw(); err == nil {
		err = e
	}
	if err != nil {
		return false, err
	}
	return Await(ctx, limit, c.stopRound)
}

// stopRound stops what still runs, and says whether nothing did. One round in
// which nothing runs is proof: a process with a stop signal pending cannot
// fork, so whatever came before the signal was in this round's list.
func (c Cgroup) stopRound() (bool, error) {
	pids, err := c.Procs()
	if err != nil {
		return false, err
	}
	all := true
	for _, pid := range pids {
		s, err := ReadStat(pid)
		if err != nil || s.still() {
			if err != nil || s.Threads < 2 || everyThread(pid, Stat.still) {
				continue // stopped, or ended
			}
		}
		all = false
		if _, err := c.signal(pid, unix.SIGSTOP, nil); err != nil {
			return false, err
		}
	}
	return all, nil
}
