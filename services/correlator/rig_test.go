package correlator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

type fataler interface{ Fatal(...any) }

// book is a playbook over starts of programs: by the container, as the match says.
func book(t fataler, name string, m playbook.Match, programs ...string) *playbook.Playbook {
	p := &playbook.Playbook{
		Name: name, Severity: "high", Once: time.Minute, Guard: schemas.Guard{Mode: "enforce"},
		Steps: []schemas.Step{{ID: "pause", Do: "container.pause"}},
	}
	m.Until = -1
	for n, program := range programs {
		when, err := expr.Condition(fmt.Sprintf("process.executable.name == %q", program), schemas.ProcessStarted)
		if err != nil {
			t.Fatal(err)
		}
		p.Signals = append(p.Signals, playbook.Signal{Name: fmt.Sprintf("s%d", n), Type: schemas.ProcessStarted, When: when, Types: []string{schemas.ProcessStarted}})
		m.Of = append(m.Of, n)
		m.By = append(m.By, [][]string{{"container", "id"}})
	}
	p.Match = m
	return p
}

// several is a set with a window of each kind that arrival alone fires.
func several(t fataler, digest string) *playbook.Set {
	return &playbook.Set{Digest: digest, Sources: map[string][]byte{"set": []byte(digest)}, Playbooks: []*playbook.Playbook{
		book(t, "any", playbook.Match{Op: playbook.OpAny}, "xmrig"),
		book(t, "count", playbook.Match{Op: playbook.OpCount, AtLeast: 3, Within: 5 * time.Minute}, "sh"),
		book(t, "sequence", playbook.Match{Op: playbook.OpSequence, Within: 5 * time.Minute}, "curl", "sh", "xmrig"),
		book(t, "all", playbook.Match{Op: playbook.OpAll, Within: 5 * time.Minute}, "curl", "xmrig"),
	}}
}

// blobs keeps content in memory.
type blobs struct {
	mu   sync.Mutex
	all  map[string][]byte
	away bool
}

func (b *blobs) PutBlob(_ context.Context, r io.Reader) (string, int64, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return "", 0, err
	}
	sum := sha256.Sum256(raw)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string][]byte{}
	}
	b.all[digest] = raw
	return digest, int64(len(raw)), nil
}

func (b *blobs) Blob(_ context.Context, digest string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	raw, ok := b.all[digest]
	if !ok || b.away {
		return nil, fmt.Errorf("blob %s: %w", digest, schemas.ErrAbsent)
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

// compiler makes sets again by the digest that is their only source.
func compiler(sets ...*playbook.Set) func(map[string][]byte) (*playbook.Set, error) {
	return func(sources map[string][]byte) (*playbook.Set, error) {
		for _, s := range sets {
			if string(sources["set"]) == s.Digest {
				return s, nil
			}
		}
		return nil, errors.New("no such set")
	}
}

// errDead is what a process hears that was killed.
var errDead = errors.New("killed")

// mortal is a bus as a process sees it that is killed at one of its writes,
// before the write or right after it.
type mortal struct {
	*bustest.Client
	writes atomic.Int64
	at     int64 // the write at which it is killed; 0: never
	after  bool
	dead   atomic.Bool
	kill   func()
	pace   time.Duration // of the events, so that checkpoints come between
	from   atomic.Uint64 // where the events were read from
}

// step counts a write. It is false when the write is not made any more.
func (m *mortal) step() bool {
	if m.dead.Load() {
		return false
	}
	if n := m.writes.Add(1); n == m.at && m.at > 0 {
		m.dead.Store(true)
		m.kill()
		return m.after
	}
	return true
}

func (m *mortal) end(err error) error {
	if m.dead.Load() {
		return errDead
	}
	return err
}

func (m *mortal) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
	if !m.step() {
		return 0, errDead
	}
	seq, err := m.Client.Publish(ctx, e)
	return seq, m.end(err)
}

func (m *mortal) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	if !m.step() {
		return schemas.Record{}, errDead
	}
	r, err := m.Client.Append(ctx, r, after)
	return r, m.end(err)
}

func (m *mortal) PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if !m.step() {
		return 0, errDead
	}
	rev, err := m.Client.PutState(ctx, key, value, revision)
	return rev, m.end(err)
}

func (m *mortal) DeleteState(ctx context.Context, key string) error {
	if !m.step() {
		return errDead
	}
	return m.end(m.Client.DeleteState(ctx, key))
}

func (m *mortal) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	m.from.Store(from)
	return m.Client.FollowEvents(ctx, from, func(e schemas.Event) error {
		if m.dead.Load() {
			return errDead
		}
		time.Sleep(m.pace)
		return handle(e)
	}, live)
}

// lines are what was logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.buf.Bytes(), []byte(text))
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

var sequences = regexp.MustCompile(`,?"seq":\d+`)

// told are the records of each incident in their order, without what differs
// from one run to the next: where the log happens to hold the events.
func told(b *bustest.Bus) map[string][]string {
	out := map[string][]string{}
	for _, r := range b.Records() {
		out[r.Incident] = append(out[r.Incident], r.ID+" "+sequences.ReplaceAllString(string(r.Data), ""))
	}
	return out
}

// near is an event whose time is near that of its being stored.
func near(base time.Time, n int, at time.Duration, container, program string) schemas.Event {
	e := event(n, container, program)
	e.Time = base.Add(at)
	e.Data = json.RawMessage(fmt.Sprintf(`{"host":{"name":"n1"},"container":{"id":%q},"process":{"pid":%d,"executable":{"name":%q}}}`, container, n, program))
	return e
}

// deafTo is a bus that takes no event of a type.
type deafTo struct {
	*bustest.Client
	typ string
}

func (d *deafTo) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
	if e.Type == d.typ {
		return 0, errors.New("not now")
	}
	return d.Client.Publish(ctx, e)
}

// gappedBus is a log that has let its first event go.
type gappedBus struct{ *deafTo }

func (g gappedBus) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	return gapped{g.Client}.FollowEvents(ctx, from, handle, live)
}
