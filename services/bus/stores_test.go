package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"firebreak/schemas"
	"firebreak/services/bus"
)

func readBlob(t *testing.T, c *bus.Client, digest string) string {
	t.Helper()
	r, err := c.Blob(soon(t), digest)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestBlobs(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	hand, people, ctx := client(t, s, bus.Responder("a")), client(t, s, bus.People), soon(t)
	for _, size := range []int64{0, 1, 256 << 10, 1<<20 + 17} {
		var want bytes.Buffer
		digest, n, err := hand.PutBlob(ctx, io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), &want))
		if err != nil || n != size {
			t.Fatalf("PutBlob of %d = %d, %v", size, n, err)
		}
		if got := readBlob(t, people, digest); got != want.String() {
			t.Errorf("blob of %d came back changed", size)
		}
	}
	if _, err := people.Blob(ctx, "sha256:"+fmt.Sprintf("%064d", 1)); !errors.Is(err, bus.ErrAbsent) {
		t.Errorf("a blob that is not there: %v", err)
	}
	if _, err := people.Blob(ctx, "sha256:..>"); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("no digest: %v", err)
	}

	// A node that lies about a digest harms its own copy alone.
	digest, _, err := client(t, s, bus.Responder("b.example")).PutBlob(ctx, bytes.NewReader([]byte("the truth")))
	if err != nil {
		t.Fatal(err)
	}
	lie := fmt.Appendf(nil, `{"digest":%q,"size":0,"chunks":[]}`, digest)
	nc := raw(t, cfg.DataDir, bus.Responder("a"))
	if _, err := nc.Request("$O.BLOBS.M.node-a."+digest[len("sha256:"):], lie, patience); err != nil {
		t.Fatal(err)
	}
	if got := readBlob(t, people, digest); got != "the truth" {
		t.Errorf("got %q", got)
	}
	digest, _, err = hand.PutBlob(ctx, bytes.NewReader([]byte("spoilt later")))
	if err != nil {
		t.Fatal(err)
	}
	lie = fmt.Appendf(nil, `{"digest":%q,"size":0,"chunks":[]}`, digest)
	if _, err := nc.Request("$O.BLOBS.M.node-a."+digest[len("sha256:"):], lie, patience); err != nil {
		t.Fatal(err)
	}
	r, err := people.Blob(ctx, digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, bus.ErrForged) {
		t.Errorf("a lie alone: %v; want ErrForged", err)
	}
}

