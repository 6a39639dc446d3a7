package correlator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/playbook"
)

// pipe is the embedded bus with file storage, and an administrator's plain
// connection to it.
type pipe struct {
	b    *testing.B
	core *bus.Client
	nc   *nats.Conn
}

func newPipe(b *testing.B) *pipe {
	dir := b.TempDir()
	s, err := bus.Start(b.Context(), bus.ServerConfig{DataDir: dir, Nodes: []string{"n1"}, Space: bus.Space{Low: 1, Critical: 1, Ballast: 1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	core, err := s.Connect(b.Context(), bus.Core)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(core.Close)
	p, err := bus.Find(dir)
	if err != nil {
		b.Fatal(err)
	}
	opt, err := nats.NkeyOptionFromSeed(p.Keyfile(bus.Admin))
	if err != nil {
		b.Fatal(err)
	}
	nc, err := nats.Connect(s.Address(), opt)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return &pipe{b, core, nc}
}

// flood publishes events as fast as the bus takes them, without waiting for
// each answer.
func (p *pipe) flood(n int, make func(i int) (container, program string)) {
	js, err := jetstream.New(p.nc, jetstream.WithPublishAsyncMaxPending(1024))
	if err != nil {
		p.b.Fatal(err)
	}
	subject := schemas.EventSubject("local", "node-n1", schemas.ProcessStarted)
	run := time.Now().UnixNano()
	for i := range n {
		container, program := make(i)
		now := time.Now().UTC()
		id := fmt.Sprint(run, "-", i)
		m := &nats.Msg{Subject: subject, Data: payload(container, program), Header: nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {"/local/n1/exec"}, "ce-type": {schemas.ProcessStarted},
			"ce-subject": {container}, "ce-time": {now.Format(time.RFC3339Nano)}, "content-type": {"application/json"}, "Nats-Msg-Id": {id},
		}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			p.b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

func payload(container, program string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"host":{"name":"n1"},"k8s":{"pod":{"name":"web-5d8f","uid":"0b6c7a9e-6a51-4c0f-8f0e-2f6f0a9d1c11"},"namespace":{"name":"shop"}},`+
		`"container":{"id":%q,"name":"web","runtime":{"name":"containerd"},"image":{"name":"registry.example/shop/web","tag":"1.2.3","digest":"sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"}},`+
		`"process":{"pid":4711,"executable":{"name":%q,"path":"/usr/bin/%s"},"command_args":["sh","-c","while true; do sleep 1; done"],"parent":{"pid":4700}},"user":{"id":"0","name":"root"}}`, container, program, program))
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

// few is one match among a hundred events, each in a container of its own.
func few(i int) (string, string) {
	if i%100 == 0 {
		return fmt.Sprintf("c%d", i), "xmrig"
	}
	return fmt.Sprintf("c%d", i%1000), "ls"
}

// What the way from publish to stored incident reaches beside a bare ordered
// consumer with the same publisher.
func BenchmarkPipeline(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		p := newPipe(b)
		p.measure(func(ctx context.Context, n int) error {
			js, err := jetstream.New(p.nc)
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
		})
	})
	b.Run("ours", func(b *testing.B) {
		p := newPipe(b)
		p.measure(func(ctx context.Context, n int) error {
			return p.correlate(ctx, p.core, Config{Set: several(b, "d1")}, uint64(n))
		})
	})
}

func (p *pipe) measure(read func(ctx context.Context, n int) error) {
	done := make(chan error, 1)
	go func() { done <- read(p.b.Context(), p.b.N) }()
	time.Sleep(300 * time.Millisecond)
	p.b.ReportAllocs()
	p.b.ResetTimer()
	before := cpu(p.b)
	p.flood(p.b.N, few)
	if err := <-done; err != nil {
		p.b.Fatal(err)
	}
	p.b.ReportMetric(float64(cpu(p.b)-before)/float64(p.b.N), "cpu-ns/event")
	p.b.ReportMetric(float64(p.b.N)/p.b.Elapsed().Seconds(), "events/s")
}

// correlate runs a correlator until it has done with so many events.
func (p *pipe) correlate(ctx context.Context, on Bus, cfg Config, n uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.Bus, cfg.Cluster, cfg.Writer = on, "local", "core"
	c := New(cfg)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for c.Sequence() < n {
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	return <-ended
}

// How long it takes from the call of publish until a reader of the ledger has
// the incident, at a thousand events a second.
func BenchmarkEventToIncident(b *testing.B) {
	p := newPipe(b)
	ctx, cancel := context.WithCancel(b.Context())
	live := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		cfg := Config{Bus: p.core, Cluster: "local", Writer: "core", Set: several(b, "d1"), Live: func() { close(live) }}
		if err := New(cfg).Run(ctx); err != nil {
			b.Error(err)
		}
	})
	<-live
	var mu sync.Mutex
	published, took := map[string]time.Time{}, []time.Duration{}
	got := make(chan struct{}, 1<<20)
	wg.Go(func() {
		err := p.core.FollowLedger(ctx, 0, func(r schemas.Record) error {
			now := time.Now()
			var o schemas.Opened
			if err := r.Decode(&o); err != nil {
				return err
			}
			mu.Lock()
			took = append(took, now.Sub(published[o.Group]))
			mu.Unlock()
			got <- struct{}{}
			return nil
		}, nil)
		if ctx.Err() == nil {
			b.Error(err)
		}
	})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	i, want := 0, 0
	for b.Loop() {
		<-tick.C
		container, program := few(i)
		if i%20 == 0 {
			container, program = fmt.Sprintf("x%d", i), "xmrig"
			mu.Lock()
			published[container] = time.Now()
			mu.Unlock()
			want++
		}
		if program == "xmrig" && i%20 != 0 {
			program = "ls"
		}
		e := schemas.Event{ID: fmt.Sprint("e", i), Source: "/local/core/bench", Type: schemas.ProcessStarted, Subject: container, Time: time.Now().UTC(), Data: payload(container, program)}
		if _, err := p.core.Publish(ctx, e); err != nil {
			b.Fatal(err)
		}
		i++
	}
	for range want {
		<-got
	}
	cancel()
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// sudden is a bus as a process sees it that is killed: it stores nothing more.
type sudden struct {
	*bus.Client
	dead context.Context
}

func (s sudden) PutState(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	if s.dead.Err() != nil {
		return 0, errDead
	}
	return s.Client.PutState(ctx, key, value, rev)
}

// How long a correlator that was killed needs to be up to date again, with a
// million events in open windows.
func BenchmarkRecovery(b *testing.B) {
	const events = 1_000_000
	set := &playbook.Set{Digest: "d1", Playbooks: []*playbook.Playbook{
		book(b, "count", playbook.Match{Op: playbook.OpCount, AtLeast: 100_000, Within: time.Hour}, "ls"),
	}}
	p := newPipe(b)
	ctx, kill := context.WithCancel(b.Context())
	c := New(Config{Bus: sudden{p.core, ctx}, Cluster: "local", Writer: "core", Set: set})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	begin := time.Now()
	p.flood(events, func(i int) (string, string) { return fmt.Sprintf("c%d", i%10_000), "ls" })
	for c.Sequence() < events {
		time.Sleep(time.Millisecond)
	}
	filled, before := time.Since(begin), c.Checkpoint()
	kill()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		live := make(chan struct{})
		c := New(Config{Bus: sudden{p.core, ctx}, Cluster: "local", Writer: "core", Set: set, Live: func() { close(live) }, Save: time.Hour})
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		<-live
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events)/filled.Seconds(), "filled-events/s")
	b.ReportMetric(float64(events-before.Seq), "events-behind")
	b.ReportMetric(float64(before.Bytes)/1e6, "checkpoint-MB")
	b.ReportMetric(before.Pause.Seconds()*1e3, "pause-ms")
	b.ReportMetric(before.Took.Seconds()*1e3, "checkpoint-ms")
}
