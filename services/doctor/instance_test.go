package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestInstance(t *testing.T) {
	dir := t.TempDir()
	if got := instance(dir, locksPath); got.State != OK {
		t.Errorf("an empty folder: %+v", got)
	}
	if got := instance(filepath.Join(dir, "gone"), locksPath); got.State != OK {
		t.Errorf("no folder: %+v", got)
	}

	file := filepath.Join(dir, "run.lock")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if got := instance(dir, locksPath); got.State != OK {
		t.Errorf("left behind, and locked by nobody: %+v", got)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe.lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d (run)", os.Getpid())
	if got := instance(dir, locksPath); got.State != Warn || !strings.Contains(got.Detail, want) {
		t.Errorf("locked: %+v, want %q", got, want)
	}
	if got := instance(dir, filepath.Join(dir, "gone")); got.State != Warn || !strings.Contains(got.Detail, "cannot tell") {
		t.Errorf("no list of locks: %+v", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := instance(dir, locksPath); got.State != OK {
		t.Errorf("after its end: %+v", got)
	}
}

func TestParseLocks(t *testing.T) {
	got := parseLocks("1: FLOCK  ADVISORY  WRITE 42 fe:00:1234 0 EOF\n" +
		"1: -> FLOCK  ADVISORY  WRITE 43 fe:00:1234 0 EOF\n" +
		"2: POSIX  ADVISORY  WRITE 44 fe:00:1235 0 EOF\n" +
		"3: FLOCK  ADVISORY  WRITE x fe:00:1236 0 EOF\n" +
		"garbage\n")
	if len(got) != 1 || len(got[1234]) != 1 || got[1234][0] != 42 {
		t.Errorf("%v", got)
	}
}
