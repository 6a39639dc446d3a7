package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

const defaultCluster = "local"

// DialConfig says how to reach a bus, and as whom.
type DialConfig struct {
	URL       string
	Keyfile   string // the user's nkey seed
	CA        string // PEM of the authority of the server's certificate; default: the system's
	Cert, Key string // client certificate, where the server asks for one
	User      User   // default: whose key it is by the roster
	Cluster   string // default "local"
	Roster    Roster
	Wait      bool // keep trying until ctx ends when the server is not there yet
	Log       *slog.Logger

	inProcess *door
	signed    *signed // shared by the clients of one process; nil: its own
}

func (d DialConfig) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}

// Dial connects as a user. The connection heals itself for as long as the
// client lives; Close ends it.
func Dial(ctx context.Context, cfg DialConfig) (*Client, error) {
	l, err := cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	return newClient(l, cfg)
}

// link is a connection and how it stands.
type link struct {
	nc     *nats.Conn
	kp     nkeys.KeyPair
	user   User
	public string
	log    *slog.Logger

	mu      sync.Mutex
	alive   context.Context // ends when the connection breaks
	broke   context.CancelFunc
	changed chan struct{} // closed at the next change
	gen     uint64        // counts connections

	denied atomic.Pointer[string] // what the server last refused to let us publish
}

// connect reads the key, checks whose it is, and connects.
func (d DialConfig) connect(ctx context.Context) (*link, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	kp, mode, err := readKey(d.Keyfile)
	if err != nil {
		return nil, err
	}
	if mode&0o077 != 0 {
		d.log().Warn("this key file is open to other users of this host: close it (mode 0600)", "file", d.Keyfile, "mode", mode.String())
	}
	l := &link{kp: kp, log: d.log(), changed: make(chan struct{})}
	l.alive, l.broke = context.WithCancel(context.Background())
	if l.public, err = kp.PublicKey(); err != nil {
		return nil, fmt.Errorf("key file %s: %w", d.Keyfile, err)
	}
	l.user = d.Roster.byKey()[l.public]
	switch {
	case l.user == "":
		return nil, fmt.Errorf("key file %s: %w: the roster does not know this key", d.Keyfile, ErrDenied)
	case d.User != "" && d.User != l.user:
		return nil, fmt.Errorf("key file %s: %w: it is the key of %s, not of %s", d.Keyfile, ErrDenied, l.user, d.User)
	}
	opts := d.options(l)
	for {
		l.nc, err = nats.Connect(d.URL, opts...)
		if err == nil {
			return l, nil
		}
		if refused(err) {
			return nil, fmt.Errorf("connect to the bus at %s as %s: %w: the server does not know this key (the users of an external server are printed by `firebreak bus users`): %w", d.URL, l.user, ErrDenied, err)
		}
		if !d.Wait {
			return nil, fmt.Errorf("connect to the bus at %s as %s: %w: is it running there? %w", d.URL, l.user, ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to the bus at %s as %s: %w: %w", d.URL, l.user, ErrUnavailable, errors.Join(ctx.Err(), err))
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// check tells of what no server can mend, before it is tried again and again.
func (d DialConfig) check() error {
	for _, f := range []string{d.CA, d.Cert, d.Key} {
		if f == "" {
			continue
		}
		if _, _, err := readRegular(f, maxCertFile); err != nil {
			return fmt.Errorf("TLS of the bus: %w: %w", ErrConfig, err)
		}
	}
	if d.inProcess != nil {
		return nil
	}
	for one := range strings.SplitSeq(d.URL, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil {
			// Its text may hold a password.
			return fmt.Errorf("bus.url: %w: want nats://host:port", ErrConfig)
		}
		port, perr := strconv.ParseUint(cmp.Or(u.Port(), "4222"), 10, 16)
		if !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Hostname() == "" || perr != nil || port == 0 {
			return fmt.Errorf("bus.url %q: %w: want nats://host:port or tls://host:port, with a port from 1 to 65535", u.Redacted(), ErrConfig)
		}
	}
	return nil
}

func refused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) ||
		strings.Contains(strings.ToLower(err.Error()), "authorization violation")
}

func (d DialConfig) options(l *link) []nats.Option {
	opts := []nats.Option{
		nats.Name("firebreak " + string(l.user)),
		nats.Nkey(l.public, l.kp.Sign),
		nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		// Nothing is buffered while the connection is down: each call waits
		// for it and sends again, so that its answer says what was stored.
		nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(), // a server that is being set up anew may not know us for a moment
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { l.down(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { l.up() }),
		nats.ClosedHandler(func(*nats.Conn) { l.down(nil) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { l.complain(sub, err) }),
	}
	if d.inProcess != nil {
		opts = append(opts, nats.InProcessServer(d.inProcess))
	}
	if d.CA != "" {
		opts = append(opts, nats.RootCAs(d.CA))
	}
	if d.Cert != "" {
		opts = append(opts, nats.ClientCert(d.Cert, d.Key))
	}
	return opts
}

func (l *link) down(err error) {
	l.mu.Lock()
	l.broke()
	l.wake()
	l.mu.Unlock()
	if err != nil {
		l.log.Warn("connection to the bus lost", "user", string(l.user), "error", err)
	}
}

func (l *link) up() {
	l.mu.Lock()
	l.alive, l.broke = context.WithCancel(context.Background())
	l.gen++
	l.denied.Store(nil)
	l.wake()
	l.mu.Unlock()
	l.log.Info("connection to the bus is back", "user", string(l.user))
}

func (l *link) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// state gives a context that ends when the connection breaks, what is closed
// at the next change, and which connection it is.
func (l *link) state() (context.Context, <-chan struct{}, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alive, l.changed, l.gen
}

// complain hears what the server says outside of answers.
func (l *link) complain(sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer):
		l.log.Debug("a follower is behind and reads the store again", "subject", sub.Subject)
	case errors.Is(err, nats.ErrPermissionViolation):
		text := err.Error()
		l.denied.Store(&text)
		l.log.Error("the bus refused", "user", string(l.user), "error", err)
	default:
		l.log.Warn("connection to the bus", "user", string(l.user), "error", err)
	}
}
