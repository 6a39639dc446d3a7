package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestChoose(t *testing.T) {
	const (
		own     = `90 80 0:50 / /run/io.containerd.runtime.v2.task/default/web/rootfs rw shared:9 - overlay overlay rw,lowerdir=/l,upperdir=/u/a\040b,workdir=/w` + "\n"
		other   = `91 80 0:51 / /run/io.containerd.runtime.v2.task/default/cobweb/rootfs rw - overlay overlay rw,upperdir=/other` + "\n"
		unnamed = `92 80 0:52 / /docker/merged rw - overlay overlay rw,upperdir=/docker/upper,userxattr` + "\n"
		native  = `93 80 8:1 /snap /run/io.containerd.runtime.v2.task/default/web/rootfs rw - ext4 /dev/sda rw` + "\n"
		reading = `94 80 0:53 / /run/io.containerd.runtime.v2.task/default/web/rootfs ro - overlay overlay ro,lowerdir=/l` + "\n"
		second  = `95 80 0:54 / /x/io.containerd.runtime.v2.task/default/web/rootfs rw - overlay overlay rw,upperdir=/second` + "\n"
		fake    = `10 1 0:52 / / rw - overlay overlay rw,upperdir=/etc` + "\n"
	)
	for name, tc := range map[string]struct {
		outside, inside string
		upper, marks    string
	}{
		"by its name":                {other + own, fake, "/u/a b", trusted},
		"by its device":              {other + unnamed, fake, "/docker/upper", user},
		"seen twice":                 {own + own, "", "/u/a b", trusted},
		"two that differ":            {own + second, "", "", ""},
		"a copy, not an overlay":     {native, "", "", ""},
		"nothing can be written":     {reading, "", "", ""},
		"the container's word alone": {other, fake, "", ""},
		"nothing":                    {"", "", "", ""},
		"not the kernel's format":    {"x\n - \n1 2 3 - overlay\n", "", "", ""},
	} {
		m, err := choose(Container{ID: "web", Namespace: "default"}, tc.outside, tc.inside)
		if m.upper != tc.upper || m.upper != "" && m.marks != tc.marks || (err == nil) != (tc.upper != "") || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := Find(Container{ID: "web", PID: os.Getpid(), Runtime: 1<<22 + 1}); !errors.Is(err, ErrUnknown) {
		t.Errorf("without a runtime: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`90 80 0:50 / /a\040b rw shared:9 - overlay overlay rw,upperdir=/u\134,userxattr`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range parse(s) {
			if m.device == "" || m.kind == "" || m.upper != "" && m.kind != "overlay" {
				t.Errorf("%q: %+v", s, m)
			}
		}
	})
}

