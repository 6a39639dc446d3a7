package bus_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// As the disk fills EVENTS is refused first, then the ballast is freed for the
// LEDGER; when there is room again, all is as before.
func TestDiskFills(t *testing.T) {
	const mib = 1 << 20
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", 64*mib)); err != nil {
		t.Fatalf("a small disk for the test (it needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	cfg := config(t)
	cfg.DataDir = dir
	cfg.Space = bus.Space{Low: 20 * mib, Critical: 6 * mib, Ballast: 12 * mib, Every: 20 * time.Millisecond}
	s := start(t, cfg)
	core, ctx := client(t, s, bus.Core), soon(t)
	ballast, filler := filepath.Join(dir, "bus", "ballast"), filepath.Join(dir, "filler")
	n := 0
	publish := func() error {
		n++
		_, err := core.Publish(ctx, event(t, fmt.Sprint(n)))
		return err
	}
	decide := func() {
		t.Helper()
		n++
		if _, err := core.Append(ctx, record(t, fmt.Sprint(n), "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{}); err != nil {
			t.Fatal(err)
		}
	}
	leave := func(free int64) {
		t.Helper()
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(make([]byte, int64(st.Bavail)*st.Bsize-free))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it never came to that: %s", what)
			}
		}
	}
	there := func() bool { _, err := os.Stat(ballast); return err == nil }

	if err := publish(); err != nil || !there() {
		t.Fatalf("with room: %v, ballast %v", err, there())
	}
	leave(14 * mib)
	until("events are refused", func() bool { return errors.Is(publish(), bus.ErrNoSpace) })
	if _, _, err := core.PutBlob(ctx, strings.NewReader("x")); !errors.Is(err, bus.ErrNoSpace) {
		t.Errorf("PutBlob: %v; want ErrNoSpace", err)
	}
	decide()
	if !there() {
		t.Error("the ballast was freed too early")
	}
	leave(4 * mib)
	until("the ballast is freed", func() bool { return !there() })
	decide()
	if err := publish(); !errors.Is(err, bus.ErrNoSpace) {
		t.Errorf("Publish: %v; want ErrNoSpace", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until("events are taken again", func() bool { return publish() == nil })
	until("the ballast is back", there)
}
