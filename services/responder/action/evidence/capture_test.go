package evidence

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/evidence/process"
)

const (
	secret = "c0rrect-h0rse-battery"
	evil   = "evil\n\x1b[31mname"
)

// TestCapture: everything at once, where the runtime pauses through cgroup v1
// and where it sees v2 alone.
func TestCapture(t *testing.T) {
	host, err := halt.Find()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("as it is", func(t *testing.T) { testCapture(t, lab.Temp(t), host) })
	if host.V1 != "" && host.V2 != "" {
		t.Run("v2 alone", func(t *testing.T) { testCapture(t, lab.TempV2(t), halt.Host{V2: host.V2}) })
	}
}

func testCapture(t *testing.T, l *lab.Lab, host halt.Host) {
	t.Helper()
	r := run(t, l, lab.Container{ID: "web", Args: counting, Env: []string{"API_TOKEN=" + secret}, Mounts: []specs.Mount{
		{Destination: "/mem", Type: "tmpfs", Source: "tmpfs", Options: []string{"exec"}},
	}})
	gone, listens := scene(t, r)
	s := &shelf{during: func() error {
		if got, err := r.Status(t.Context()); err != nil || got != "paused" {
			return fmt.Errorf("while it is captured it is %q (%w)", got, err)
		}
		return nil
	}}
	c, err := New(Config{Client: l.Client(), Host: &host, Blobs: s})
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, c, r, ``)
	if len(p.Will) != 5 {
		t.Errorf("will: %q", p.Will)
	}
	got := read(t, s, apply(t, c, p))
	runsOn(t, c, r)
	if diff := cmp.Diff([]string{}, got.Cut); diff != "" {
		t.Errorf("cut:\n%s", diff)
	}
	for name, b := range got.raw {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the value of an environment variable is in %s", name)
		}
		if strings.HasSuffix(name, ".json") && bytes.ContainsAny(b, "\x1b\n") {
			t.Errorf("%s holds control characters", name)
		}
	}
	processes(t, got, r, gone)
	sockets(t, got, listens)
	files(t, got, gone)
}

