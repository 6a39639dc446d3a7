package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const (
	mountV2       = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountTmpfs    = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	mountFreezer  = "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
	mountJoined   = "37 31 0:34 / /sys/fs/cgroup/all rw - cgroup cgroup rw,cpu,freezer,memory\n"
	mountSystemd  = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
	mountUnified  = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	mountElsewhen = "garbage\n12 - x\n"
)

func TestReadHierarchy(t *testing.T) {
	tests := []struct {
		name, mounts string
		want         hierarchy
	}{
		{"v2", mountElsewhen + mountV2, hierarchy{"v2", "/sys/fs/cgroup", true}},
		{"v1", mountTmpfs + mountFreezer + mountSystemd, hierarchy{"v1", "/sys/fs/cgroup/freezer", false}},
		{"v1, controllers together", mountTmpfs + mountJoined, hierarchy{"v1", "/sys/fs/cgroup/all", false}},
		{"hybrid", mountTmpfs + mountUnified + mountFreezer + mountSystemd, hierarchy{"hybrid", "/sys/fs/cgroup/freezer", false}},
		{"hybrid without a v1 freezer", mountTmpfs + mountUnified + mountSystemd, hierarchy{"hybrid", "/sys/fs/cgroup/unified", true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readHierarchy(tt.mounts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(hierarchy{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, none := range []string{"", mountTmpfs, mountTmpfs + mountSystemd} {
		if h, err := readHierarchy(none); err == nil {
			t.Errorf("%q gave %+v", none, h)
		}
	}
}

// Every freezer that this host has mounted works, and nothing is left of the trial.
func TestFreezing(t *testing.T) {
	raw, err := readSmall(mountinfoPath)
	if err != nil {
		t.Fatal(err)
	}
	first, err := readHierarchy(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	all := []hierarchy{first}
	for line := range strings.Lines(string(raw)) {
		if two, err := readHierarchy(line); err == nil && two.v2 && two.dir != first.dir {
			all = append(all, two)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, h := range all {
		what, err := h.tryFreeze(ctx)
		if err != nil || what != "a process" {
			t.Errorf("%+v: %q, %v", h, what, err)
		}
		left, err := filepath.Glob(filepath.Join(h.dir, trialName+"*"))
		if err != nil || len(left) != 0 {
			t.Errorf("%+v left %v, %v", h, left, err)
		}
	}
	if got := cgroups(ctx, mountinfoPath); got.State != OK {
		t.Errorf("%+v", got)
	}
}

func TestFreezingFaults(t *testing.T) {
	fake := func(t *testing.T, line, at string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "mountinfo")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(line, "/sys/fs/cgroup", at)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("no mountinfo", func(t *testing.T) {
		wantFail(t, cgroups(t.Context(), filepath.Join(t.TempDir(), "gone")), "cannot tell", "writable cgroup file system")
	})
	t.Run("a named pipe for mountinfo", func(t *testing.T) {
		pipe := filepath.Join(t.TempDir(), "mountinfo")
		if err := unix.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		wantFail(t, cgroups(t.Context(), pipe), "named pipe", "writable cgroup file system")
	})
	t.Run("read-only", func(t *testing.T) {
		dir := tmpfs(t, "size=1m,ro")
		wantFail(t, cgroups(t.Context(), fake(t, mountV2, dir)), "read-only", "writable cgroup file system")
	})
	t.Run("no cgroups there", func(t *testing.T) {
		dir := t.TempDir()
		wantFail(t, cgroups(t.Context(), fake(t, mountV2, dir)), "freezing does not work", "writable cgroup file system")
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	t.Run("never frozen", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "cgroup.events"), []byte("populated 1\nfrozen 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := hierarchy{mode: "v2", dir: dir, v2: true}.awaitFrozen(within(t), dir)
		if err == nil || !strings.Contains(err.Error(), "never said") {
			t.Errorf("err = %v", err)
		}
	})
}
