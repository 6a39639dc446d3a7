package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
)

// Config says where a lab lives.
type Config struct {
	Dir string       // absolute and short: a socket's path ends at 107 bytes
	Log *slog.Logger // nil: nothing is logged
	V2  bool         // show the containers' runtime the host's cgroup v2 hierarchy alone
}

// Lab is one containerd and everything it runs.
type Lab struct {
	dir         string
	v2          bool
	cgroup      string // below every hierarchy's root: "/firebreak-lab-<hash of dir>"
	snapshotter string
	log         *slog.Logger
	client      *containerd.Client
	image       []byte // docker archive

	importing sync.Mutex // one import at a time

	mu      sync.Mutex
	daemon  *daemon
	sockets map[string]bool // shim sockets seen, which a killed shim leaves behind
}

// maxDir leaves room for the names of sockets below the folder.
const maxDir = 80

// Start starts a containerd below cfg.Dir and waits until it serves.
func Start(ctx context.Context, cfg Config) (*Lab, error) {
	if !filepath.IsAbs(cfg.Dir) || len(cfg.Dir) > maxDir {
		return nil, fmt.Errorf("lab in %q: the folder must be absolute and at most %d bytes long", cfg.Dir, maxDir)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	dir := filepath.Clean(cfg.Dir)
	sum := sha256.Sum256([]byte(dir))
	l := &Lab{
		dir: dir, v2: cfg.V2, cgroup: "/firebreak-lab-" + hex.EncodeToString(sum[:6]),
		log: cfg.Log, sockets: map[string]bool{},
	}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, l.Stop(context.WithoutCancel(ctx)))
	}
	return l, nil
}

func (l *Lab) start(ctx context.Context) error {
	var err error
	if l.image, err = archive(); err != nil {
		return err
	}
	if err = l.configure(); err != nil {
		return err
	}
	if l.daemon, err = startDaemon(l.dir, l.v2); err != nil {
		return err
	}
	if l.client, err = containerd.New(l.Address()); err != nil {
		return fmt.Errorf("lab: client of %s: %w", l.Address(), err)
	}
	if err = l.serves(ctx); err != nil {
		return err
	}
	l.snapshotter, err = l.chooseSnapshotter(ctx)
	return err
}

// Address is containerd's socket.
func (l *Lab) Address() string { return filepath.Join(l.dir, "c.sock") }

// Client is a client of the lab's containerd; it is closed by Stop.
func (l *Lab) Client() *containerd.Client { return l.client }

// Cgroup is the path below which all containers of the lab have their cgroups.
func (l *Lab) Cgroup() string { return l.cgroup }

// Restart ends containerd, by SIGKILL when kill is set, and starts it again.
// The containers run on.
func (l *Lab) Restart(ctx context.Context, kill bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.daemon.stop(kill)
	d, err := startDaemon(l.dir, l.v2)
	if err != nil {
		return err
	}
	l.daemon = d
	return l.serves(ctx)
}

// serves waits until containerd answers.
func (l *Lab) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := l.client.Version(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-l.daemon.done:
			return fmt.Errorf("lab: containerd ended at its start: %w\n%s", l.daemon.err, l.daemon.tail())
		case <-ctx.Done():
			return fmt.Errorf("lab: containerd at %s does not answer: %w\n%s", l.Address(), err, l.daemon.tail())
		}
	}
}

// Stop ends every container, containerd and its shims, and takes down the
// mounts and cgroups. The folder stays. It can be called again.
func (l *Lab) Stop(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteSockets()
	errs := []error{l.killContainers(ctx)}
	if l.client != nil {
		l.removeContainers(ctx)
		l.noteSockets()
		errs = append(errs, l.client.Close())
		l.client = nil
	}
	if l.daemon != nil {
		l.daemon.stop(false)
		l.daemon = nil
	}
	errs = append(errs, l.killShims(ctx), l.killContainers(ctx), l.unmount(), l.removeCgroups(ctx))
	for s := range l.sockets {
		if err := os.Remove(s); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lab: stop: %w", err)
	}
	return nil
}