func TestInventory(t *testing.T) {
	s := start(t, config(t))
	a, b, core, ctx := client(t, s, bus.Collector("a")), client(t, s, bus.Collector("b.example")), client(t, s, bus.Core), soon(t)
	put := func(c *bus.Client, kind, id string) {
		t.Helper()
		it := schemas.Item{Kind: kind, ID: id, AsOf: at, Entities: schemas.Entities{Container: &schemas.Container{ID: id}}}
		if err := c.PutItem(ctx, it); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 600 { // more than one batch
		put(a, "container", fmt.Sprintf("%04d", i))
		put(a, "container", fmt.Sprintf("%04d", i)) // again: the later stands
	}
	put(b, "container", "sha256:aa")
	put(a, "pod", "p.1")
	if err := a.DeleteItem(ctx, "container", "0007"); err != nil {
		t.Fatal(err)
	}
	count := func(c *bus.Client, kind string, want int) []schemas.Item {
		t.Helper()
		items, err := c.Items(ctx, kind)
		if err != nil || len(items) != want {
			t.Fatalf("%s sees %d items of kind %s, %v; want %d", c.User(), len(items), kind, err, want)
		}
		return items
	}
	all := count(core, "container", 600)
	want := schemas.Item{Kind: "container", ID: "sha256:aa", Owner: "node-b.example", AsOf: at, Entities: schemas.Entities{Container: &schemas.Container{ID: "sha256:aa"}}}
	if d := cmp.Diff(want, all[599]); d != "" {
		t.Error(d)
	}
	count(core, "pod", 1)
	count(a, "container", 599)
	count(b, "container", 1)
	count(b, "pod", 0)

	type change struct {
		ID   string
		Gone bool
	}
	for _, c := range []*bus.Client{core, b} {
		got, live := follow(t, func(ctx context.Context, h func(change) error, l func() error) error {
			return c.FollowItems(ctx, "container", func(it schemas.Item, gone bool) error { return h(change{it.ID + " " + it.Owner, gone}) }, l)
		})
		next(t, live)
		for len(got) > 0 {
			next(t, got)
		}
		put(b, "pod", "x")
		put(b, "container", "new")
		if err := b.DeleteItem(ctx, "container", "new"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []change{{"new node-b.example", false}, {"new node-b.example", true}} {
			if d := cmp.Diff(want, next(t, got)); d != "" {
				t.Error(d)
			}
		}
	}
}

// Records that are not what they seem are left out and counted, and nothing
// can be appended to one unnoticed.
func TestForgedRecords(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	core, hand, ctx := client(t, s, bus.Core), client(t, s, bus.Responder("a")), soon(t)
	place := schemas.NodePlace("a")
	asked, err := core.Append(ctx, record(t, "i", "t", place, schemas.KindRequested, 0), schemas.Head{})
	if err != nil {
		t.Fatal(err)
	}
	planned, err := hand.Append(ctx, record(t, "i", "t", place, schemas.KindPlanned, 0), asked.Head())
	if err != nil {
		t.Fatal(err)
	}
	header := func(r schemas.Record) nats.Header {
		return nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {r.ID}, "ce-source": {r.Source()}, "ce-type": {r.Type()}, "ce-time": {r.Time.Format("2006-01-02T15:04:05.999999999Z07:00")},
			"ce-writer": {r.Writer}, "ce-prev": {r.Prev}, "ce-signature": {r.Signature}, "content-type": {"application/json"},
		}
	}
	forged := map[string]func(m *nats.Msg){
		"other-data":    func(m *nats.Msg) { m.Data = []byte(`{"n":9}`) },
		"no-signature":  func(m *nats.Msg) { delete(m.Header, "ce-signature") },
		"core-as-other": func(m *nats.Msg) { m.Header["ce-writer"] = []string{asked.Writer} },
		"unknown":       func(m *nats.Msg) { m.Header["ce-writer"] = []string{"UNKNOWN"} },
		"other-place":   func(*nats.Msg) {}, // the right signature at the wrong subject
		"no-event":      func(m *nats.Msg) { m.Header = nil },
		"*":             func(*nats.Msg) {},
	}
	nc := raw(t, cfg.DataDir, bus.Responder("a"))
	for task, spoil := range forged {
		m := &nats.Msg{Subject: "firebreak.ledger.i." + task + ".node-a.planned", Header: header(planned), Data: planned.Data}
		spoil(m)
		if _, err := nc.RequestMsg(m, patience); err != nil {
			t.Fatal(err)
		}
	}
	got, live := follow(t, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
		return core.FollowLedger(ctx, 0, h, l)
	})
	next(t, live)
	for _, want := range []schemas.Record{asked, planned} {
		if r := next(t, got); r.Seq != want.Seq {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
	none(t, got)
	if n := core.Rejected(); n != uint64(len(forged)) {
		t.Errorf("rejected %d, want %d", n, len(forged))
	}
	if _, err := core.Last(ctx, "i", "unknown", place); !errors.Is(err, bus.ErrForged) {
		t.Errorf("Last = %v; want ErrForged", err)
	}
}

// The id by which a repetition is known follows from the writer's key: another
// writer with the same event does not take its place.
func TestOthersDoNotSuppress(t *testing.T) {
	s := start(t, config(t))
	a, b := client(t, s, bus.Collector("a")), client(t, s, bus.Collector("b.example"))
	for i, c := range []*bus.Client{a, b, a, b} {
		seq, err := c.Publish(soon(t), event(t, "same"))
		if err != nil || seq != uint64(i%2+1) {
			t.Errorf("%s: sequence %d, %v", c.User(), seq, err)
		}
	}
}