// scene makes what an attacker leaves, and gives the processes of programs
// without a file, and of one that listens.
func scene(t *testing.T, r *lab.Running) (gone []uint32, listens uint32) {
	t.Helper()
	exec(t, r, "sh", "-c", `
		mkdir -p /opt/deep && echo dropped > /opt/deep/file && chmod 4755 /opt/deep/file
		ln -s /opt/deep /opt/link && ln -s / /opt/all && mkfifo /opt/pipe && mknod /opt/null c 1 3
		rm /etc/group && echo hidden > /opt/hidden && : > /opt/empty && : > "$(printf '/opt/bad\377')"
		cp /bin/busybox /tmp/sleep && cp /bin/busybox /mem/sleep`)
	exec(t, r, "sh", "-c", `echo evil > "$1"`, "sh", "/opt/"+evil)
	for _, program := range []string{"/tmp/sleep", "/mem/sleep"} {
		pid, err := r.Spawn(t.Context(), program, "100000")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, program+" runs", func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			return err == nil && string(b) == "sleep\n"
		})
		exec(t, r, "rm", program)
		gone = append(gone, pid)
	}
	listens, err := r.Spawn(t.Context(), "nc", "-l")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "nc listens", func() bool {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", listens))
		return err == nil && slices.ContainsFunc(links, func(l string) bool {
			to, err := os.Readlink(l)
			return err == nil && strings.HasPrefix(to, "socket:")
		})
	})
	// A mark that only the overlay may set, set where a container can set it.
	for _, name := range []string{"hidden", "empty"} {
		at := filepath.Join(r.Rootfs(), "opt", name)
		for _, mark := range []string{"user.overlay.metacopy", "user.overlay.whiteout"} {
			if err := unix.Setxattr(at, mark, []byte("y"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	return gone, listens
}

func processes(t *testing.T, got taken, r *lab.Running, gone []uint32) {
	t.Helper()
	first := got.process(t, r.PID)
	if !slices.Contains(first.Env, "API_TOKEN") || first.Deleted || first.Exe != "/bin/busybox" || len(first.Args) != 3 ||
		first.Cwd != "/" || !slices.Equal(first.Inside, []int{1}) || first.Started.IsZero() || len(first.UID) != 4 {
		t.Errorf("first process: %+v", first)
	}
	for i, exe := range []string{"/tmp/sleep", "/mem/sleep"} {
		p := got.process(t, gone[i])
		if !p.Deleted || string(p.Exe) != exe || len(p.Mapped) == 0 || !p.Mapped[0].Deleted {
			t.Errorf("process without a file: %+v", p)
		}
	}
	if slices.ContainsFunc(got.processes.Processes, func(p process.Process) bool { return p.PID == os.Getpid() }) {
		t.Error("a process of the host is listed")
	}
}

func sockets(t *testing.T, got taken, listens uint32) {
	t.Helper()
	found := 0
	for _, s := range got.sockets.Spaces {
		if !s.Host || s.Others == 0 {
			t.Errorf("namespace %s: host %v, %d others", s.Namespace, s.Host, s.Others)
		}
		for _, one := range s.Sockets {
			if len(one.PIDs) == 0 {
				t.Errorf("somebody else's socket is kept: %+v", one)
			}
			if slices.Equal(one.PIDs, []int{int(listens)}) && one.State == "listen" && strings.HasPrefix(one.Protocol, "tcp") {
				found++
			}
		}
	}
	if found != 1 {
		t.Errorf("the listening socket is there %d times: %+v", found, got.sockets)
	}
}

func files(t *testing.T, got taken, gone []uint32) {
	t.Helper()
	for path, content := range map[string]string{"opt/deep/file": "dropped\n", "opt/hidden": "hidden\n", "opt/empty": "", "opt/" + evil: "evil\n", "opt/bad\xff": ""} {
		e := got.entry(t, path)
		if e.Kind != "file" || e.Kept != "upper/"+path && path != "opt/bad\xff" || e.LeftOut != "" {
			t.Errorf("%q: %+v", path, e)
		}
		if b, ok := got.files["upper/"+path]; !ok || string(b) != content || e.Sha256 != fmt.Sprintf("%x", sha256.Sum256(b)) {
			t.Errorf("%q in the archive: %v, %q, hash %s", path, ok, b, e.Sha256)
		}
	}
	if e := got.entry(t, "opt/deep/file"); e.Mode != "0104755" || e.UID != 0 || e.Mtime.IsZero() {
		t.Errorf("attributes: %+v", e)
	}
	for path, kind := range map[string]string{"opt/link": "symlink", "opt/all": "symlink", "opt/pipe": "fifo", "opt/null": "char", "etc/group": "whiteout", "opt": "dir"} {
		if e := got.entry(t, path); e.Kind != kind || e.Kept != "" {
			t.Errorf("%s: %+v, want %s", path, e, kind)
		}
	}
	if e := got.entry(t, "opt/link"); e.Target != "/opt/deep" {
		t.Errorf("target %q", e.Target)
	}
	for name := range got.files {
		if strings.HasPrefix(name, "upper/opt/link/") || strings.HasPrefix(name, "upper/opt/all/") || strings.HasPrefix(name, "upper/bin") {
			t.Errorf("%q came by a link, or is the image's", name)
		}
	}
	want, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.diff.Programs) != len(gone) {
		t.Fatalf("programs without a file: %+v", got.diff.Programs)
	}
	for _, p := range got.diff.Programs {
		if !slices.Contains(gone, uint32(p.PID)) || p.LeftOut != "" || !bytes.Equal(got.files[p.Kept], want) {
			t.Errorf("program without a file: %+v, %d bytes", p, len(got.files[p.Kept]))
		}
	}
}

// TestHeadless: a program that ends its first thread hides nothing by that.
func TestHeadless(t *testing.T) {
	dir := t.TempDir()
	build := osexec.Command("go", "build", "-o", filepath.Join(dir, "churn"), "../container/testdata/churn")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build churn: %v\n%s", err, out)
	}
	l, s := lab.Temp(t), &shelf{}
	r := run(t, l, lab.Container{ID: "headless", Args: []string{"/own/churn", "headless"}, Env: []string{"API_TOKEN=" + secret}, Mounts: []specs.Mount{
		{Destination: "/own", Type: "bind", Source: dir, Options: []string{"rbind", "ro"}},
	}})
	eventually(t, "its first thread has ended", func() bool {
		st, err := halt.ReadStat(int(r.PID))
		return err == nil && st.State == 'Z'
	})
	c := newCapture(t, l, s)
	s.during = func() error {
		before := count(t, r)
		time.Sleep(20 * time.Millisecond)
		if now := count(t, r); now != before {
			return fmt.Errorf("it goes on from %q to %q", before, now)
		}
		return nil
	}
	got := read(t, s, apply(t, c, plan(t, c, r, ``)))
	p := got.process(t, r.PID)
	if p.Thread == 0 || p.Exe != "/own/churn" || len(p.Args) != 2 || len(p.Files) == 0 || len(p.Mapped) == 0 || p.Net == "" || !slices.Contains(p.Env, "API_TOKEN") || len(p.UID) != 4 {
		t.Errorf("%+v", p)
	}
	if len(got.Cut) != 0 || len(got.sockets.Spaces) != 1 {
		t.Errorf("cut %q, sockets %+v", got.Cut, got.sockets.Spaces)
	}
	got.entry(t, "count")
	runsOn(t, c, r)
	// runc does not pause it: a crash then leaves it frozen, and that is let go too.
	left := broken(t, l, r)
	if drift, err := newCapture(t, l, s).Undo(t.Context(), schemas.Effect{Version: version, Plan: left}); drift != "" || err != nil {
		t.Errorf("undo: %q, %v", drift, err)
	}
	runsOn(t, c, r)
}

// TestBound: what is beyond a bound is left out, and told where people look.
func TestBound(t *testing.T) {
	l, s := lab.Temp(t), &shelf{}
	r := run(t, l, lab.Container{ID: "web"})
	exec(t, r, "sh", "-c", `echo 1234567 > /a; echo 1234567 > /b`)
	c := newCapture(t, l, s)
	e := apply(t, c, plan(t, c, r, `{"maxBytes": 8}`))
	got := read(t, s, e)
	a, b := got.entry(t, "a"), got.entry(t, "b")
	if a.Kept != "upper/a" || a.LeftOut != "" || b.Kept != "" || b.Sha256 != a.Sha256 || !strings.Contains(b.LeftOut, "8 bytes") {
		t.Errorf("a: %+v\nb: %+v", a, b)
	}
	if _, ok := got.files["upper/b"]; ok || len(got.files) != 1 {
		t.Errorf("in the archive: %q", got.files)
	}
	if len(got.Cut) != 1 || !strings.Contains(got.Cut[0], `"b"`) || len(got.diff.Cut) != 1 {
		t.Errorf("cut: %q, %q", got.Cut, got.diff.Cut)
	}
	for _, art := range got.Artefacts {
		if told := art.Note != ""; told != strings.HasPrefix(art.Name, "rootfs") {
			t.Errorf("%s: note %q", art.Name, art.Note)
		}
	}
}
