package correlator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Now().UTC().Truncate(time.Second) // near the time at which the bus stores events, to which the engine holds theirs

func set(t *testing.T, digest, program string) *playbook.Set {
	t.Helper()
	when, err := expr.Condition(fmt.Sprintf("process.executable.name == %q", program), schemas.ProcessStarted)
	if err != nil {
		t.Fatal(err)
	}
	return &playbook.Set{Digest: digest, Playbooks: []*playbook.Playbook{{
		Name: "p", Severity: "high", Once: time.Hour, Match: playbook.Match{Op: playbook.OpAny, Of: []int{0}, Until: -1, By: [][][]string{{{"container", "id"}}}},
		Signals: []playbook.Signal{{Name: "start", Type: schemas.ProcessStarted, When: when}},
		Guard:   schemas.Guard{Mode: "enforce"}, Steps: []schemas.Step{{ID: "pause", Do: "container.pause"}},
	}}}
}

func event(n int, container, program string) schemas.Event {
	return schemas.Event{
		ID: fmt.Sprintf("e%d", n), Source: "/local/n1/exec", Type: schemas.ProcessStarted, Time: epoch.Add(time.Duration(n) * time.Second),
		Data: json.RawMessage(fmt.Sprintf(`{"host":{"name":"n1"},"container":{"id":%q},"process":{"pid":7,"executable":{"name":%q}}}`, container, program)),
	}
}

// rig is a bus with a correlator that can be stopped and started.
type rig struct {
	t    *testing.T
	bus  *bustest.Bus
	core *bustest.Client
	node *bustest.Client
	base time.Time // of events that shall be near the time of their being stored
}

func newRig(t *testing.T) *rig {
	b := bustest.New()
	return &rig{t: t, bus: b, core: b.Client("core", ""), node: b.Client("node-n1", "node-n1"), base: time.Now().UTC().Truncate(time.Second)}
}

func (r *rig) start(cfg Config) (c *Correlator, stop func()) {
	r.t.Helper()
	if cfg.Bus == nil {
		cfg.Bus = r.core
	}
	cfg.Cluster, cfg.Writer, cfg.Save = "local", "core", 10*time.Millisecond
	ctx, cancel := context.WithCancel(r.t.Context())
	c = New(cfg)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func() {
		r.t.Helper()
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("run: %v", err)
		}
	}
}

func (r *rig) publish(e schemas.Event) {
	r.t.Helper()
	if _, err := r.node.Publish(r.t.Context(), e); err != nil {
		r.t.Fatal(err)
	}
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for: " + what)
		}
	}
}

func (r *rig) kinds() []string {
	var out []string
	for _, rec := range r.bus.Records() {
		out = append(out, string(rec.Kind))
	}
	return out
}

