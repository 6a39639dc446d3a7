package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// Space says what the embedded server does as its disk fills. A zero field
// takes its default.
type Space struct {
	Low      int64         // below it EVENTS and BLOBS are refused; default 512 MiB
	Critical int64         // below it the ballast is freed for the LEDGER; default 64 MiB
	Ballast  int64         // size of the ballast file; default 256 MiB
	Every    time.Duration // how often to look; default 1 s
}

func (s Space) withDefaults() Space {
	if s.Low == 0 {
		s.Low = 512 << 20
	}
	if s.Critical == 0 {
		s.Critical = 64 << 20
	}
	if s.Ballast == 0 {
		s.Ballast = 256 << 20
	}
	if s.Every == 0 {
		s.Every = time.Second
	}
	return s
}

// What the guard tells the clients. "low" is told again at every look, for
// those that came later; it lapses by itself when nobody repeats it.
const (
	spaceLow = "low"
	spaceOK  = "ok"
	lapse    = 15 * time.Second
)

// spaceGuard watches the disk under the stores.
type spaceGuard struct {
	cfg     Space
	dir     string
	ballast string
	log     *slog.Logger

	ctx  context.Context // until it is to stop
	quit context.CancelFunc
	done sync.WaitGroup
}

func newSpaceGuard(dir string, cfg Space, log *slog.Logger) (*spaceGuard, error) {
	g := &spaceGuard{cfg: cfg.withDefaults(), dir: dir, ballast: filepath.Join(dir, "ballast"), log: log}
	g.ctx, g.quit = context.WithCancel(context.Background())
	free, err := freeBytes(dir)
	if err != nil {
		return nil, err
	}
	if err := g.keepBallast(free); err != nil {
		return g, err
	}
	if _, err := os.Stat(g.ballast); errors.Is(err, fs.ErrNotExist) {
		log.Warn("no room for the ballast of the bus: when this disk fills up there is nothing to free for the ledger, and nats-server stops writing at once; free space, it is then made by itself, or put data_dir on a larger disk",
			"dir", dir, "free", free, "needed", g.ballastNeeds())
	}
	return g, nil
}

// ballastNeeds is how much must be free for the ballast to be made.
func (g *spaceGuard) ballastNeeds() int64 { return g.cfg.Ballast + g.cfg.Low + g.cfg.Low/8 }

// room is how much must be free for nats-server to be worth starting anew.
func (g *spaceGuard) room() int64 { return min(2*g.cfg.Critical, g.cfg.Low) }

// watch looks at the disk until stop, tells the clients, and then calls mend
// with what is free.
func (g *spaceGuard) watch(nc *nats.Conn, mend func(ctx context.Context, free int64)) {
	g.done.Go(func() {
		t := time.NewTicker(g.cfg.Every)
		defer t.Stop()
		low := false
		for {
			free, err := freeBytes(g.dir)
			if err != nil {
				g.log.Error("the bus cannot see how full its disk is", "error", err)
			} else {
				low = g.look(nc, low, free)
				mend(g.ctx, free)
			}
			select {
			case <-g.ctx.Done():
				return
			case <-t.C:
			}
		}
	})
}

func (g *spaceGuard) stop() {
	g.quit()
	g.done.Wait()
}

// look acts on what is free now, and gives whether that is too little.
func (g *spaceGuard) look(nc *nats.Conn, was bool, free int64) bool {
	low := free < g.cfg.Low
	if free < g.cfg.Critical {
		g.freeBallast(free)
	}
	if !low {
		if err := g.keepBallast(free); err != nil {
			g.log.Error("ballast", "error", err)
		}
	}
	if low != was {
		g.log.Warn("disk space of the bus", "low", low, "free", free, "limit", g.cfg.Low)
	}
	if low || was {
		text := spaceOK
		if low {
			text = spaceLow
		}
		if err := nc.Publish(spaceSubject, []byte(text)); err != nil {
			g.log.Error("clients cannot be told how the disk stands", "error", err)
		}
	}
	return low
}

func (g *spaceGuard) freeBallast(free int64) {
	err := os.Remove(g.ballast)
	switch {
	case err == nil:
		g.log.Error("disk almost full: the ballast was freed so that the ledger can go on; free space now", "dir", g.dir, "free", free)
	case !errors.Is(err, fs.ErrNotExist):
		g.log.Error("disk almost full, and the ballast cannot be freed", "error", err)
	}
}

// keepBallast makes the ballast when it is missing and leaves room above the low mark.
func (g *spaceGuard) keepBallast(free int64) error {
	if _, err := os.Stat(g.ballast); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if free < g.ballastNeeds() {
		return nil
	}
	f, err := os.OpenFile(g.ballast, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("ballast: %w", err)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, g.cfg.Ballast)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = writeZeros(f, g.cfg.Ballast)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("ballast: %w", errors.Join(err, os.Remove(g.ballast)))
	}
	return nil
}

func writeZeros(f *os.File, n int64) error {
	zeros := make([]byte, 1<<20)
	for n > 0 {
		k, err := f.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil //nolint:gosec // no disk is that large
}

// spaceMark is what a client last heard about the disk.
type spaceMark struct{ lowUntil atomic.Int64 }

func (m *spaceMark) hear(text string, now time.Time) {
	until := int64(0)
	if text == spaceLow {
		until = now.Add(lapse).UnixNano()
	}
	m.lowUntil.Store(until)
}

func (m *spaceMark) low() bool {
	until := m.lowUntil.Load()
	return until != 0 && time.Now().UnixNano() < until
}
