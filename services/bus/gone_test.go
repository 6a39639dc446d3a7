package bus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// administrator does to the stores what the administrator's key can.
func administrator(t *testing.T, url, keyfile string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(rawAt(t, url, keyfile))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// running are followers at work, by name; each gives the error that it ends with.
func running(t *testing.T, core, hand *bus.Client) map[string]<-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	got, ended := make(chan string, 100), map[string]<-chan error{}
	run := func(name string, f func(tell func() error) error) {
		done := make(chan error, 1)
		ended[name] = done
		go func() { done <- f(func() error { got <- name; return nil }) }()
	}
	run("ledger by core", func(tell func() error) error {
		return core.FollowLedger(ctx, 0, func(schemas.Record) error { return tell() }, nil)
	})
	run("ledger by responder", func(tell func() error) error {
		return hand.FollowLedger(ctx, 0, func(schemas.Record) error { return tell() }, nil)
	})
	run("events", func(tell func() error) error {
		return core.FollowEvents(ctx, 0, func(schemas.Event) error { return tell() }, nil)
	})
	run("hold", func(tell func() error) error {
		return hand.FollowState(ctx, "hold", func([]byte) error { return tell() })
	})
	run("items", func(tell func() error) error {
		return core.FollowItems(ctx, "container", func(schemas.Item, bool) error { return tell() }, nil)
	})
	for left := map[string]bool{"ledger by core": true, "ledger by responder": true, "events": true, "hold": true, "items": true}; len(left) > 0; {
		delete(left, next(t, got))
	}
	return ended
}

// fill puts something into every store, so often.
func fill(t *testing.T, core, people *bus.Client, times int) {
	t.Helper()
	ctx := soon(t)
	for i := range times {
		id := string(rune('a' + i))
		_, ledger := core.Append(ctx, record(t, id, "t", schemas.NodePlace("a"), schemas.KindRequested, 0), schemas.Head{})
		_, events := core.Publish(ctx, event(t, id))
		_, rev, read := people.GetState(ctx, "hold")
		_, state := people.PutState(ctx, "hold", []byte(id), rev)
		items := core.PutItem(ctx, schemas.Item{Kind: "container", ID: id})
		if err := errors.Join(ledger, events, read, state, items); err != nil {
			t.Fatal(err)
		}
	}
}

func wantNoStore(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, bus.ErrNoStore) || !strings.Contains(err.Error(), "firebreak bus migrate") {
		t.Errorf("%s: %v; want ErrNoStore and what to do", what, err)
	}
}

// callsFail makes every call on stores that are gone.
func callsFail(t *testing.T, core *bus.Client) {
	t.Helper()
	ctx := soon(t)
	_, err := core.Append(ctx, record(t, "x", "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{})
	wantNoStore(t, "Append", err)
	_, err = core.Last(ctx, "x", "-", schemas.PlaceCore)
	wantNoStore(t, "Last", err)
	_, err = core.Publish(ctx, event(t, "x"))
	wantNoStore(t, "Publish", err)
	_, _, err = core.GetState(ctx, "lease")
	wantNoStore(t, "GetState", err)
	_, err = core.PutState(ctx, "lease", nil, 0)
	wantNoStore(t, "PutState", err)
	_, err = core.Items(ctx, "container")
	wantNoStore(t, "Items", err)
	_, _, err = core.PutBlob(ctx, strings.NewReader("x"))
	wantNoStore(t, "PutBlob", err)
	wantNoStore(t, "FollowLedger", core.FollowLedger(ctx, 0, func(schemas.Record) error { return nil }, nil))
}

// Deleted with the administrator's key: nobody waits for it to come back.
func TestStoresDeleted(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := start(t, cfg)
	core, hand := client(t, s, bus.Core), client(t, s, bus.Responder("a"))
	fill(t, core, client(t, s, bus.People), 3)
	ended := running(t, core, hand)
	js := administrator(t, s.Address(), keyfile(cfg.DataDir, bus.Admin))
	for _, store := range []string{"EVENTS", "LEDGER", "KV_INVENTORY", "KV_STATE", "OBJ_BLOBS"} {
		if err := js.DeleteStream(soon(t), store); err != nil {
			t.Fatal(err)
		}
	}
	callsFail(t, core)
	for name, done := range ended {
		wantNoStore(t, name, next(t, done))
	}
}

// Emptied, a ledger no longer says what was read of it.
func TestLedgerPurged(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := start(t, cfg)
	core, hand := client(t, s, bus.Core), client(t, s, bus.Responder("a"))
	fill(t, core, client(t, s, bus.People), 1)
	ended := running(t, core, hand)
	ledger, err := administrator(t, s.Address(), keyfile(cfg.DataDir, bus.Admin)).Stream(soon(t), "LEDGER")
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.Purge(soon(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ledger by core", "ledger by responder"} {
		wantNoStore(t, name, next(t, ended[name]))
	}
}

// Made anew, a store gives the sequences that were read to others.
func TestStoresMadeAnew(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := start(t, cfg)
	core, hand, people := client(t, s, bus.Core), client(t, s, bus.Responder("a")), client(t, s, bus.People)
	fill(t, core, people, 3)
	ended := running(t, core, hand)
	js := administrator(t, s.Address(), keyfile(cfg.DataDir, bus.Admin))
	for _, store := range []string{"EVENTS", "LEDGER", "KV_INVENTORY", "KV_STATE"} {
		if err := js.DeleteStream(soon(t), store); err != nil {
			t.Fatal(err)
		}
	}
	err := bus.Migrate(soon(t), bus.MigrateConfig{Dial: bus.DialConfig{URL: s.Address(), Keyfile: keyfile(cfg.DataDir, bus.Admin), Roster: s.Roster()}})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, core, people, 1)
	for name, done := range ended {
		wantNoStore(t, name, next(t, done))
	}
}

// An external server that came back without its data.
func TestServerComesBackEmpty(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	core, hand := o.client(bus.Core), o.client(bus.Responder("a"))
	fill(t, core, o.client(bus.People), 2)
	ended := running(t, core, hand)
	o.stop()
	if err := os.RemoveAll(filepath.Join(o.dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	o.start()
	callsFail(t, core)
	for name, done := range ended {
		wantNoStore(t, name, next(t, done))
	}
}

// A server whose users are those of an older program does not say which
// stores it has: then a call waits, as for a store without a leader.
func TestServerThatDoesNotSay(t *testing.T) {
	t.Parallel()
	o := &outside{t: t, dir: t.TempDir(), keys: t.TempDir(), port: -1}
	var err error
	if o.roster, err = bus.EnsureKeys(o.keys, "a"); err != nil {
		t.Fatal(err)
	}
	if o.conf, err = bus.Users("local", o.roster); err != nil {
		t.Fatal(err)
	}
	var old []string
	for line := range strings.Lines(o.conf) {
		if !strings.Contains(line, "STREAM.NAMES") {
			old = append(old, line)
		}
	}
	o.conf = strings.Join(old, "")
	o.start()
	core := o.client(bus.Core)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	if _, err := core.Last(ctx, "x", "-", schemas.PlaceCore); !errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrNoStore) {
		t.Errorf("got %v; want ErrUnavailable", err)
	}
}
