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
	cfg      ServerConfig
	place    Place
	roster   Roster
	host     string // where it listens
	port     int
	ns       *server.Server
	said     *serverLog // of ns
	door     *door
	admin    *link
	space    *spaceGuard
	lock     *os.File
	healer   healer
	patience time.Duration // with a nats-server that is to stop in place
	failed   chan error
	signed   *signed // by any client of this process
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
	s := &Server{signed: newSigned(), cfg: cfg, place: placeIn(cfg.DataDir), door: &door{}, patience: stopWait, failed: make(chan error, 1)}
	if err := Secure(cfg.DataDir, cfg.Log); err != nil {
		return nil, err
	}
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
	if s.host, s.port, err = s.listen(); err != nil {
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
	if a, ok := s.ns.Addr().(*net.TCPAddr); ok {
		s.port = a.Port // it may have been any; it stays
	}
	s.place.Address = s.url()
	if err := writeFile(s.place.addressFile(), []byte(s.place.Address+"\n")); err != nil {
		return nil, err
	}
	s.space.watch(s.admin.nc, s.mend)
	return s, nil
}

// run starts the server itself and waits until it takes connections.
func (s *Server) run(ctx context.Context, opts *server.Options) error {
	log := &serverLog{log: s.cfg.Log}
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("bus: nats-server: %w", err)
	}
	ns.SetLoggerV2(log, false, false, false)
	s.ns, s.said = ns, log
	ns.Start()
	wait := startWait
	if at, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(at))
	}
	ready := false
	for end := time.Now().Add(wait); !ready && ctx.Err() == nil && time.Now().Before(end); {
		ready = ns.ReadyForConnections(min(time.Second, wait))
	}
	if !ready {
		return fmt.Errorf("bus: %w: nats-server did not come up in %s: %s", ErrUnavailable, s.place.dir, log.last())
	}
	if !ns.JetStreamEnabled() {
		return fmt.Errorf("bus: %w: JetStream did not come up in %s: %s", ErrUnavailable, s.place.dir, log.last())
	}
	s.door.ns.Store(ns) // not before: clients would find stores that are still being read
	return nil
}

// options are nats-server's, with the accounts of the roster.
func (s *Server) options() (*server.Options, error) {
	users, err := Users(s.cfg.Cluster, s.roster)
	if err != nil {
		return nil, err
	}
	opts := &server.Options{Host: s.host, Port: s.port}
	if err := opts.ProcessConfigString(users); err != nil {
		return nil, fmt.Errorf("bus: accounts: %w", err)
	}
	switch s.cfg.Sync {
	case "", "interval":
	case "always":
		opts.SyncAlways = true
	default:
		return nil, fmt.Errorf("bus.sync %q: %w: want interval or always", s.cfg.Sync, ErrConfig)
	}
	if s.cfg.Cert != "" {
		pair, err := keyPair(s.cfg.Cert, s.cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("bus.tls: %w: %w", ErrConfig, err)
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
		return "", 0, fmt.Errorf("bus.listen %q: %w: want host:port: %w", s.cfg.Listen, ErrConfig, err)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && s.cfg.Cert == "" {
		return "", 0, fmt.Errorf("bus.listen %q: %w: beyond loopback it needs TLS: set bus.tls.cert and bus.tls.key", s.cfg.Listen, ErrConfig)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("bus.listen %q: %w: bad port, want 0 to 65535", s.cfg.Listen, ErrConfig)
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
	var unknown *net.DNSError
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.As(err, &unknown):
		return fmt.Errorf("bus.listen %s: %w: this host has no such address: %w", s.cfg.Listen, ErrConfig, err)
	case err != nil:
		return fmt.Errorf("bus.listen %s: %w: choose another port, or 0 for any", s.cfg.Listen, err)
	}
	return l.Close()
}

// keyPair reads a certificate and its key.
func keyPair(cert, key string) (tls.Certificate, error) {
	certPEM, _, err := readRegular(cert, maxCertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, _, err := readRegular(key, maxCertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
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
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(s.port))
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
		inProcess: s.door, signed: s.signed, Keyfile: s.place.Keyfile(user), User: user,
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
		if err = shutdown(ctx, s.ns); err != nil {
			err = fmt.Errorf("stop the bus: %w", err)
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
