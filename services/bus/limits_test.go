package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// EVENTS lets go of the oldest, and says so to who comes too late.
func TestEventsGap(t *testing.T) {
	cfg := config(t)
	cfg.Limits.EventsBytes = 64 << 10
	s := start(t, cfg)
	core, ctx := client(t, s, bus.Core), soon(t)
	const n = 400
	for i := range n {
		if _, err := core.Publish(ctx, event(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	got, live := follow(t, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return core.FollowEvents(ctx, 5, h, l)
	})
	gap, first := next(t, got), next(t, got)
	if gap.Type != schemas.LogGap || gap.Seq != first.Seq-1 || first.Seq <= 5 {
		t.Fatalf("got %+v, then sequence %d; want a gap before it", gap, first.Seq)
	}
	if _, err := gap.CloudEvent(); err != nil {
		t.Error(err)
	}
	var data schemas.GapEvent
	if err := json.Unmarshal(gap.Data, &data); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(schemas.GapEvent{Reader: "core", From: 5, To: first.Seq - 1}, data); d != "" {
		t.Error(d)
	}
	for seq := first.Seq + 1; seq <= n; seq++ {
		if e := next(t, got); e.Seq != seq {
			t.Fatalf("sequence %d, want %d", e.Seq, seq)
		}
	}
	next(t, live)
	none(t, got)

	// Who takes what there is, is told of no gap.
	all, _ := follow(t, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return core.FollowEvents(ctx, 0, h, l)
	})
	if e := next(t, all); e.Type == schemas.LogGap {
		t.Errorf("got %+v", e)
	}
}

// The others refuse what does not fit, and keep what they have.
func TestFull(t *testing.T) {
	cfg := config(t)
	cfg.Limits = bus.Limits{LedgerBytes: 16 << 10, StateBytes: 16 << 10, InventoryBytes: 16 << 10, BlobsBytes: 1 << 20}
	s := start(t, cfg)
	core, ctx := client(t, s, bus.Core), soon(t)
	var stored int
	fill := func(write func(i int) error) error {
		for stored = range 10000 {
			if err := write(stored); err != nil {
				return err
			}
		}
		return nil
	}
	writes := map[string]func(i int) error{
		"ledger": func(i int) error {
			_, err := core.Append(ctx, record(t, fmt.Sprint(i), "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{})
			return err
		},
		"state": func(i int) error {
			_, err := core.PutState(ctx, fmt.Sprint("k", i), []byte(strings.Repeat("x", 100)), 0)
			return err
		},
		"inventory": func(i int) error {
			return core.PutItem(ctx, schemas.Item{Kind: "container", ID: fmt.Sprint(i)})
		},
		"blobs": func(i int) error {
			_, _, err := core.PutBlob(ctx, io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), 100<<10))
			return err
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			err := fill(write)
			if !errors.Is(err, bus.ErrFull) || !strings.Contains(fmt.Sprint(err), "raise the limit") {
				t.Fatalf("after %d: %v; want ErrFull", stored, err)
			}
			if name != "ledger" {
				return
			}
			for i := range stored {
				if r, err := core.Last(ctx, fmt.Sprint(i), "-", schemas.PlaceCore); err != nil || r.Seq == 0 {
					t.Errorf("record %d: %+v, %v", i, r, err)
				}
			}
		})
	}
}

// What is set up once stays as it is the second time; a limit can be changed.
func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	roster, err := bus.EnsureKeys(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	conf, err := bus.Users("local", roster)
	if err != nil {
		t.Fatal(err)
	}
	url := external(t, conf, -1).ClientURL()
	migrate := func(l bus.Limits) error {
		return bus.Migrate(soon(t), bus.MigrateConfig{Limits: l, Dial: bus.DialConfig{URL: url, Keyfile: keyfile(dir, bus.Admin), Roster: roster, Log: logger(t)}})
	}
	admin := rawAt(t, url, keyfile(dir, bus.Admin))
	if err := migrate(bus.Limits{}); err != nil {
		t.Fatal(err)
	}
	once := states(t, admin)
	if len(once) != 5 {
		t.Errorf("stores: %v", once)
	}
	if err := migrate(bus.Limits{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(once, states(t, admin)); d != "" {
		t.Errorf("the second time changed something:\n%s", d)
	}
	if err := migrate(bus.Limits{LedgerBytes: 2 << 30}); err != nil {
		t.Fatal(err)
	}
	if is := states(t, admin); !strings.Contains(is["LEDGER"], `"max_bytes":2147483648`) || is["EVENTS"] != once["EVENTS"] {
		t.Errorf("after a change: %v", is)
	}
	core, err := bus.Dial(soon(t), bus.DialConfig{URL: url, Keyfile: keyfile(dir, bus.Core), Roster: roster})
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	if _, err := core.Append(soon(t), record(t, "i", "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{}); err != nil {
		t.Fatal(err)
	}
	if err := migrate(bus.Limits{LedgerBytes: 10}); !errors.Is(err, bus.ErrFull) {
		t.Errorf("a limit below what is there: %v; want ErrFull", err)
	}
	err = bus.Migrate(soon(t), bus.MigrateConfig{Dial: bus.DialConfig{URL: url, Keyfile: keyfile(dir, bus.Core), Roster: roster}})
	if !errors.Is(err, bus.ErrDenied) {
		t.Errorf("with another's key: %v; want ErrDenied", err)
	}
}

// No header of a message empties a bucket or makes others go.
func TestHarmfulHeaders(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	core, eyes, ctx := client(t, s, bus.Core), client(t, s, bus.Collector("a")), soon(t)
	if _, err := core.PutState(ctx, "lease", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := core.PutItem(ctx, schemas.Item{Kind: "container", ID: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := eyes.PutItem(ctx, schemas.Item{Kind: "container", ID: "c"}); err != nil {
		t.Fatal(err)
	}
	before := states(t, raw(t, cfg.DataDir, bus.Admin))
	nc := raw(t, cfg.DataDir, bus.Collector("a"))
	for _, subject := range []string{"$KV.STATE.node-a.x", "$KV.INVENTORY.container.c.node-a", "firebreak.events.local.node-a.x"} {
		for name, value := range map[string]string{
			"Nats-Rollup": "all", "Nats-Schedule": "@every 1s", "Nats-Batch-Id": "b", "Nats-Incr": "+1", "Nats-Expected-Last-Sequence": "99",
		} {
			m := nats.NewMsg(subject)
			m.Header[name] = []string{value}
			m.Header["Nats-Schedule-Target"] = []string{"$KV.STATE.core.lease"}
			answer, err := nc.RequestMsg(m, patience)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(answer.Data), `"error"`) {
				t.Errorf("%s with %s: %s; want a refusal", subject, name, answer.Data)
			}
		}
	}
	if d := cmp.Diff(before, states(t, raw(t, cfg.DataDir, bus.Admin))); d != "" {
		t.Error(d)
	}
}