// folder is an upper folder without an overlay.
func folder(t *testing.T) *Upper {
	t.Helper()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	u := &Upper{Path: dir.Name(), dir: dir, marks: trusted}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

func write(t *testing.T, u *Upper, name, content string) string {
	t.Helper()
	at := filepath.Join(u.Path, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	return at
}

var plenty = Limits{Total: 1 << 20, File: 1 << 20, Hash: 1 << 20}

// archive copies and gives what is in the archive, by name.
func archive(t *testing.T, u *Upper, programs []Program, l Limits) (Diff, map[string]string) {
	t.Helper()
	var out bytes.Buffer
	d, err := Copy(t.Context(), u, programs, l, &out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return d, files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(b)
	}
}

func byPath(d Diff) map[string]Entry {
	out := map[string]Entry{}
	for _, e := range d.Entries {
		out[string(e.Path)] = e
	}
	return out
}

func TestLimits(t *testing.T) {
	u := folder(t)
	for _, n := range []string{"a", "b", "c"} {
		write(t, u, n, "12345678")
	}
	write(t, u, "big", "1234567890")
	write(t, u, "z", "")
	for name, tc := range map[string]struct {
		limits       Limits
		kept, hashed string
	}{
		"all":      {plenty, "a b big c z", "a b big c z"},
		"of one":   {Limits{Total: 100, File: 8, Hash: 100}, "a b c z", "a b big c z"},
		"of all":   {Limits{Total: 18, File: 100, Hash: 10}, "a b z", "a b big z"},
		"none":     {Limits{}, "z", "z"},
		"too late": {Limits{Total: 100, File: 100, Hash: 100, Until: time.Now().Add(-time.Second)}, "", ""},
	} {
		d, files := archive(t, u, nil, tc.limits)
		var kept, hashed []string
		for _, e := range d.Entries {
			if e.Kept != "" {
				kept = append(kept, string(e.Path))
			}
			if e.Sha256 != "" {
				hashed = append(hashed, string(e.Path))
			}
			if (e.Kept == "") != (e.LeftOut != "") {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got := strings.Join(kept, " "); got != tc.kept || len(files) != len(kept) {
			t.Errorf("%s: kept %q, %d in the archive", name, got, len(files))
		}
		if got := strings.Join(hashed, " "); got != tc.hashed {
			t.Errorf("%s: hashed %q", name, got)
		}
		if len(d.Cut) != 5-len(kept) {
			t.Errorf("%s: cut %q", name, d.Cut)
		}
	}
}

func TestOdd(t *testing.T) {
	u := folder(t)
	long := strings.Repeat("x", 200)
	deep := strings.Repeat("d/", maxDepth+3)
	write(t, u, long+"/"+long+"/f", "long")
	write(t, u, "deep/"+deep+"f", "deep")
	for _, when := range []int64{-1 << 40, 1 << 40} {
		at := write(t, u, fmt.Sprintf("when%d", when), "x")
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{{Sec: when}, {Sec: when}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	at := write(t, u, "linked", "x")
	sock := filepath.Join(u.Path, "char")
	if err := errors.Join(os.Link(at, at+"2"), unix.Mknod(sock, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))), unix.Mknod(filepath.Join(u.Path, "wh"), unix.S_IFCHR, 0)); err != nil {
		t.Fatal(err)
	}
	d, files := archive(t, u, nil, plenty)
	if files["upper/"+long+"/"+long+"/f"] != "long" {
		t.Error("a long name was lost")
	}
	if len(d.Cut) != 1 || !strings.Contains(d.Cut[0], "folders deep") {
		t.Errorf("cut: %q", d.Cut)
	}
	got := byPath(d)
	if got["linked"].Links != 2 || got["char"].Kind != "char" || got["wh"].Kind != "whiteout" {
		t.Errorf("%+v", d.Entries)
	}
}

// TestMarks: the overlay's own marks count, and those that a container can set do not.
func TestMarks(t *testing.T) {
	u := folder(t)
	set := func(at, name, v string) {
		t.Helper()
		if err := unix.Setxattr(at, name, []byte(v), 0); err != nil {
			t.Fatal(err)
		}
	}
	set(write(t, u, "meta", "x"), "trusted.overlay.metacopy", "")
	set(write(t, u, "gone", ""), "trusted.overlay.whiteout", "y")
	set(filepath.Dir(write(t, u, "opaque/f", "x")), "trusted.overlay.opaque", "y")
	set(write(t, u, "forged", "x"), "user.overlay.metacopy", strings.Repeat("y", 100))
	marks := func() string {
		d, _ := archive(t, u, nil, plenty)
		e := byPath(d)
		return fmt.Sprintf("meta %t gone %s opaque %t forged %t", e["meta"].Kept != "", e["gone"].Kind, e["opaque"].Opaque, e["forged"].Kept != "")
	}
	if diff := cmp.Diff("meta false gone whiteout opaque true forged true", marks()); diff != "" {
		t.Error(diff)
	}
	u.marks = user
	if diff := cmp.Diff("meta true gone file opaque false forged false", marks()); diff != "" {
		t.Error(diff)
	}
}

func TestPrograms(t *testing.T) {
	u := folder(t)
	at := write(t, u, "p", "program")
	open := func(name string) func() (*os.File, error) { return func() (*os.File, error) { return os.Open(name) } }
	d, files := archive(t, nil, []Program{
		{PID: 1, Start: 2, Path: "/p", Open: open(at)},
		{PID: 3, Start: 4, Path: "/gone", Open: open(at + "-")},
		{PID: 5, Start: 6, Path: "/folder", Open: open(u.Path)},
	}, plenty)
	if diff := cmp.Diff(map[string]string{"programs/1-2": "program"}, files); diff != "" {
		t.Error(diff)
	}
	if len(d.Programs) != 3 || d.Programs[0].LeftOut != "" || d.Programs[1].LeftOut == "" || d.Programs[2].LeftOut == "" || len(d.Cut) != 2 {
		t.Errorf("%+v, cut %q", d.Programs, d.Cut)
	}
}

// TestShrinks: what is missing of a promised size is filled up, and told.
func TestShrinks(t *testing.T) {
	u := folder(t)
	f, err := os.Open(write(t, u, "f", "abc"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	c := &copier{ctx: t.Context(), out: tar.NewWriter(&out), limits: plenty, left: plenty.Total}
	k, err := c.keep(f, "f", 100_000, time.Time{})
	if err != nil || !strings.Contains(k.leftOut, "first 3 bytes") || c.out.Close() != nil {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestEnds(t *testing.T) {
	u := folder(t)
	write(t, u, "f", "abc")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Copy(ctx, u, nil, plenty, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("when time has run out: %v", err)
	}
	read, write := io.Pipe()
	if err := read.CloseWithError(io.ErrShortWrite); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), u, nil, plenty, write); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("into nothing: %v", err)
	}
}
