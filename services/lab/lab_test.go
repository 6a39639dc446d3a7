package lab_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"go.uber.org/goleak"

	"firebreak/services/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLab goes through a lab's whole life: nothing may be left of it.
func TestLab(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(ctx, lab.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := l.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)

	alone, err := l.Run(ctx, lab.Container{ID: "alone", Env: []string{"COLOUR=red"}})
	if err != nil {
		t.Fatal(err)
	}
	pod := &lab.Pod{UID: "11111111-2222-3333-4444-555555555555", Name: "web", Namespace: "shop"}
	member, err := l.Run(ctx, lab.Container{ID: "member", Pod: pod, HostPID: true})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("exec", func(t *testing.T) {
		out, err := alone.Exec(ctx, "sh", "-c", "echo $COLOUR; id -u; echo new > /tmp/new")
		if err != nil || out != "red\n0\n" {
			t.Errorf("exec: %q, %v", out, err)
		}
		if b, err := os.ReadFile(filepath.Join(alone.Rootfs(), "tmp/new")); err != nil || string(b) != "new\n" {
			t.Errorf("the container's file from outside: %q, %v", b, err)
		}
		if _, err := alone.Exec(ctx, "false"); err == nil {
			t.Error("exit code 1 is no error")
		}
		if pid, err := member.Spawn(ctx, "sleep", "1000"); err != nil || pid == 0 {
			t.Errorf("spawn: %d, %v", pid, err)
		}
	})
	t.Run("pod", func(t *testing.T) {
		labels, err := member.Container.Labels(member.In(ctx))
		if err != nil || labels["io.kubernetes.pod.uid"] != pod.UID || labels["io.cri-containerd.kind"] != "container" {
			t.Errorf("labels %v, %v", labels, err)
		}
		b, err := os.ReadFile(filepath.Join("/proc", itoa(member.PID), "cgroup"))
		if err != nil || !strings.Contains(string(b), "/kubepods/pod"+pod.UID+"/member") || member.Namespace != "k8s.io" {
			t.Errorf("cgroup %s, namespace %s, %v", b, member.Namespace, err)
		}
	})
	t.Run("restart", func(t *testing.T) {
		for _, kill := range []bool{true, false} {
			if err := l.Restart(ctx, kill); err != nil {
				t.Fatal(err)
			}
			if s, err := alone.Status(ctx); err != nil || s != containerd.Running {
				t.Errorf("after a restart: %v, %v", s, err)
			}
		}
		if out, err := alone.Exec(ctx, "cat", "/tmp/new"); err != nil || out != "new\n" {
			t.Errorf("exec after a restart: %q, %v", out, err)
		}
	})
	t.Run("end", func(t *testing.T) {
		r, err := l.Run(ctx, lab.Container{ID: "short"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.End(ctx); err != nil {
			t.Error(err)
		}
		if _, err = l.Run(ctx, lab.Container{ID: "short"}); err != nil {
			t.Fatalf("the same id again: %v", err)
		}
	})
	if err := member.Task.Pause(member.In(ctx)); err != nil { // Stop must end paused ones too
		t.Fatal(err)
	}
	stop()
	nothingLeft(t, dir, l.Cgroup())
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

func nothingLeft(t *testing.T, dir, cgroup string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || bytes.Contains(mounts, []byte(dir)) {
		t.Errorf("mounts are left: %v", err)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	for _, f := range lines {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(dir)) {
			t.Errorf("a process is left: %s %q", f, b)
		}
	}
	err = filepath.WalkDir("/sys/fs/cgroup", func(p string, _ fs.DirEntry, err error) error {
		if err == nil && strings.Contains(p, cgroup) {
			t.Errorf("a cgroup is left: %s", p)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestV2: the container lives in cgroup v2 alone.
func TestV2(t *testing.T) {
	l := lab.TempV2(t)
	r, err := l.Run(t.Context(), lab.Container{ID: "on-v2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Restart(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join("/proc", itoa(r.PID), "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v2 := strings.HasPrefix(line, "0::"); v2 != strings.Contains(line, "on-v2") {
			t.Errorf("cgroup %s", line)
		}
	}
	if out, err := r.Exec(t.Context(), "ls", "/bin/busybox"); err != nil || out != "/bin/busybox\n" {
		t.Errorf("exec: %q, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(r.Rootfs(), "bin/busybox")); err != nil {
		t.Error(err)
	}
}

// TestTemp runs two labs beside each other, with the same names in them.
func TestTemp(t *testing.T) {
	a, b := lab.Temp(t), lab.Temp(t)
	for _, l := range []*lab.Lab{a, b} {
		if _, err := l.Run(t.Context(), lab.Container{ID: "same"}); err != nil {
			t.Error(err)
		}
	}
}

func itoa(pid uint32) string { return strconv.FormatUint(uint64(pid), 10) }
