package lease

import (
	"context"
	"errors"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"firebreak/services/bus/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func self(t *testing.T) Holder {
	t.Helper()
	h, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestOneHolderAtATime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	st := bustest.New().Client("core", "")
	cfg := Config{Key: "lease.core", Holder: self(t), TTL: time.Minute}
	var holders atomic.Int32
	done := make(chan error)
	for range 4 {
		go func() {
			for range 3 {
				_, lost, stop, err := Hold(ctx, st, cfg)
				if err != nil {
					done <- err
					return
				}
				if n := holders.Add(1); n != 1 {
					done <- errors.New("two holders at once")
					return
				}
				if closed(lost) {
					done <- errors.New("lost at once")
					return
				}
				holders.Add(-1)
				stop()
				stop()
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestTakesOverADeadProcessAtOnce(t *testing.T) {
	// A process of this host that has ended.
	cmd := exec.CommandContext(t.Context(), "/bin/sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := self(t)
	dead.PID = cmd.Process.Pid
	var err error
	if dead.Start, err = started(dead.PID); err != nil {
		t.Fatal(err)
	}
	st := bustest.New().Client("core", "")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	old, lost, stopOld, err := Hold(ctx, st, Config{Key: "k", Holder: dead, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancelShort()
	if _, _, _, err := Hold(short, st, Config{Key: "k", Holder: self(t), TTL: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a living holder was taken over: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process was not killed")
	}
	rev, _, stop, err := Hold(ctx, st, Config{Key: "k", Holder: self(t), TTL: time.Hour})
	if err != nil {
		t.Fatalf("the dead holder was not taken over: %v", err)
	}
	defer stop()
	if rev <= old {
		t.Errorf("revision %d is not behind %d", rev, old)
	}
	if closed(lost) {
		t.Error("the old holder cannot know yet")
	}
	stopOld()
	if v, _, err := st.GetState(ctx, "k"); err != nil || len(v) == 0 {
		t.Errorf("the old holder took the key away: %s %v", v, err)
	}
}

func TestWaitsForAHolderElsewhere(t *testing.T) {
	st := bustest.New().Client("core", "")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other := Holder{Host: "elsewhere", BootID: "b", PID: 1, Start: 1}
	first, _, stopOther, err := Hold(ctx, st, Config{Key: "k", Holder: other, TTL: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for rev := first; rev < first+2; { // it renews
		if _, rev, err = st.GetState(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	stopOther()

	// One that is silent: its entry stays as it is.
	l := &lease{st: st, cfg: Config{Key: "silent", Holder: other, TTL: 200 * time.Millisecond}, nonce: "x"}
	if err := l.put(ctx, 0, false); err != nil {
		t.Fatal(err)
	}
	_, _, stop, err := Hold(ctx, st, Config{Key: "silent", Holder: self(t)})
	if err != nil {
		t.Fatalf("a silent holder was not taken over: %v", err)
	}
	stop()
}

// cut is a state that can be away.
type cut struct {
	State
	away atomic.Bool
}

var errAway = errors.New("away")

func (c *cut) PutState(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	if c.away.Load() {
		return 0, errAway
	}
	return c.State.PutState(ctx, key, value, rev)
}

func TestLosesWhatItCannotRenew(t *testing.T) {
	st := &cut{State: bustest.New().Client("core", "")}
	_, lost, stop, err := Hold(t.Context(), st, Config{Key: "k", Holder: self(t), TTL: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	st.away.Store(true)
	select {
	case <-lost:
	case <-time.After(30 * time.Second):
		t.Fatal("the lease was not given up")
	}
}

func TestLosesToAnother(t *testing.T) {
	c := bustest.New().Client("core", "")
	_, lost, stop, err := Hold(t.Context(), c, Config{Key: "k", Holder: self(t), TTL: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for {
		_, rev, err := c.GetState(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PutState(t.Context(), "k", []byte(`{"holder":{"host":"x"}}`), rev); err == nil {
			break
		}
	}
	select {
	case <-lost:
	case <-time.After(30 * time.Second):
		t.Fatal("the loss was not noticed")
	}
}

func TestDead(t *testing.T) {
	me := self(t)
	with := func(change func(*Holder)) Holder {
		h := me
		change(&h)
		return h
	}
	for name, tc := range map[string]struct {
		holder Holder
		want   bool
	}{
		"this process":           {me, false},
		"the pid was used again": {with(func(h *Holder) { h.Start-- }), true},
		"another host":           {with(func(h *Holder) { h.Host, h.Start = "x", 1 }), false},
		"another boot or pid ns": {with(func(h *Holder) { h.BootID, h.Start = "x", 1 }), false},
		"no such process":        {with(func(h *Holder) { h.PID = 1 << 30 }), true},
		"nothing known":          {Holder{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.holder.dead(me); got != tc.want {
				t.Errorf("dead = %v, want %v", got, tc.want)
			}
		})
	}
}

// A loop that lost touch with the bus, and could not give its lease back,
// does not wait for itself.
func TestItsOwnFormerHoldIsTakenAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	st := bustest.New().Client("core", "")
	cfg := Config{Key: "lease.core", Holder: self(t), TTL: time.Hour, Nonce: "loop"}
	l := &lease{st: st, cfg: cfg, nonce: cfg.Nonce}
	if err := l.acquire(ctx); err != nil {
		t.Fatal(err)
	}
	_, _, stop, err := Hold(ctx, st, cfg)
	if err != nil {
		t.Fatalf("it waited for itself: %v", err)
	}
	stop()
}
