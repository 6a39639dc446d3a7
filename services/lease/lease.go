package lease

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"firebreak/schemas"
)

// State is the store of keys, as the lease needs it.
type State interface {
	GetState(ctx context.Context, key string) (value []byte, revision uint64, err error)
	PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Config of a lease.
type Config struct {
	Key    string
	Holder Holder
	TTL    time.Duration // how long a holder may be silent; 10 s when zero

	// Nonce names one loop of the process that holds again and again: what it
	// held before and lost touch with is its own at once. It must not be used
	// by two at a time; random when "".
	Nonce string

	Log *slog.Logger
}

// entry is what STATE keeps.
type entry struct {
	Holder  Holder           `json:"holder"`
	TTL     schemas.Duration `json:"ttl"`
	Nonce   string           `json:"nonce"`          // tells two holds of one process apart
	Renewed uint64           `json:"renewed"`        // how often
	Free    bool             `json:"free,omitempty"` // given back
}

const defaultTTL = 10 * time.Second

// Hold waits until the lease is ours and renews it until stop is called, ctx
// ends, or it is lost. lost is closed when the lease is ours no more: whoever
// holds it must stop acting then. stop gives it back and waits for the renewal
// to end; it must be called, and may be called again.
func Hold(ctx context.Context, st State, cfg Config) (rev uint64, lost <-chan struct{}, stop func(), err error) {
	if cfg.TTL <= 0 {
		cfg.TTL = defaultTTL
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Nonce == "" {
		cfg.Nonce = rand.Text()
	}
	l := &lease{st: st, cfg: cfg, nonce: cfg.Nonce, gone: make(chan struct{}), done: make(chan struct{})}
	if err := l.acquire(ctx); err != nil {
		return 0, nil, nil, err
	}
	rev = l.rev
	inner, cancel := context.WithCancel(ctx)
	go l.renew(inner)
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			<-l.done
			l.free(context.WithoutCancel(ctx))
		})
	}
	return rev, l.gone, stop, nil
}

type lease struct {
	st      State
	cfg     Config
	nonce   string
	rev     uint64
	renewed uint64
	gone    chan struct{}
	done    chan struct{}
}

func (l *lease) value(free bool) ([]byte, error) {
	l.renewed++
	v, err := json.Marshal(entry{Holder: l.cfg.Holder, TTL: schemas.Duration(l.cfg.TTL), Nonce: l.nonce, Renewed: l.renewed, Free: free})
	if err != nil {
		return nil, fmt.Errorf("lease %s: %w", l.cfg.Key, err)
	}
	return v, nil
}

// put writes our entry over a revision.
func (l *lease) put(ctx context.Context, rev uint64, free bool) error {
	v, err := l.value(free)
	if err != nil {
		return err
	}
	rev, err = l.st.PutState(ctx, l.cfg.Key, v, rev)
	if err == nil {
		l.rev = rev
	}
	return err
}

// acquire waits for the lease.
func (l *lease) acquire(ctx context.Context) error {
	poll := min(max(l.cfg.TTL/20, 10*time.Millisecond), 500*time.Millisecond)
	timer := time.NewTicker(poll)
	defer timer.Stop()
	var (
		seen  uint64
		since time.Time
		told  bool
	)
	for {
		held, rev, err := l.read(ctx)
		switch {
		case err != nil:
			if ctx.Err() != nil {
				return fmt.Errorf("lease %s: %w", l.cfg.Key, ctx.Err())
			}
			l.cfg.Log.Warn("lease: cannot be read, trying again", "key", l.cfg.Key, "error", err)
			since = time.Now() // nobody could be seen renewing it
		case rev != seen || since.IsZero():
			seen, since = rev, time.Now()
		}
		if err == nil && (held == nil || l.over(*held, since)) {
			took, err := l.take(ctx, rev)
			if took || err != nil {
				return err
			}
			continue
		}
		if err == nil && !told {
			told = true
			l.cfg.Log.Info("lease: waiting for its holder", "key", l.cfg.Key, "host", held.Holder.Host, "pid", held.Holder.PID)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lease %s: %w", l.cfg.Key, ctx.Err())
		case <-timer.C:
		}
	}
}

// read gives who holds the lease; nil when nobody does.
func (l *lease) read(ctx context.Context) (*entry, uint64, error) {
	v, rev, err := l.st.GetState(ctx, l.cfg.Key)
	if err != nil {
		return nil, 0, err
	}
	if len(v) == 0 {
		return nil, rev, nil
	}
	var e entry
	if err := json.Unmarshal(v, &e); err != nil {
		// Whoever wrote it may be alive: wait as for any holder.
		e = entry{TTL: schemas.Duration(l.cfg.TTL)}
	}
	if e.Free {
		return nil, rev, nil
	}
	return &e, rev, nil
}

// over says that a holder may be taken over.
func (l *lease) over(held entry, since time.Time) bool {
	ttl := time.Duration(held.TTL)
	if ttl <= 0 {
		ttl = l.cfg.TTL
	}
	own := held.Nonce == l.nonce && held.Holder == l.cfg.Holder
	return own || time.Since(since) >= ttl || held.Holder.dead(l.cfg.Holder)
}

// take tries to become the holder; false when another came first.
func (l *lease) take(ctx context.Context, rev uint64) (bool, error) {
	err := l.put(ctx, rev, false)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("lease %s: %w", l.cfg.Key, ctx.Err())
	case errors.Is(err, schemas.ErrConflict):
		return l.mine(ctx)
	default:
		l.cfg.Log.Warn("lease: cannot be taken, trying again", "key", l.cfg.Key, "error", err)
		return false, l.pause(ctx)
	}
}

// mine says whether the entry is one that we wrote: its answer was lost.
func (l *lease) mine(ctx context.Context) (bool, error) {
	held, rev, err := l.read(ctx)
	if err != nil || held == nil || held.Nonce != l.nonce {
		return false, l.pause(ctx)
	}
	l.rev = rev
	return true, nil
}

func (l *lease) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("lease %s: %w", l.cfg.Key, ctx.Err())
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}

// renew keeps the lease until ctx ends or it is lost.
func (l *lease) renew(ctx context.Context) {
	defer close(l.done)
	defer close(l.gone)
	every := l.cfg.TTL / 5
	limit := l.cfg.TTL * 2 / 3
	timer := time.NewTicker(every)
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		if began.Sub(last) >= limit {
			l.cfg.Log.Error("lease: lost, it was not renewed in time", "key", l.cfg.Key)
			return
		}
		attempt, cancel := context.WithTimeout(ctx, limit-began.Sub(last))
		err := l.put(attempt, l.rev, false)
		if errors.Is(err, schemas.ErrConflict) {
			var ours bool
			if ours, err = l.mine(attempt); err == nil && !ours {
				err = schemas.ErrConflict
			}
		}
		cancel()
		switch {
		case err == nil:
			last = began
		case ctx.Err() != nil:
			return
		case errors.Is(err, schemas.ErrConflict):
			l.cfg.Log.Error("lease: lost to another", "key", l.cfg.Key)
			return
		default:
			l.cfg.Log.Warn("lease: not renewed, trying again", "key", l.cfg.Key, "error", err)
		}
	}
}

// free gives the lease back, so that the next need not wait.
func (l *lease) free(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := l.put(ctx, l.rev, true); err != nil && !errors.Is(err, schemas.ErrConflict) {
		l.cfg.Log.Warn("lease: not given back; the next holder waits until it runs out", "key", l.cfg.Key, "error", err)
	}
}
