package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// healTries is how often nats-server is started anew in place while the
	// disk has room; when it still cannot write, something else is wrong.
	healTries = 3
	// healPause is how long between two of them.
	healPause = 10 * time.Second
	// healSpan is how long it must write after one for it to count as mended.
	healSpan = 10 * time.Minute
	// stopWait is how long nats-server may take to stop.
	stopWait = time.Minute
)

// door is where clients of the same process come in: to the nats-server that
// runs now, for it may be another one when they come back.
type door struct{ ns atomic.Pointer[server.Server] }

// InProcessConn gives a connection to the server of now.
func (d *door) InProcessConn() (net.Conn, error) {
	ns := d.ns.Load()
	if ns == nil {
		return nil, ErrUnavailable
	}
	return ns.InProcessConn()
}

// healer remembers what was tried.
type healer struct {
	told  bool // that it waits for room
	tries int
	last  time.Time
	gave  bool // up
}

// Failed gives the error that ends the server's work while it runs, at most
// once; the channel is never closed. Its owner should then stop all and let the
// process end with that error: starting it again is what heals.
func (s *Server) Failed() <-chan error { return s.failed }

// mend is called at every look at the disk. A nats-server whose disk was full
// refuses every further write to a store, or turns JetStream off, also when
// there is room again. Only a new one writes again, so one is started in place
// as soon as there is room. Its clients connect again by themselves, as after
// any restart.
func (s *Server) mend(ctx context.Context, free int64) {
	h := &s.healer
	room := free >= s.space.room()
	if !room {
		h.tries = 0 // whatever fails now, the disk may be the reason
	}
	why := s.broken()
	switch {
	case h.gave || ctx.Err() != nil:
	case why == "":
		h.told = false
		if time.Since(h.last) > healSpan {
			h.tries = 0
		}
	case !room:
		if !h.told {
			h.told = true
			s.cfg.Log.Error("the bus cannot write: free space on its disk; nats-server is then started anew by itself", "dir", s.place.dir, "free", free, "needed", s.space.room(), "why", why)
		}
	case time.Since(h.last) < healPause:
	case h.tries >= healTries:
		s.fail(fmt.Errorf("bus in %s: %w: nats-server cannot write although the disk has room, and starting it anew in place did not help %d times: look at the disk (%s), then restart Firebreak", s.place.dir, ErrUnavailable, h.tries, why))
	default:
		h.tries, h.last, h.told = h.tries+1, time.Now(), false
		s.cfg.Log.Warn("the disk has room again and nats-server still cannot write: it is started anew in place", "free", free, "why", why)
		if err := s.restart(ctx); err != nil && ctx.Err() == nil {
			s.fail(fmt.Errorf("%w: a restart of Firebreak heals it", err))
			return
		}
		if ctx.Err() == nil {
			s.cfg.Log.Info("nats-server runs again and can write", "took", time.Since(h.last).Round(time.Millisecond))
		}
	}
}

// broken says why nats-server does not write any more; "" when it does.
func (s *Server) broken() string {
	if why := s.said.hurt.Load(); why != nil {
		return *why
	}
	if !s.ns.JetStreamEnabled() {
		return "JetStream is off: " + s.said.last()
	}
	return ""
}

func (s *Server) fail(err error) {
	s.healer.gave = true
	s.cfg.Log.Error("the bus has failed", "error", err)
	s.failed <- err // has room: it is sent once
}

// restart stops nats-server and starts another on the same port and files.
func (s *Server) restart(ctx context.Context) error {
	opts, err := s.options()
	if err != nil {
		return err
	}
	stopping, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if err := shutdown(stopping, s.ns); err != nil {
		return fmt.Errorf("bus: nats-server does not stop: %w", err)
	}
	for err = s.free(s.host, s.port); err != nil; err = s.free(s.host, s.port) {
		select {
		case <-stopping.Done():
			return errors.Join(err, stopping.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return s.run(ctx, opts)
}

// shutdown stops a nats-server and waits for it.
func shutdown(ctx context.Context, ns *server.Server) error {
	ns.Shutdown()
	done := make(chan struct{})
	go func() { ns.WaitForShutdown(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
