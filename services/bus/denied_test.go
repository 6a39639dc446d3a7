package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// Whoever has no key gets nothing, and a clear error.
func TestStrangers(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	if nc, err := nats.Connect(s.Address()); err == nil {
		nc.Close()
		t.Error("a client without a key was let in")
	}
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	stranger := filepath.Join(t.TempDir(), "stranger.nk")
	if err := os.WriteFile(stranger, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := bus.Roster{Keys: []bus.Key{{User: bus.Core, Public: public}}}
	cases := map[string]struct {
		cfg  bus.DialConfig
		want error
		text string
	}{
		"key that the server does not know": {bus.DialConfig{URL: s.Address(), Keyfile: stranger, Roster: wrong}, bus.ErrDenied, "does not know this key"},
		"key that the roster does not know": {bus.DialConfig{URL: s.Address(), Keyfile: stranger, Roster: s.Roster()}, bus.ErrDenied, "roster"},
		"another user's key":                {bus.DialConfig{URL: s.Address(), Keyfile: keyfile(cfg.DataDir, bus.Collector("a")), User: bus.Core, Roster: s.Roster()}, bus.ErrDenied, "key of collector@a"},
		"no key file":                       {bus.DialConfig{URL: s.Address(), Keyfile: stranger + "x", Roster: wrong}, os.ErrNotExist, "key file"},
		"no server":                         {bus.DialConfig{URL: "nats://127.0.0.1:1", Keyfile: keyfile(cfg.DataDir, bus.Core), Roster: s.Roster()}, bus.ErrUnavailable, "is it running"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := bus.Dial(soon(t), c.cfg)
			if err == nil {
				got.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("Dial = %v; want %v with %q", err, c.want, c.text)
			}
			if strings.Contains(fmt.Sprint(err), string(seed)) {
				t.Error("the error holds the secret key")
			}
		})
	}
}

// Calls beyond a user's rights fail at once, with a class.
func TestDenied(t *testing.T) {
	s := start(t, config(t))
	collector, responder, people := client(t, s, bus.Collector("a")), client(t, s, bus.Responder("a")), client(t, s, bus.People)
	calls := map[string]func(context.Context) error{
		"collector writes the ledger": func(ctx context.Context) error {
			_, err := collector.Append(ctx, record(t, "i", "t", schemas.NodePlace("a"), schemas.KindPlanned, 0), schemas.Head{})
			return err
		},
		"collector reads the ledger": func(ctx context.Context) error {
			return collector.FollowLedger(ctx, 0, func(schemas.Record) error { return nil }, nil)
		},
		"collector reads events": func(ctx context.Context) error {
			return collector.FollowEvents(ctx, 0, func(schemas.Event) error { return nil }, nil)
		},
		"responder writes another place": func(ctx context.Context) error {
			_, err := responder.Append(ctx, record(t, "i", "t", schemas.NodePlace("b.example"), schemas.KindPlanned, 0), schemas.Head{})
			return err
		},
		"responder asks itself": func(ctx context.Context) error {
			_, err := responder.Append(ctx, record(t, "i", "t", schemas.NodePlace("a"), schemas.KindRequested, 0), schemas.Head{})
			return err
		},
		"responder reads another place": func(ctx context.Context) error {
			_, err := responder.Last(ctx, "i", "t", schemas.NodePlace("b.example"))
			return err
		},
		"responder publishes events": func(ctx context.Context) error { _, err := responder.Publish(ctx, event(t, "1")); return err },
		"responder holds": func(ctx context.Context) error {
			_, err := responder.PutState(ctx, "hold", []byte("{}"), 0)
			return err
		},
		"responder reads the core's state": func(ctx context.Context) error { _, _, err := responder.GetState(ctx, "lease"); return err },
		"responder writes an item":         func(ctx context.Context) error { return responder.PutItem(ctx, schemas.Item{Kind: "pod", ID: "p"}) },
		"responder reads blobs": func(ctx context.Context) error {
			_, err := responder.Blob(ctx, "sha256:"+strings.Repeat("0", 64))
			return err
		},
		"collector writes another's item": func(ctx context.Context) error {
			return collector.PutItem(ctx, schemas.Item{Kind: "pod", ID: "p", Owner: "node-b.example"})
		},
		"people open an incident": func(ctx context.Context) error {
			_, err := people.Append(ctx, record(t, "i", "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{})
			return err
		},
		"people put blobs": func(ctx context.Context) error {
			_, _, err := people.PutBlob(ctx, strings.NewReader("x"))
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			if err := call(soon(t)); !errors.Is(err, bus.ErrDenied) {
				t.Errorf("got %v; want ErrDenied", err)
			}
		})
	}
}
