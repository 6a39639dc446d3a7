package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/bus/bustest"
)

// twin is what bustest gives of the bus.
type twin interface { //nolint:interfacebloat // all that the two have in common
	Publish(ctx context.Context, e schemas.Event) (uint64, error)
	Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error)
	Last(ctx context.Context, incident, task, place string) (schemas.Record, error)
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	Event(ctx context.Context, seq uint64) (schemas.Event, error)
	LastEvent(ctx context.Context) (schemas.Event, error)
	GetState(ctx context.Context, key string) ([]byte, uint64, error)
	PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	DeleteState(ctx context.Context, key string) error
	FollowState(ctx context.Context, key string, handle func([]byte) error) error
}

var (
	_ twin = (*bus.Client)(nil)
	_ twin = (*bustest.Client)(nil)
)

// pair is one bus as the core and as a node's responder.
type pair struct{ core, node twin }

// The same contract holds for the bus and for its twin in memory.
func TestContract(t *testing.T) {
	buses := map[string]func(t *testing.T) pair{
		"memory": func(*testing.T) pair {
			b := bustest.New()
			return pair{core: b.Client("core", ""), node: b.Client("node-a", schemas.NodePlace("a"))}
		},
		"nats": func(t *testing.T) pair {
			s := start(t, config(t))
			return pair{core: client(t, s, bus.Core), node: client(t, s, bus.Responder("a"))}
		},
	}
	cases := map[string]func(*testing.T, pair){
		"events":       contractEvents,
		"one event":    contractOneEvent,
		"intake":       contractIntake,
		"log's end":    contractEnd,
		"ledger chain": contractChain,
		"ledger views": contractViews,
		"follow ends":  contractEnds,
		"state":        contractState,
		"follow state": contractFollowState,
	}
	for b, open := range buses {
		for c, run := range cases {
			t.Run(b+"/"+c, func(t *testing.T) { run(t, open(t)) })
		}
	}
}

func contractEvents(t *testing.T, p pair) {
	ctx := soon(t)
	for i := range 3 {
		seq, err := p.core.Publish(ctx, event(t, fmt.Sprint(i)))
		if err != nil || seq != uint64(i+1) {
			t.Fatalf("Publish = %d, %v", seq, err)
		}
	}
	if seq, err := p.core.Publish(ctx, event(t, "1")); err != nil || seq != 2 {
		t.Fatalf("the same event again: %d, %v; want 2", seq, err)
	}
	got, live := follow(t, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return p.core.FollowEvents(ctx, 2, h, l)
	})
	want := event(t, "1")
	want.Seq, want.Writer = 2, "core"
	first := next(t, got)
	if d := cmp.Diff(want, first, cmpopts.IgnoreFields(schemas.Event{}, "Stored")); d != "" {
		t.Error(d)
	}
	if first.Stored.IsZero() {
		t.Error("no time of storing")
	}
	next(t, got)
	next(t, live)
	none(t, got)
	if _, err := p.core.Publish(ctx, event(t, "new")); err != nil {
		t.Fatal(err)
	}
	if e := next(t, got); e.ID != "new" || e.Seq != 4 {
		t.Errorf("got %+v", e)
	}
	none(t, live)
}

