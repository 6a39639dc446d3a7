package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/bus"
)

const mib = 1 << 20

// smallDisk is a disk of its own, of that size.
func smallDisk(t *testing.T, size int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("a small disk for the test (it needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// toTheBrim writes until not a byte more fits.
func toTheBrim(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := mib; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// A nats-server that met a disk without a byte left writes no more by itself.
// With room again it is started anew under its clients, which go on.
func TestDiskWasFull(t *testing.T) {
	cfg, out := config(t), &lines{}
	cfg.DataDir = smallDisk(t, 64*mib)
	cfg.Space = bus.Space{Low: 20 * mib, Critical: 6 * mib, Ballast: 12 * mib, Every: 20 * time.Millisecond}
	cfg.Log = slog.New(slog.NewTextHandler(out, nil))
	s, ctx := start(t, cfg), soon(t)
	near := client(t, s, bus.Core)
	p, err := bus.Find(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	dial, err := p.Dial(bus.Core)
	if err != nil {
		t.Fatal(err)
	}
	far, err := bus.Dial(ctx, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(far.Close)
	n := 0
	decide := func(ctx context.Context, c *bus.Client) error {
		n++
		_, err := c.Append(ctx, record(t, fmt.Sprint(n), "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{})
		return err
	}
	if err := errors.Join(decide(ctx, near), decide(ctx, far)); err != nil {
		t.Fatal(err)
	}
	got, live := follow(t, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
		return near.FollowLedger(ctx, 0, h, l)
	})
	next(t, live)

	filler := filepath.Join(cfg.DataDir, "filler")
	failed := func() bool {
		toTheBrim(t, filler)
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return decide(short, near) != nil
	}
	for end := time.Now().Add(patience); !failed(); {
		if time.Now().After(end) {
			t.Fatal("the ledger can be written without a disk")
		}
	}
	for end := time.Now().Add(patience); out.count("started anew by itself") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no line says what to do")
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	address := s.Address()
	for _, c := range []*bus.Client{near, far} {
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			err := decide(ctx, c)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("with room again: %v", err)
			}
		}
	}
	last := fmt.Sprint(n)
	for r := next(t, got); r.Incident != last; r = next(t, got) {
	}
	if now, err := bus.Find(cfg.DataDir); err != nil || now.Address != address {
		t.Errorf("address %s, was %s: %v", now.Address, address, err)
	}
	if r, err := far.Last(ctx, "1", "-", schemas.PlaceCore); err != nil || r.Kind != schemas.KindOpened {
		t.Errorf("the first record: %+v, %v", r, err)
	}
	select {
	case err := <-s.Failed():
		t.Errorf("it failed: %v", err)
	default:
	}
}

// That there is no room for the ballast is said, once, with what follows.
func TestNoRoomForBallast(t *testing.T) {
	cfg, out := config(t), &lines{}
	cfg.DataDir = smallDisk(t, 24*mib)
	cfg.Space = bus.Space{Low: 20 * mib, Critical: 6 * mib, Ballast: 12 * mib, Every: 5 * time.Millisecond}
	cfg.Log = slog.New(slog.NewTextHandler(out, nil))
	s := start(t, cfg)
	if err := client(t, s, bus.Core).DeleteState(soon(t), "x"); err != nil {
		t.Fatal(err)
	}
	if n := out.count("no room for the ballast"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
}
