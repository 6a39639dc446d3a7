// Package workload is what runs inside the containers that the demo and the
// benchmarks contain: several threads and a fork loop, each of which leaves
// the time of its last step in memory that it shares with the observer.
//
// The observer thereby sees from outside when the last of them stood still,
// whatever anyone reports.
package workload

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Slots is the number of counters: one for each thread and one for the fork loop.
const (
	Threads = 3
	Slots   = Threads + 1
	forked  = Threads
	size    = Slots * 8
)

// Arguments that the binary understands before anything else (see Main).
const (
	Flag  = "--firebreak-workload"
	Burst = "--firebreak-execs" // executes a program so many times at a rate
	Mark  = "--firebreak-exec-" // begins the first argument of each of them; its number follows
	Idle  = "--firebreak-idle"  // sleeps: what PROGRAM is given to do
)

// Trace is the shared memory as its observer sees it.
type Trace struct{ mem []byte }

// Open maps the trace file; create makes it anew with all counters at zero.
func Open(path string, create bool) (*Trace, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600) //nolint:gosec // the caller made the folder
	if err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	defer f.Close()
	if create {
		if err := f.Truncate(size); err != nil {
			return nil, fmt.Errorf("size trace %s: %w", path, err)
		}
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map trace %s: %w", path, err)
	}
	return &Trace{mem: mem}, nil
}

// Close unmaps the trace.
func (t *Trace) Close() error { return unix.Munmap(t.mem) }

// Last is the time of the last step of any counter (zero before the first),
// by CLOCK_BOOTTIME.
func (t *Trace) Last() time.Duration {
	var last uint64
	for i := range Slots {
		last = max(last, binary.NativeEndian.Uint64(t.mem[i*8:]))
	}
	return time.Duration(last)
}

// Running says whether every counter has moved since a time.
func (t *Trace) Running(since time.Duration) bool {
	for i := range Slots {
		if binary.NativeEndian.Uint64(t.mem[i*8:]) <= uint64(since) { //nolint:gosec // never negative
			return false
		}
	}
	return true
}

// Now is CLOCK_BOOTTIME, the clock of the counters.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// Main runs the workload when the arguments ask for it, and never returns
// then. Binaries that can be the workload call it first of all.
//
// "NAME --firebreak-workload TRACE PROGRAM TRIGGER" steps for ever and executes
// PROGRAM, once, when the file TRIGGER appears: that exec is what the sensor sees.
func Main(args []string) {
	if len(args) < 2 {
		return
	}
	switch args[1] {
	case Idle:
		for {
			time.Sleep(time.Hour)
		}
	case Burst:
		if len(args) != 5 {
			fmt.Fprintln(os.Stderr, "workload: want PROGRAM N RATE")
			os.Exit(2)
		}
		if err := burst(context.Background(), args[2], args[3], args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "workload:", err)
			os.Exit(1)
		}
		os.Exit(0)
	case Flag:
		if len(args) != 5 {
			fmt.Fprintln(os.Stderr, "workload: want TRACE PROGRAM TRIGGER")
			os.Exit(2)
		}
		if err := run(context.Background(), args[2], args[3], args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "workload:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func run(ctx context.Context, path, program, trigger string) error {
	trace, err := Open(path, false)
	if err != nil {
		return err
	}
	for i := range Threads { // they end with the process: nothing waits for them
		go step(slot(trace, i))
	}
	go forkLoop(slot(trace, forked))
	for {
		if _, err := os.Stat(trigger); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cmd := exec.CommandContext(ctx, program, Idle)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("trigger %s: %w", program, err)
	}
	return cmd.Wait()
}

// burst executes the program n times at the rate a second, each with its number.
func burst(ctx context.Context, program, times, rate string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	perSecond, err := strconv.Atoi(rate)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := range n {
		<-tick.C
		if err := exec.CommandContext(ctx, program, Mark+strconv.Itoa(i)).Run(); err != nil { //nolint:gosec // the measured program
			return fmt.Errorf("exec %d of %s: %w", i, program, err)
		}
	}
	return nil
}

func slot(t *Trace, i int) *uint64 { return (*uint64)(unsafe.Pointer(&t.mem[i*8])) } //nolint:gosec // eight aligned bytes of the mapping

// step is one thread that never rests: whenever it may run, the time shows it.
func step(at *uint64) {
	runtime.LockOSThread()
	for {
		atomic.StoreUint64(at, uint64(Now())) //nolint:gosec // never negative
	}
}

// forkLoop forks for ever; each child leaves the time and ends. Nothing is
// executed, so that the exec sensor has nothing to see.
func forkLoop(at *uint64) {
	runtime.LockOSThread()
	for {
		pid, errno := forkChild(at)
		if errno != 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		var status syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
				break
			}
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// forkChild is a bare fork. Between the fork and its end the child makes raw
// system calls only: no other thread of the Go runtime lives in it.
//
//go:norace
//go:nosplit
func forkChild(at *uint64) (int, syscall.Errno) {
	var ts unix.Timespec
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return int(pid), errno
	}
	syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&ts)), 0) //nolint:gosec,errcheck // a raw call in a forked child
	*at = uint64(ts.Sec)*1e9 + uint64(ts.Nsec)                                                       //nolint:gosec // never negative
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0) //nolint:errcheck // it does not return
	}
}

// Args of the workload in a container: program is executed when trigger appears.
func Args(binary, trace, program, trigger string) []string {
	return []string{binary, Flag, trace, program, trigger}
}
