package collector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/collector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const kind = "firebreak.runtime.process.started"

var errAway = errors.New("nobody answers")

// bus is what the collector publishes to; it can be made to fail or to hang.
type bus struct {
	mu     sync.Mutex
	fail   func(schemas.Event) error
	hang   bool
	stored []schemas.Event
	keys   map[string]int // attempts by key
}

func (b *bus) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
	b.mu.Lock()
	hang, fail := b.hang, b.fail
	b.mu.Unlock()
	if hang {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys == nil {
		b.keys = map[string]int{}
	}
	b.keys[e.Key()]++
	if fail != nil {
		if err := fail(e); err != nil {
			return 0, err
		}
	}
	b.stored = append(b.stored, e)
	return uint64(len(b.stored)), nil
}

func (b *bus) set(hang bool, fail func(schemas.Event) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hang, b.fail = hang, fail
}

func (b *bus) of(typ string) (all []schemas.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.stored {
		if e.Type == typ {
			all = append(all, e)
		}
	}
	return all
}

func away(schemas.Event) error { return errAway }

// source runs what the test says.
type source struct {
	name string
	run  func(ctx context.Context, emit collector.Emit) error
}

func (s source) Name() string { return s.name }
func (s source) Run(ctx context.Context, emit func(context.Context, schemas.Event) error) error {
	return s.run(ctx, emit)
}

func event(source string, n int) schemas.Event {
	return schemas.Event{
		ID: fmt.Sprint(n), Source: "/c/n/" + source, Type: kind, Subject: "web",
		Time: time.Unix(int64(n), 0).UTC(), Data: json.RawMessage(`{}`),
	}
}

func config(t *testing.T, b *bus, sources ...collector.Source) collector.Config {
	return collector.Config{
		Node: "n", Cluster: "c", Bus: b, Sources: sources, Log: slog.New(slog.DiscardHandler), SpoolDir: t.TempDir(),
		Rate: 1e6, Burst: 1e6, Publish: 100 * time.Millisecond, Drain: 200 * time.Millisecond,
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
	}
}

// start runs the collector; the function it gives stops it and waits.
func start(t *testing.T, c collector.Config) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx, c) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen within 30 s: %s", what)
		}
	}
}

