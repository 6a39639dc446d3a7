package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// self makes a folder that looks like /proc/<pid>.
func self(t *testing.T, status, userNS, pidNS string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "ns"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"user": userNS, "pid": pidNS} {
		if err := os.Symlink(to, filepath.Join(dir, "ns", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPrivileges(t *testing.T) {
	const root = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n"
	tests := []struct {
		name, status, user, pid string
		want                    State
		detail                  string
	}{
		{"root", root, firstUserNamespace, firstPIDNamespace, OK, "every capability"},
		{"a user", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n", firstUserNamespace, firstPIDNamespace, Fail, "uid 1000 lacks CAP_DAC_OVERRIDE"},
		{"root without eBPF", "Uid:\t0\t0\t0\t0\nCapEff:\t0000003fffffffff\n", firstUserNamespace, firstPIDNamespace, Warn, "CAP_BPF"},
		{"root of a user namespace", root, "user:[4026532000]", firstPIDNamespace, Fail, "user namespace"},
		{"in a container", root, firstUserNamespace, "pid:[4026532000]", Fail, "pid namespace"},
		{"garbage", "Uid: x\nCapEff: zz\n", firstUserNamespace, firstPIDNamespace, Fail, "cannot tell"},
		{"nothing", "", firstUserNamespace, firstPIDNamespace, Fail, "cannot tell"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := privileges(self(t, tt.status, tt.user, tt.pid))
			if got.State != tt.want || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("%+v, want %s with %q", got, tt.want, tt.detail)
			}
		})
	}
	cut := privileges(self(t, "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000000000\n", firstUserNamespace, firstPIDNamespace))
	if !strings.Contains(cut.Remedy, "Grant them") {
		t.Errorf("root without capabilities is told to become root: %+v", cut)
	}
	if got := privileges(filepath.Join(t.TempDir(), "gone")); got.State != Fail {
		t.Errorf("no /proc: %+v", got)
	}
	if got := privileges(procSelf); got.State == Fail {
		t.Errorf("the tests run as root: %+v", got)
	}
}

func TestKernel(t *testing.T) {
	btf := filepath.Join(t.TempDir(), "vmlinux")
	if got := kernel(btf); got.State != Warn || !strings.Contains(got.Detail, "BTF") {
		t.Errorf("no type information: %+v", got)
	}
	if err := unix.Mkfifo(btf, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := kernel(btf); got.State != Warn || !strings.Contains(got.Detail, "named pipe") {
		t.Errorf("a named pipe in its place: %+v", got)
	}
	plain := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(plain, []byte("BTF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := kernel(plain); got.State != OK {
		t.Errorf("with type information: %+v", got)
	}
}

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{
		"5.8.0": true, "5.10.0-21-amd64": true, "6.1": true, "10.0.1": true,
		"5.7.19": false, "4.19.0": false, "": false, "garbage": false,
	} {
		if got := atLeast(release, 5, 8); got != want {
			t.Errorf("atLeast(%q, 5.8) = %t", release, got)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name          string
		files, locked uint64
		release       string
		want          State
	}{
		{"plenty", 65536, 1 << 40, "5.10.0", OK},
		{"few files", 1024, 1 << 40, "6.1.0", Warn},
		{"little memory on an old kernel", 65536, 64 << 10, "5.10.0", Warn},
		{"little memory where it does not count", 65536, 64 << 10, "5.11.0", OK},
	} {
		if got := judgeLimits(tt.files, tt.locked, tt.release); got.State != tt.want {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
	if got := limits(); got.State == Fail {
		t.Errorf("this host: %+v", got)
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name        string
		now, newest time.Time
		synced      bool
		want        State
	}{
		{"kept in step", now, now.Add(-time.Hour), true, OK},
		{"no file yet", now, time.Time{}, true, OK},
		{"free-running", now, now, false, Warn},
		{"behind its own files", now, now.Add(time.Hour), true, Warn},
		{"battery empty", time.Unix(0, 0), time.Time{}, true, Fail},
	} {
		if got := judgeClock(tt.now, tt.newest, tt.synced); got.State != tt.want {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, now, now); err != nil {
		t.Fatal(err)
	}
	if got := newest(dir); !got.Equal(now) {
		t.Errorf("newest = %s, want %s", got, now)
	}
	if got := newest(filepath.Join(dir, "gone")); !got.IsZero() {
		t.Errorf("newest of nothing = %s", got)
	}
}
