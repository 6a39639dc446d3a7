package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"firebreak/services/responder/action/evidence/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func all(int) bool { return true }

// start runs a sleep until the test ends.
func start(t *testing.T, program string, env ...string) *os.Process {
	t.Helper()
	cmd := exec.Command(program, "100000")
	cmd.Env = env
	if err := cmd.Start(); err != nil { // returns after it was executed
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("it ended by itself")
		}
	})
	return cmd.Process
}

func TestRead(t *testing.T) {
	p := start(t, "sleep", "TOKEN=hidden")
	other := start(t, "sleep")
	list, err := Read(t.Context(), []int{1<<22 + 1, p.Pid, other.Pid}, func(pid int) bool { return pid != other.Pid })
	if err != nil || len(list.Processes) != 1 || len(list.Cut) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	got := list.Processes[0]
	if got.PID != p.Pid || got.PPID != os.Getpid() || !slices.Equal(got.Env, []text.Text{"TOKEN"}) || !slices.Equal(got.Args, []text.Text{"sleep", "100000"}) || got.Thread != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := Read(t.Context(), nil, all); err != nil {
		t.Error(err)
	}
}

// TestBound: what is beyond a bound is told.
func TestBound(t *testing.T) {
	p := start(t, "sleep", "A=1", "B="+strings.Repeat("x", 100<<10), "C="+strings.Repeat("x", 100<<10), "D="+strings.Repeat("x", 100<<10), "E=1")
	list, err := Read(t.Context(), []int{p.Pid}, all)
	if err != nil || len(list.Processes) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if got := list.Processes[0]; !slices.Equal(got.Env, []text.Text{"A", "B", "C"}) || len(got.Cut) != 1 || len(list.Cut) != 1 {
		t.Errorf("names %q, cut %q, %q", got.Env, got.Cut, list.Cut)
	}
	list, err = Read(t.Context(), make([]int, maxProcesses+2), all)
	if err != nil || len(list.Cut) != 1 || !strings.HasPrefix(list.Cut[0], "2 of ") {
		t.Errorf("%q, %v", list.Cut, err)
	}
	r := reader{}
	if got, ok := r.read(p.Pid, all); !ok || got.Exe == "" || len(got.Env)+len(got.Args) != 0 || len(got.Cut) != 1 {
		t.Errorf("without room: %+v", got)
	}
}

// TestProgram: from a folder of the host, from memory, and of what is not it.
func TestProgram(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "sleep")
	if err := os.WriteFile(name, want, 0o700); err != nil {
		t.Fatal(err)
	}
	memory, err := unix.MemfdCreate("x", 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(memory), "memory")
	if _, err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	onDisk, inMemory := start(t, name), start(t, "/proc/self/fd/"+strconv.Itoa(memory))
	if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
		t.Fatal(err)
	}
	list, err := Read(t.Context(), []int{onDisk.Pid, inMemory.Pid}, all)
	if err != nil || len(list.Processes) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, p := range list.Processes {
		if !p.Deleted {
			t.Errorf("%s is not said to be deleted", p.Exe)
		}
		f, err := Program(p, rootDevice(t))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d (%v)", p.Exe, len(got), len(want), err)
		}
		p.Start++
		if _, err := Program(p, ""); !errors.Is(err, ErrNotRead) {
			t.Errorf("another process's program: %v", err)
		}
	}
}

// rootDevice is the device of the file system for temporary files, which may be
// an overlay where the tests run in a container.
func rootDevice(t *testing.T) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(os.TempDir(), &st); err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(int(unix.Major(st.Dev))) + ":" + strconv.Itoa(int(unix.Minor(st.Dev)))
}

func TestUnsafe(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if why := unsafe("/proc/self", int(read.Fd()), ""); why == "" {
		t.Error("a pipe is safe")
	}
	proc, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if why := unsafe("/proc/self", int(proc.Fd()), ""); !strings.Contains(why, `"proc"`) {
		t.Errorf("a file of another kind of file system: %q", why)
	}
	if err := errors.Join(read.Close(), write.Close(), proc.Close()); err != nil {
		t.Fatal(err)
	}
}
