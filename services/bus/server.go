package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
)

// startWait is how long the server may take to come up; a large store that was
// not closed cleanly is checked first.
const startWait = 2 * time.Minute

// ServerConfig is the embedded server.
type ServerConfig struct {
	DataDir   string   // keys, address and stores lie in its folder "bus"
	Listen    string   // default "127.0.0.1:0"; beyond loopback Cert and Key are needed
	Cluster   string   // name of the cluster, in the subjects of events; default "local"
	Nodes     []string // nodes that get keys
	Cert, Key string   // TLS, as PEM files
	Sync      string   // "interval" (default: every two minutes) or "always" (each write, slower)
	Limits    Limits
	Space     Space
	Log       *slog.Logger
}

// Server is the embedded NATS server with its stores.
type Server struct {
	cfg    ServerConfig
	place  Place
	roster Roster
	ns     *server.Server
	admin  *link
	space  *spaceGuard
	lock   *os.File
}

// Start makes missing keys, starts the server, sets up the stores and writes
// the address where [Find] looks. Stop must be called.
func Start(ctx context.Context, cfg ServerConfig) (_ *Server, err error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Cluster == "" {
		cfg.Cluster = defaultCluster
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, place: placeIn(cfg.DataDir)}
	if s.roster, err = EnsureKeys(cfg.DataDir, cfg.Nodes...); err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(s.place.dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if s.space, err = newSpaceGuard(s.place.dir, cfg.Space, cfg.Log); err != nil {
		return nil, err
	}
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, opts); err != nil {
		return nil, err
	}
	if s.admin, err = s.dial(Admin).connect(ctx); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.admin.nc, s.roster, cfg.Limits, cfg.Log); err != nil {
		return nil, err
	}
	s.space.watch(s.admin.nc)
	s.place.Address = s.url()
	return s, writeFile(s.place.addressFile(), []byte(s.place.Address+"\n"))
}

// run starts the server itself and waits until it takes connections.
func (s *Server) run(ctx context.Context, opts *server.Options) error {
	log := &serverLog{log: s.cfg.Log}
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("bus: nats-server: %w", err)
	}
	ns.SetLoggerV2(log, false, false, false)
	s.ns = ns
	ns.Start()
	wait := startWait
	if at, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(at))
	}
	if !ns.ReadyForConnections(wait) {
		return fmt.Errorf("bus: %w: nats-server did not come up in %s: %s", ErrUnavailable, s.place.dir, log.last())
	}
	if !ns.JetStreamEnabled() {
		return fmt.Errorf("bus: %w: JetStream did not come up in %s: %s", ErrUnavailable, s.place.dir, log.last())
	}
	return nil
}

// options are nats-server's, with the accounts of the roster.
func (s *Server) options() (*server.Options, error) {
	users, err := Users(s.cfg.Cluster, s.roster)
	if err != nil {
		return nil, err
	}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(users); err != nil {
		return nil, fmt.Errorf("bus: accounts: %w", err)
	}
	switch s.cfg.Sync {
	case "", "interval":
	case "always":
		opts.SyncAlways = true
	default:
		return nil, fmt.Errorf("bus.sync %q: %w: want interval or always", s.cfg.Sync, schemas.ErrInvalid)
	}
	if opts.Host, opts.Port, err = s.listen(); err != nil {
		return nil, err
	}
	if s.cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cfg.Cert, s.cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("bus.tls: %w", err)
		}
		opts.TLS, opts.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		opts.TLSTimeout = 5
	}
	opts.ServerName = "firebreak-" + schemas.Token(s.cfg.Cluster)
	opts.NoSigs = true
	opts.JetStream, opts.StoreDir = true, s.place.dir
	// The stores have limits of their own, and the space guard watches the
	// disk; a reservation against what is free now would refuse them on small disks.
	opts.JetStreamMaxStore, opts.JetStreamMaxMemory = 1<<50, 64<<20
	return opts, nil
}

// listen checks the address, and takes the port of last time where none is
// asked for, so that clients find the server again after a restart.
func (s *Server) listen() (string, int, error) {
	host, text, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("bus.listen %q: %w: want host:port: %w", s.cfg.Listen, schemas.ErrInvalid, err)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && s.cfg.Cert == "" {
		return "", 0, fmt.Errorf("bus.listen %q: %w: beyond loopback it needs TLS: set bus.tls.cert and bus.tls.key", s.cfg.Listen, schemas.ErrInvalid)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("bus.listen %q: %w: bad port", s.cfg.Listen, schemas.ErrInvalid)
	}
	if port != 0 {
		return host, port, s.free(host, port)
	}
	if last, err := Find(s.cfg.DataDir); err == nil {
		if u, err := url.Parse(last.Address); err == nil {
			if p, err := strconv.Atoi(u.Port()); err == nil && s.free(host, p) == nil {
				return host, p, nil
			}
		}
	}
	return host, server.RANDOM_PORT, nil
}

// free tells whether a port can be had: nats-server would only log that it cannot.
func (s *Server) free(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("bus.listen %s: %w: choose another port, or 0 for any", s.cfg.Listen, err)
	}
	return l.Close()
}

func (s *Server) url() string {
	scheme := "nats"
	if s.cfg.Cert != "" {
		scheme = "tls"
	}
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	port := 0
	if a, ok := s.ns.Addr().(*net.TCPAddr); ok {
		port = a.Port
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// Address is the URL it listens on.
func (s *Server) Address() string { return s.place.Address }

// Roster has the keys the server knows.
func (s *Server) Roster() Roster { return s.roster }

// Connect gives a client in the same process, without the network between.
func (s *Server) Connect(ctx context.Context, user User) (*Client, error) {
	return Dial(ctx, s.dial(user))
}

func (s *Server) dial(user User) DialConfig {
	return DialConfig{
		inProcess: s.ns, Keyfile: s.place.Keyfile(user), User: user,
		Cluster: s.cfg.Cluster, Roster: s.roster, Log: s.cfg.Log,
	}
}

// Stop ends the server and waits for it; a second time it does nothing.
// Clients of the process should be closed before.
func (s *Server) Stop(ctx context.Context) error {
	if s.space != nil {
		s.space.stop()
	}
	if s.admin != nil {
		s.admin.nc.Close()
	}
	var err error
	if s.ns != nil {
		s.ns.Shutdown()
		done := make(chan struct{})
		go func() { s.ns.WaitForShutdown(); close(done) }()
		select {
		case <-done:
		case <-ctx.Done():
			err = fmt.Errorf("stop the bus: %w", ctx.Err())
		}
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close()) // closing it lets go of the lock
	}
	s.space, s.admin, s.ns, s.lock = nil, nil, nil, nil
	return err
}

// lockDir keeps a second server off the same files.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // below data_dir
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("bus: %s is in use by another Firebreak: stop it, or set another data_dir: %w", dir, err), f.Close())
	}
	return f, nil
}
