package bus_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// What a publish costs beside one of the bare client with the administrator's
// key over the network, and how long an event and a record take to a follower.
func BenchmarkPublish(b *testing.B) {
	cfg := config(b)
	s := start(b, cfg)
	b.Run("client in process", func(b *testing.B) {
		c := client(b, s, bus.Core)
		i := 0
		for b.Loop() {
			i++
			if _, err := c.Publish(b.Context(), event(b, fmt.Sprint(b.N, i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("client by network", func(b *testing.B) {
		p, err := bus.Find(cfg.DataDir)
		if err != nil {
			b.Fatal(err)
		}
		dial, err := p.Dial(bus.Collector("a"))
		if err != nil {
			b.Fatal(err)
		}
		c, err := bus.Dial(b.Context(), dial)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		i := 0
		for b.Loop() {
			i++
			if _, err := c.Publish(b.Context(), event(b, fmt.Sprint(b.N, i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare by network", func(b *testing.B) {
		opt, err := nats.NkeyOptionFromSeed(keyfile(cfg.DataDir, bus.Admin))
		if err != nil {
			b.Fatal(err)
		}
		nc, err := nats.Connect(s.Address(), opt)
		if err != nil {
			b.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			b.Fatal(err)
		}
		data := event(b, "1").Data
		for b.Loop() {
			if _, err := js.Publish(b.Context(), "firebreak.events.local.core.bare", data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPublishToFollower(b *testing.B) {
	s := start(b, config(b))
	eyes, core := client(b, s, bus.Collector("a")), client(b, s, bus.Core)
	got, live := follow(b, func(ctx context.Context, h func(schemas.Event) error, l func() error) error {
		return core.FollowEvents(ctx, 0, h, l)
	})
	next(b, live)
	i := 0
	for b.Loop() {
		i++
		if _, err := eyes.Publish(b.Context(), event(b, fmt.Sprint(b.N, i))); err != nil {
			b.Fatal(err)
		}
		<-got
	}
}

func BenchmarkAppendToFollower(b *testing.B) {
	s := start(b, config(b))
	hand, core := client(b, s, bus.Responder("a")), client(b, s, bus.Core)
	got, live := follow(b, func(ctx context.Context, h func(schemas.Record) error, l func() error) error {
		return hand.FollowLedger(ctx, 0, h, l)
	})
	next(b, live)
	i := 0
	for b.Loop() {
		i++
		if _, err := core.Append(b.Context(), record(b, fmt.Sprint(b.N, i), "t", schemas.NodePlace("a"), schemas.KindRequested, 0), schemas.Head{}); err != nil {
			b.Fatal(err)
		}
		<-got
	}
}
