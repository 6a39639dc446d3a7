package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// How many events a second a follower gets beside a bare ordered consumer, both
// while the same publisher writes as fast as it can, and of a log that lies
// there.
func BenchmarkFollowEvents(b *testing.B) {
	for _, how := range []string{"bare", "ours"} {
		b.Run("live/"+how, func(b *testing.B) { benchFollow(b, how, true) })
		b.Run("stored/"+how, func(b *testing.B) { benchFollow(b, how, false) })
	}
}

func benchFollow(b *testing.B, how string, live bool) {
	cfg := config(b)
	s := start(b, cfg)
	opt, err := nats.NkeyOptionFromSeed(keyfile(cfg.DataDir, bus.Admin))
	if err != nil {
		b.Fatal(err)
	}
	nc, err := nats.Connect(s.Address(), opt)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	core := client(b, s, bus.Core)
	done := make(chan error, 1)
	n := b.N
	before := cpu(b)
	read := func() { done <- readAll(b.Context(), nc, core, how, n) }
	b.ReportAllocs()
	if live {
		go read()
		time.Sleep(200 * time.Millisecond)
		b.ResetTimer()
		flood(b, nc, n)
	} else {
		flood(b, nc, n)
		b.ResetTimer()
		go read()
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(n), "cpu-ns/event")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// cpu is the time that the process has had on all processors: what others do on
// the machine moves it less than the clock.
func cpu(b *testing.B) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return t.Nano()
}

// flood publishes without waiting for each answer.
func flood(b *testing.B, nc *nats.Conn, n int) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1024))
	if err != nil {
		b.Fatal(err)
	}
	e := event(b, "1")
	subject := schemas.EventSubject("local", "node-a", e.Type)
	run := fmt.Sprint(time.Now().UnixNano())
	for i := range n {
		m := &nats.Msg{Subject: subject, Data: e.Data, Header: nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {fmt.Sprint(run, "-", i)}, "ce-source": {e.Source}, "ce-type": {e.Type}, "ce-subject": {e.Subject},
			"ce-time": {time.Now().UTC().Format(time.RFC3339Nano)}, "content-type": {"application/json"}, "Nats-Msg-Id": {fmt.Sprint(run, "-", i)},
		}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(patience)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

var errEnough = errors.New("enough")

func readAll(ctx context.Context, nc *nats.Conn, core *bus.Client, how string, n int) error {
	if how == "ours" {
		got := 0
		err := core.FollowEvents(ctx, 0, func(schemas.Event) error {
			if got++; got == n {
				return errEnough
			}
			return nil
		}, nil)
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	c, err := js.OrderedConsumer(ctx, "EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	it, err := c.Messages(jetstream.PullMaxMessages(4096))
	if err != nil {
		return err
	}
	defer it.Stop()
	for range n {
		if _, err := it.Next(); err != nil {
			return err
		}
	}
	return nil
}
