package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tmpfs mounts a disk of a size for the time of a test.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

func TestSpace(t *testing.T) {
	tests := []struct {
		name, options string
		want          State
		detail        string
	}{
		{"nearly nothing", "size=40m", Fail, "ballast"},
		{"events refused", "size=300m", Fail, "refused"},
		{"soon", "size=800m", Warn, "will be refused"},
		{"enough", "size=4g", OK, "free"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := space(tmpfs(t, tt.options))
			if got.State != tt.want || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("%+v, want %s with %q", got, tt.want, tt.detail)
			}
		})
	}
	t.Run("a folder that is not there yet", func(t *testing.T) {
		got := space(filepath.Join(tmpfs(t, "size=40m"), "a/b"))
		if got.State != Fail || !strings.Contains(got.Detail, "ballast") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("no inodes", func(t *testing.T) {
		dir := tmpfs(t, "size=4g,nr_inodes=2")
		if err := os.WriteFile(filepath.Join(dir, "last"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := space(dir); got.State != Fail || !strings.Contains(got.Detail, "inode") {
			t.Errorf("%+v", got)
		}
	})
}

func TestFolder(t *testing.T) {
	private := func(t *testing.T) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Run("private", func(t *testing.T) {
		dir := private(t)
		if got := folder(dir); got.State != OK {
			t.Errorf("%+v", got)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	t.Run("open to others", func(t *testing.T) {
		dir := private(t)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := folder(dir); got.State != Warn || !strings.Contains(got.Detail, "0755") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("to be made", func(t *testing.T) {
		dir := filepath.Join(private(t), "a/b")
		if got := folder(dir); got.State != OK || !strings.Contains(got.Detail, "will be made") {
			t.Errorf("%+v", got)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("the check made it")
		}
	})
	t.Run("a file in its place", func(t *testing.T) {
		file := filepath.Join(private(t), "f")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{file, filepath.Join(file, "below")} {
			if got := folder(dir); got.State != Fail {
				t.Errorf("%s: %+v", dir, got)
			}
		}
	})
	t.Run("a named pipe in its place", func(t *testing.T) {
		pipe := filepath.Join(private(t), "p")
		if err := unix.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := folder(pipe); got.State != Fail || !strings.Contains(got.Detail, "named pipe") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a full disk", func(t *testing.T) {
		dir := tmpfs(t, "size=64k,mode=0700")
		fill := filepath.Join(dir, "fill")
		if err := os.WriteFile(fill, make([]byte, 64<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := folder(dir); got.State != Fail || !strings.Contains(got.Detail, "no space left") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a read-only disk", func(t *testing.T) {
		dir := tmpfs(t, "size=1m,mode=0700,ro")
		if got := folder(dir); got.State != Fail || !strings.Contains(got.Detail, "read-only") {
			t.Errorf("%+v", got)
		}
		if got := folder(filepath.Join(dir, "new")); got.State != Fail {
			t.Errorf("a new folder on it: %+v", got)
		}
	})
}
