package evidence

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/evidence/process"
	"firebreak/services/responder/action/evidence/rootfs"
	"firebreak/services/responder/action/evidence/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting is a workload that shows whether it runs.
var counting = []string{"/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.01; done"}

// shelf keeps what is captured in memory.
type shelf struct {
	during func() error // called at each piece, before it is taken

	mu   sync.Mutex
	kept map[string][]byte
}

func (s *shelf) PutBlob(_ context.Context, r io.Reader) (string, int64, error) {
	if s.during != nil {
		if err := s.during(); err != nil {
			return "", 0, err
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return "", 0, err
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(b))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string][]byte{}
	}
	s.kept[digest] = b
	return digest, int64(len(b)), nil
}

// taken is a capture, read back.
type taken struct {
	Captured

	processes process.List
	sockets   socket.List
	diff      rootfs.Diff
	files     map[string][]byte // of the archive
	raw       map[string][]byte
}

func read(t *testing.T, s *shelf, e schemas.Effect) taken {
	t.Helper()
	got := taken{files: map[string][]byte{}, raw: map[string][]byte{}}
	decode(t, e.Data, &got.Captured)
	for _, a := range got.Artefacts {
		b, ok := s.kept[a.Digest]
		if !ok || int64(len(b)) != a.Size {
			t.Fatalf("%s: digest %s is stored: %v, %d bytes, want %d", a.Name, a.Digest, ok, len(b), a.Size)
		}
		got.raw[a.Name] = b
	}
	if len(got.raw) != 4 {
		t.Fatalf("artefacts %+v", got.Artefacts)
	}
	decode(t, got.raw["processes.json"], &got.processes)
	decode(t, got.raw["sockets.json"], &got.sockets)
	decode(t, got.raw["rootfs-diff.json"], &got.diff)
	if got.diff.Unknown != "" {
		t.Fatalf("what differs is unknown: %s (these tests need a folder for temporary files that bears overlayfs)", got.diff.Unknown)
	}
	for r := tar.NewReader(bytes.NewReader(got.raw["rootfs-diff.tar"])); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || h.Mode != 0o400 {
			t.Errorf("%q in the archive: type %c, mode %o", h.Name, h.Typeflag, h.Mode)
		}
		if got.files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

func (g taken) entry(t *testing.T, path string) rootfs.Entry {
	t.Helper()
	for _, e := range g.diff.Entries {
		if string(e.Path) == path {
			return e
		}
	}
	t.Errorf("%q is not listed", path)
	return rootfs.Entry{}
}

func (g taken) process(t *testing.T, pid uint32) process.Process {
	t.Helper()
	for _, p := range g.processes.Processes {
		if p.PID == int(pid) {
			return p
		}
	}
	t.Fatalf("process %d is not listed", pid)
	return process.Process{}
}

func newCapture(t *testing.T, l *lab.Lab, s *shelf) *Capture {
	t.Helper()
	c, err := New(Config{Client: l.Client(), Blobs: s})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, l *lab.Lab, c lab.Container) *lab.Running {
	t.Helper()
	r, err := l.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(c.Args, counting) {
		// Started is not yet executed: for a moment it is still runc's own program.
		eventually(t, r.ID+" counts", func() bool { return count(t, r) != "" })
	}
	return r
}

func exec(t *testing.T, r *lab.Running, args ...string) {
	t.Helper()
	if _, err := r.Exec(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

func target(r *lab.Running) schemas.Target {
	return schemas.Target{Kind: "container", ID: r.ID, Place: "node-test", Entities: schemas.Entities{
		Container: &schemas.Container{ID: r.ID, Namespace: r.Namespace},
	}}
}

func plan(t *testing.T, c *Capture, r *lab.Running, with string) schemas.Plan {
	t.Helper()
	p, err := c.Plan(t.Context(), target(r), []byte(with))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, c *Capture, p schemas.Plan) schemas.Effect {
	t.Helper()
	e, err := c.Apply(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func status(t *testing.T, r *lab.Running, want string) {
	t.Helper()
	if s, err := r.Status(t.Context()); err != nil || string(s) != want {
		t.Errorf("%s is %q (%v), want %q", r.ID, s, err, want)
	}
}

func count(t *testing.T, r *lab.Running) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Rootfs(), "count"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// standing tells where the container's first process stands, for a failure
// that is too rare to be looked at live.
func standing(r *lab.Running) string {
	var out []string
	for _, name := range []string{"status", "wchan", "cgroup"} {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(r.PID)), name))
		out = append(out, fmt.Sprintf("%s (%v): %s", name, err, b))
	}
	frozen, err := filepath.Glob("/sys/fs/cgroup/freezer/*/" + r.ID + "*/freezer.state")
	for _, name := range frozen {
		b, readErr := os.ReadFile(name)
		out = append(out, fmt.Sprintf("%s (%v, %v): %s", name, err, readErr, b))
	}
	return strings.Join(out, "\n")
}

// runsOn wants a container that runs, with nothing of ours left on it.
func runsOn(t *testing.T, c *Capture, r *lab.Running) {
	t.Helper()
	status(t, r, "running")
	first := count(t, r)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(standing(r))
		}
	})
	eventually(t, r.ID+" runs", func() bool { now := count(t, r); return now != "" && now != first })
	unmarked(t, c, r)
	for _, g := range cgroups(t, c, r) {
		if frozen, err := g.SelfFrozen(); err != nil || frozen {
			t.Errorf("%s is frozen (%v)", g.Dir(), err)
		}
	}
}

func unmarked(t *testing.T, c *Capture, r *lab.Running) {
	t.Helper()
	for _, g := range cgroups(t, c, r) {
		if _, left := g.Mark(halt.MarkCapture); left {
			t.Errorf("%s still bears our mark", g.Dir())
		}
	}
}

func cgroups(t *testing.T, c *Capture, r *lab.Running) []halt.Cgroup {
	t.Helper()
	at, err := c.host.Locate(int(r.PID), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var out []halt.Cgroup
	for _, g := range []halt.Cgroup{c.host.Own(at), c.host.Side(at)} {
		if !g.Zero() {
			out = append(out, g)
		}
	}
	return out
}

func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !look() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