func idsOf(events []schemas.Event, source string) (ids []string) {
	for _, e := range events {
		if e.Source == "/c/n/"+source {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func numbers(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

// feed emits what comes over a channel, in its order.
func feed(name string, numbers <-chan int) source {
	return source{name, func(ctx context.Context, emit collector.Emit) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case n := <-numbers:
				if err := emit(ctx, event(name, n)); err != nil {
					return err
				}
			}
		}
	}}
}

func data[T any](t *testing.T, e schemas.Event) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Two sources go on while the bus refuses, hangs and comes back: everything
// arrives once, in the order of each source, under the ids it had.
func TestNothingIsLostOrReorderedOverAnOutage(t *testing.T) {
	const n = 300
	b := &bus{}
	one, two := make(chan int), make(chan int)
	start(t, config(t, b, feed("one", one), feed("two", two)))
	for i := range n {
		switch i {
		case 50:
			b.set(false, away)
		case 100:
			b.set(true, nil)
		case 150:
			b.set(false, away)
		case 200:
			b.set(false, nil)
		}
		one <- i
		two <- i
	}
	eventually(t, "all events stored", func() bool { return len(b.of(kind)) >= 2*n })
	for _, s := range []string{"one", "two"} {
		if diff := cmp.Diff(numbers(n), idsOf(b.of(kind), s)); diff != "" {
			t.Errorf("source %s: %s", s, diff)
		}
	}
	if lost := b.of(schemas.EventsLost); len(lost) > 0 {
		t.Errorf("losses told: %s", lost[0].Data)
	}
}

func TestStoppedDuringAnOutageTheEventsWaitForTheNextStart(t *testing.T) {
	b := &bus{fail: away}
	in := make(chan int)
	c := config(t, b, feed("one", in))
	stop := start(t, c)
	for i := range 20 {
		in <- i
	}
	stop()
	if len(b.of(kind)) > 0 {
		t.Fatal("the bus was away, yet has events")
	}
	b.set(false, nil)
	start(t, c)
	in <- 20
	eventually(t, "old and new events stored", func() bool { return len(b.of(kind)) >= 21 })
	if diff := cmp.Diff(numbers(21), idsOf(b.of(kind), "one")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatFitsNoSpoolIsCountedAndTold(t *testing.T) {
	b := &bus{fail: away}
	in := make(chan int)
	c := config(t, b, feed("one", in))
	c.SpoolLimit = 2000
	start(t, c)
	const n = 200
	for i := range n {
		in <- i
	}
	in <- n // the one before is through when this one is taken
	b.set(false, nil)
	lost := func() (count uint64) {
		for _, e := range b.of(schemas.EventsLost) {
			l := data[schemas.LossEvent](t, e)
			if l.Source != "one" || l.Host.Name != "n" {
				t.Errorf("loss of %q on %v", l.Source, l.Host)
			}
			count += l.Count
		}
		return count
	}
	eventually(t, "stored and lost make all", func() bool { return len(b.of(kind))+int(lost()) == n+1 })
	if lost() == 0 {
		t.Error("nothing was lost: the bound did not hold")
	}
}

func TestAnEventThatIsNeverTakenStopsNothing(t *testing.T) {
	b := &bus{}
	in := make(chan int)
	c := config(t, b, feed("one", in), source{"large", func(ctx context.Context, emit collector.Emit) error {
		e := event("large", 1)
		e.Data = json.RawMessage(`"` + string(slices.Repeat([]byte("x"), 2000)) + `"`)
		if err := emit(ctx, e); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	c.MaxData = 1000
	b.fail = func(e schemas.Event) error {
		if e.ID == "1" && e.Type == kind {
			return fmt.Errorf("not this one: %w", schemas.ErrInvalid)
		}
		return nil
	}
	start(t, c)
	for i := range 3 {
		in <- i
	}
	eventually(t, "both losses told", func() bool { return len(b.of(schemas.EventsLost)) == 2 })
	eventually(t, "the others stored", func() bool { return len(b.of(kind)) == 2 })
	if diff := cmp.Diff([]string{"0", "2"}, idsOf(b.of(kind), "one")); diff != "" {
		t.Error(diff)
	}
}

func TestANoisyContainerIsCutOffAndCounted(t *testing.T) {
	b := &bus{}
	done := make(chan struct{})
	c := config(t, b, source{"one", func(ctx context.Context, emit collector.Emit) error {
		for i := range 500 {
			if err := emit(ctx, event("one", i)); err != nil {
				return err
			}
		}
		quiet := event("one", 500)
		quiet.Subject = "quiet"
		ended := event("one", 501)
		ended.Type = schemas.ContainerExited
		err := errors.Join(emit(ctx, quiet), emit(ctx, ended))
		close(done)
		<-ctx.Done()
		return errors.Join(err, ctx.Err())
	}})
	c.Rate, c.Burst, c.Period = 0.001, 20, 20*time.Millisecond
	stop := start(t, c)
	<-done
	stop()
	if n := len(b.of(kind)); n != 21 {
		t.Errorf("%d events passed, want the burst of 20 and the quiet container's one", n)
	}
	if n := len(b.of(schemas.ContainerExited)); n != 1 {
		t.Errorf("the end of the noisy container was told %d times", n)
	}
	var count uint64
	for _, e := range b.of(schemas.EventsSuppressed) {
		l := data[schemas.LossEvent](t, e)
		if l.Container == nil || l.Container.ID != "web" || l.Source != "one" {
			t.Errorf("suppression record %s", e.Data)
		}
		count += l.Count
	}
	if count != 480 {
		t.Errorf("%d events reported as suppressed, want 480", count)
	}
}

func TestABrokenSourceIsToldOncePerOutageAndRunAgain(t *testing.T) {
	b := &bus{}
	runs := make(chan struct{}, 100)
	s := &prober{source: source{"one", func(ctx context.Context, _ collector.Emit) error {
		runs <- struct{}{}
		if len(runs) < 4 {
			return errors.New("no socket")
		}
		<-ctx.Done()
		return ctx.Err()
	}}}
	s.set(errors.New("not connected"))
	c := config(t, b, s)
	c.Heartbeat = 10 * time.Millisecond
	c.Silence = 3000
	var live sync.Map
	c.Live = func(name string) { live.Store(name, true) }
	start(t, c)
	eventually(t, "four runs", func() bool { return len(runs) >= 4 })
	if n := len(b.of(schemas.Heartbeat)); n > 0 {
		t.Errorf("%d heartbeats of a source that never lived", n)
	}
	s.set(nil)
	eventually(t, "heartbeats", func() bool { return len(b.of(schemas.Heartbeat)) > 2 })
	if _, ok := live.Load("one"); !ok {
		t.Error("Live was not called")
	}
	h := data[schemas.SourceEvent](t, b.of(schemas.Heartbeat)[0])
	if h.Source != "one" || h.Detail != "as a test" {
		t.Errorf("heartbeat %+v", h)
	}
	lost := b.of(schemas.SourceLost)
	if len(lost) != 1 {
		t.Fatalf("told %d times that the source is lost, want once", len(lost))
	}
	if got := data[schemas.SourceEvent](t, lost[0]).Detail; got != "no socket" {
		t.Errorf("lost because of %q", got)
	}
}

func TestASilentSourceIsRunAgain(t *testing.T) {
	b := &bus{}
	runs := make(chan struct{}, 100)
	s := &prober{source: source{"one", func(ctx context.Context, _ collector.Emit) error {
		runs <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}}
	c := config(t, b, s)
	c.Heartbeat = 5 * time.Millisecond
	start(t, c)
	eventually(t, "a heartbeat", func() bool { return len(b.of(schemas.Heartbeat)) > 0 })
	s.set(errors.New("nothing heard"))
	eventually(t, "a second run", func() bool { return len(runs) > 1 })
	eventually(t, "the loss told", func() bool { return len(b.of(schemas.SourceLost)) == 1 })
	s.set(nil)
	n := len(b.of(schemas.Heartbeat))
	eventually(t, "heartbeats again", func() bool { return len(b.of(schemas.Heartbeat)) > n })
}

func TestLossesOfASourceAreTold(t *testing.T) {
	b := &bus{}
	s := &prober{source: source{"one", func(ctx context.Context, _ collector.Emit) error { <-ctx.Done(); return ctx.Err() }}}
	s.lose(3)
	c := config(t, b, s)
	c.Heartbeat = 5 * time.Millisecond
	start(t, c)
	total := func() (n uint64) {
		for _, e := range b.of(schemas.EventsLost) {
			n += data[schemas.LossEvent](t, e).Count
		}
		return n
	}
	eventually(t, "three told", func() bool { return total() == 3 })
	s.lose(4)
	eventually(t, "seven told", func() bool { return total() == 7 })
}

func TestConfigIsChecked(t *testing.T) {
	b := &bus{}
	idle := source{"one", func(ctx context.Context, _ collector.Emit) error { <-ctx.Done(); return nil }}
	for name, change := range map[string]func(*collector.Config){
		"no node":   func(c *collector.Config) { c.Node = "" },
		"no bus":    func(c *collector.Config) { c.Bus = nil },
		"no spool":  func(c *collector.Config) { c.SpoolDir = "" },
		"bad spool": func(c *collector.Config) { c.SpoolDir = "/dev/null/x" },
		"twice":     func(c *collector.Config) { c.Sources = append(c.Sources, idle) },
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t, b, idle)
			change(&c)
			if err := collector.Run(t.Context(), c); err == nil {
				t.Error("it ran")
			}
		})
	}
}

// prober is a source with every optional part.
type prober struct {
	source
	mu   sync.Mutex
	err  error
	lost uint64
}

func (p *prober) set(err error) { p.mu.Lock(); p.err = err; p.mu.Unlock() }
func (p *prober) lose(n uint64) { p.mu.Lock(); p.lost += n; p.mu.Unlock() }

func (p *prober) Detail() string { return "as a test" }

func (p *prober) Probe(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *prober) Lost() (uint64, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost, "the ring was full"
}

var (
	_ collector.Prober    = (*prober)(nil)
	_ collector.Describer = (*prober)(nil)
	_ collector.Lossy     = (*prober)(nil)
)