func TestOpensOnceAndRecurs(t *testing.T) {
	r := newRig(t)
	_, stop := r.start(Config{Set: set(t, "d1", "xmrig")})
	for n, program := range []string{"xmrig", "sh", "xmrig"} {
		r.publish(event(n+1, "c1", program))
	}
	until(t, "two records", func() bool { return len(r.bus.Records()) == 2 })
	// The conductor closes in between.
	last := r.bus.Records()[1]
	closing, err := schemas.NewRecord(last.Incident, schemas.TaskIncident, schemas.PlaceCore, schemas.KindClosed, 0, epoch, schemas.Closed{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.core.Append(t.Context(), closing, last.Head()); err != nil {
		t.Fatal(err)
	}
	r.publish(event(4, "c1", "xmrig"))
	until(t, "four records", func() bool { return len(r.bus.Records()) == 4 })
	stop()
	if d := cmp.Diff([]string{"opened", "recurred", "closed", "recurred"}, r.kinds()); d != "" {
		t.Error(d)
	}
}

func TestGoesOnWhereItStopped(t *testing.T) {
	r := newRig(t)
	cfg := Config{Set: set(t, "d1", "xmrig")}
	c, stop := r.start(cfg)
	r.publish(event(1, "c1", "xmrig"))
	until(t, "the incident", func() bool { return len(r.bus.Records()) == 1 })
	stop()
	r.publish(event(2, "c1", "xmrig"))
	r.publish(event(3, "c2", "xmrig"))
	seen := c.Sequence()

	c, stop = r.start(cfg)
	until(t, "the rest", func() bool { return len(r.bus.Records()) == 3 })
	stop()
	if c.Sequence() <= seen {
		t.Errorf("sequence %d is not behind %d", c.Sequence(), seen)
	}

	// Without a checkpoint all is read again, and nothing is opened again.
	if err := r.core.DeleteState(t.Context(), headKey); err != nil {
		t.Fatal(err)
	}
	live := make(chan struct{})
	cfg.Live = func() { close(live) }
	_, stop = r.start(cfg)
	<-live
	stop()
	got := r.kinds() // those of different incidents may overtake one another
	slices.Sort(got)
	if d := cmp.Diff([]string{"opened", "opened", "recurred"}, got); d != "" {
		t.Error(d)
	}
}

// flaky is a bus that is away for a while.
type flaky struct {
	*bustest.Client
	away atomic.Bool
	lost atomic.Int32 // appends whose answer gets lost
}

var errAway = errors.New("away")

func (f *flaky) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	if f.away.Load() {
		return schemas.Record{}, errAway
	}
	stored, err := f.Client.Append(ctx, r, after)
	if f.lost.Add(-1) >= 0 {
		return schemas.Record{}, errAway
	}
	return stored, err
}

func (f *flaky) FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error {
	if f.away.Load() {
		return errAway
	}
	return f.Client.FollowLedger(ctx, from, handle, live)
}

func TestLosesNothingWhileTheBusIsAway(t *testing.T) {
	r := newRig(t)
	f := &flaky{Client: r.core}
	f.away.Store(true)
	f.lost.Store(2)
	_, stop := r.start(Config{Bus: f, Set: set(t, "d1", "xmrig")})
	for n := range 5 {
		r.publish(event(n+1, "c1", "xmrig"))
	}
	r.publish(event(6, "c2", "xmrig"))
	f.away.Store(false)
	until(t, "all records", func() bool { return len(r.bus.Records()) >= 6 })
	stop()
	byIncident := map[string][]string{}
	for _, rec := range r.bus.Records() {
		byIncident[rec.Incident] = append(byIncident[rec.Incident], string(rec.Kind))
	}
	var got []string
	for _, kinds := range byIncident {
		got = append(got, strings.Join(kinds, " "))
	}
	slices.Sort(got)
	if d := cmp.Diff([]string{"opened", "opened recurred recurred recurred recurred"}, got); d != "" {
		t.Error(d)
	}
}

func TestAnotherSetComesIntoForceInTheLog(t *testing.T) {
	r := newRig(t)
	sets := make(chan *playbook.Set)
	c, stop := r.start(Config{Set: set(t, "d1", "xmrig"), Sets: sets})
	sets <- set(t, "d2", "minerd")
	until(t, "both announcements", func() bool { return c.Sequence() >= 2 })
	r.publish(event(1, "c1", "xmrig"))
	r.publish(event(2, "c2", "minerd"))
	until(t, "the incident", func() bool { return len(r.bus.Records()) == 1 })
	until(t, "the end of the log", func() bool { return c.Sequence() == 4 })
	stop()
	var o schemas.Opened
	if err := r.bus.Records()[0].Decode(&o); err != nil {
		t.Fatal(err)
	}
	if o.Playbook.Digest != "d2" || o.Group != "c2" {
		t.Errorf("opened %+v", o)
	}

	// The same set is not announced again.
	c, stop = r.start(Config{Set: set(t, "d2", "minerd")})
	r.publish(event(3, "c3", "xmrig"))
	until(t, "the last event", func() bool { return c.Sequence() == 5 })
	stop()
}

// gapped is a log that has let its first events go.
type gapped struct{ *bustest.Client }

func (g gapped) FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error {
	if from <= 1 {
		err := handle(schemas.Event{Type: schemas.LogGap, Seq: 1, Data: json.RawMessage(`{"from":1,"to":1}`)})
		if err != nil {
			return err
		}
	}
	return g.Client.FollowEvents(ctx, max(from, 2), handle, live)
}

func TestAGapIsPublished(t *testing.T) {
	r := newRig(t)
	r.publish(event(1, "c1", "xmrig"))
	r.publish(event(2, "c2", "xmrig"))
	c, stop := r.start(Config{Bus: gapped{r.core}, Set: set(t, "d1", "xmrig")})
	until(t, "gap and announcement", func() bool { return c.Sequence() == 4 })
	stop()
	var got []schemas.GapEvent
	ctx, cancel := context.WithCancel(t.Context())
	err := r.core.FollowEvents(ctx, 0, func(e schemas.Event) error {
		if e.Type != schemas.LogGap {
			return nil
		}
		var g schemas.GapEvent
		got = append(got, g)
		return json.Unmarshal(e.Data, &got[len(got)-1])
	}, func() error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if d := cmp.Diff([]schemas.GapEvent{{Reader: "correlator", From: 1, To: 1}}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"opened"}, r.kinds()); d != "" {
		t.Error(d)
	}
}

// narrow is a bus that never takes the records of one container's incident.
type narrow struct{ *bustest.Client }

func (n narrow) Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error) {
	if bytes.Contains(r.Data, []byte("huge")) {
		return schemas.Record{}, fmt.Errorf("append: %w: larger than a message may be", schemas.ErrInvalid)
	}
	return n.Client.Append(ctx, r, after)
}

func TestARecordThatIsNeverTakenStopsNothing(t *testing.T) {
	r := newRig(t)
	_, stop := r.start(Config{Bus: narrow{r.core}, Set: set(t, "d1", "xmrig")})
	defer stop()
	r.publish(event(1, "huge", "xmrig"))
	r.publish(event(2, "huge", "xmrig"))
	r.publish(event(3, "c1", "xmrig"))
	until(t, "the next incident", func() bool { return len(r.bus.Records()) == 1 })
	until(t, "both to be told", func() bool { return len(r.refused()) == 2 })
	for n, say := range r.refused() {
		if say.ID != fmt.Sprintf("e%d", n+1) || say.Seq == 0 || !strings.Contains(say.Reason, "nothing is done about it") {
			t.Errorf("told %+v", say)
		}
	}
}

// refused gives what was told of events that were refused.
func (r *rig) refused() (out []schemas.RefusedEvent) {
	for _, e := range r.bus.Events() {
		var say schemas.RefusedEvent
		if e.Type == schemas.EventsRefused && json.Unmarshal(e.Data, &say) == nil {
			out = append(out, say)
		}
	}
	return out
}