func contractOneEvent(t *testing.T, p pair) {
	ctx := soon(t)
	if _, err := p.core.LastEvent(ctx); !errors.Is(err, schemas.ErrAbsent) {
		t.Errorf("last of an empty log: %v", err)
	}
	for i := range 3 {
		if _, err := p.core.Publish(ctx, event(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	want := event(t, "1")
	want.Seq, want.Writer = 2, "core"
	got, err := p.core.Event(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(schemas.Event{}, "Stored")); d != "" {
		t.Error(d)
	}
	if got.Stored.IsZero() {
		t.Error("no time of storing")
	}
	if _, err := p.core.Event(ctx, 4); !errors.Is(err, schemas.ErrAbsent) {
		t.Errorf("beyond the end: %v", err)
	}
	last, err := p.core.LastEvent(ctx)
	if err != nil || last.Seq != 3 || last.ID != "2" {
		t.Errorf("last: %+v, %v", last, err)
	}
}

func contractIntake(t *testing.T, p pair) {
	for _, data := range []string{`{"a":1,"a":2}`, `{"a":`, `[1]`, "{\"a\":\"\xff\"}"} {
		e := event(t, "1")
		e.Data = []byte(data)
		if _, err := p.core.Publish(soon(t), e); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: %v; want it refused as invalid", data, err)
		}
	}
}

// Who wants to go on behind the end of the log is told what is not there.
func contractEnd(t *testing.T, p pair) {
	ctx := soon(t)
	for i := range 3 {
		if _, err := p.core.Publish(ctx, event(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	got, live := follow(t, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return p.core.FollowEvents(ctx, 11, h, l)
	})
	gap := next(t, got)
	if gap.Type != schemas.LogGap || gap.Writer != "" || gap.Seq != 3 || string(gap.Data) != `{"reader":"core","from":4,"to":10}` {
		t.Errorf("got %+v %s", gap, gap.Data)
	}
	next(t, live)
	if _, err := p.core.Publish(ctx, event(t, "new")); err != nil {
		t.Fatal(err)
	}
	if e := next(t, got); e.ID != "new" || e.Seq != 4 {
		t.Errorf("then %+v", e)
	}
}

func contractChain(t *testing.T, p pair) {
	ctx := soon(t)
	place := schemas.NodePlace("a")
	if r, err := p.core.Last(ctx, "i", "t", place); err != nil || r.Seq != 0 {
		t.Fatalf("Last of nothing = %+v, %v", r, err)
	}
	asked, err := p.core.Append(ctx, record(t, "i", "t", place, schemas.KindRequested, 0), schemas.Head{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.core.Append(ctx, record(t, "i", "t", place, schemas.KindRequested, 0), schemas.Head{})
	if err != nil {
		t.Fatalf("the same record again: %v", err)
	}
	ignore := cmpopts.IgnoreFields(schemas.Record{}, "Stored")
	if d := cmp.Diff(asked, again, ignore); d != "" {
		t.Error(d)
	}
	if _, err := p.node.Append(ctx, record(t, "i", "t", place, schemas.KindPlanned, 0), schemas.Head{}); !errors.Is(err, schemas.ErrConflict) {
		t.Fatalf("after nothing: %v; want a conflict", err)
	}
	planned, err := p.node.Append(ctx, record(t, "i", "t", place, schemas.KindPlanned, 0), asked.Head())
	if err != nil {
		t.Fatal(err)
	}
	if planned.Prev != asked.Head().Hash || planned.Seq <= asked.Seq {
		t.Errorf("chain: %+v after %+v", planned, asked)
	}
	last, err := p.core.Last(ctx, "i", "t", place)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(planned, last, ignore); d != "" {
		t.Error(d)
	}
	// Another task and another place are chains of their own.
	for _, r := range []schemas.Record{
		record(t, "i", "t2", place, schemas.KindRequested, 0), record(t, "i", "t", schemas.PlaceCore, schemas.KindNoticed, 0),
	} {
		if _, err := p.core.Append(ctx, r, schemas.Head{}); err != nil {
			t.Error(err)
		}
	}
}

func contractViews(t *testing.T, p pair) {
	ctx := soon(t)
	append1 := func(task, place string, kind schemas.Kind) {
		t.Helper()
		if _, err := p.core.Append(ctx, record(t, "i", task, place, kind, 0), schemas.Head{}); err != nil {
			t.Fatal(err)
		}
	}
	append1("-", schemas.PlaceCore, schemas.KindOpened)
	append1("x", schemas.NodePlace("a"), schemas.KindRequested)
	append1("x", schemas.NodePlace("b.example"), schemas.KindRequested)
	all, allLive := follow(t, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
		return p.core.FollowLedger(ctx, 0, h, l)
	})
	own, ownLive := follow(t, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
		return p.node.FollowLedger(ctx, 1, h, l)
	})
	next(t, allLive)
	next(t, ownLive)
	append1("y", schemas.NodePlace("b.example"), schemas.KindRequested)
	append1("y", schemas.NodePlace("a"), schemas.KindRequested)
	want := []string{"core/-/opened", "node-a/x/requested", "node-b.example/x/requested", "node-b.example/y/requested", "node-a/y/requested"}
	for i, w := range want {
		r := next(t, all)
		if got := r.Place + "/" + r.Task + "/" + string(r.Kind); got != w || r.Seq != uint64(i+1) {
			t.Errorf("all: %s with %d, want %s", got, r.Seq, w)
		}
	}
	for _, w := range []string{"x", "y"} {
		if r := next(t, own); r.Place != schemas.NodePlace("a") || r.Task != w {
			t.Errorf("own: %+v, want %s", r, w)
		}
	}
	none(t, own)
}

func contractEnds(t *testing.T, p pair) {
	ctx := soon(t)
	if _, err := p.core.Append(ctx, record(t, "i", "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{}); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	err := p.core.FollowLedger(ctx, 0, func(schemas.Record) error { return enough }, nil)
	if !errors.Is(err, enough) {
		t.Errorf("handle's error: %v", err)
	}
	err = p.core.FollowLedger(ctx, 2, func(schemas.Record) error { return nil }, func() error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("live's error: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.core.FollowLedger(ended, 2, func(schemas.Record) error { return nil }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func contractState(t *testing.T, p pair) {
	ctx := soon(t)
	must := func(value []byte, rev uint64, err error) ([]byte, uint64) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value, rev
	}
	if v, rev := must(p.core.GetState(ctx, "lease")); v != nil || rev != 0 {
		t.Fatalf("absent: %q, %d", v, rev)
	}
	one, err := p.core.PutState(ctx, "lease", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, rev := range []uint64{0, one + 7} {
		if _, err := p.core.PutState(ctx, "lease", []byte("one"), rev); !errors.Is(err, schemas.ErrConflict) {
			t.Errorf("at revision %d: %v; want a conflict", rev, err)
		}
	}
	two, err := p.core.PutState(ctx, "lease", []byte("two"), one)
	if err != nil {
		t.Fatal(err)
	}
	if v, rev := must(p.core.GetState(ctx, "lease")); string(v) != "two" || rev != two {
		t.Errorf("got %q, %d; want two, %d", v, rev, two)
	}
	if err := p.core.DeleteState(ctx, "lease"); err != nil {
		t.Fatal(err)
	}
	if v, rev := must(p.core.GetState(ctx, "lease")); v != nil || rev != 0 {
		t.Errorf("deleted: %q, %d", v, rev)
	}
	if _, err := p.core.PutState(ctx, "lease", []byte("x"), two); !errors.Is(err, schemas.ErrConflict) {
		t.Errorf("at a revision that is gone: %v; want a conflict", err)
	}
	if _, err := p.core.PutState(ctx, "lease", []byte("three"), 0); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
}

func contractFollowState(t *testing.T, p pair) {
	ctx := soon(t)
	const key = "node-a.lease"
	got, _ := follow(t, func(ctx context.Context, h func([]byte) error, _ func() error) error {
		return p.node.FollowState(ctx, key, h)
	})
	if v := next(t, got); v != nil {
		t.Errorf("absent: %q", v)
	}
	rev, err := p.node.PutState(ctx, key, []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if v := next(t, got); string(v) != "one" {
		t.Errorf("got %q", v)
	}
	if _, err := p.node.PutState(ctx, key, []byte("two"), rev); err != nil {
		t.Fatal(err)
	}
	if v := next(t, got); string(v) != "two" {
		t.Errorf("got %q", v)
	}
	if err := p.node.DeleteState(ctx, key); err != nil {
		t.Fatal(err)
	}
	if v := next(t, got); v != nil {
		t.Errorf("deleted: %q", v)
	}
}
