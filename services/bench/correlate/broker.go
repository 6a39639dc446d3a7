package correlate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
	"firebreak/services/bus"
)

const (
	cluster = "local"
	node    = "n1"
	// unanswered is how many events the publisher has on their way at once.
	unanswered = 1024
)

// broker is the embedded bus with its stores in a folder of its own.
type broker struct {
	server *bus.Server
	admin  *nats.Conn
	dir    string
}

// newBroker starts one as `firebreak run` does, in a fresh folder below dir.
func newBroker(ctx context.Context, dir string) (_ *broker, err error) {
	b := &broker{}
	if b.dir, err = os.MkdirTemp(dir, "bus-"); err != nil {
		return nil, fmt.Errorf("a folder for the bus: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop(ctx))
		}
	}()
	if b.server, err = bus.Start(ctx, bus.ServerConfig{DataDir: b.dir, Cluster: cluster, Nodes: []string{node}}); err != nil {
		return nil, err
	}
	b.admin, err = administrator(b.dir)
	return b, err
}

// administrator is a plain connection to the bus of a data folder: it may read
// and write EVENTS past the product's own client.
func administrator(dataDir string) (*nats.Conn, error) {
	place, err := bus.Find(dataDir)
	if err != nil {
		return nil, err
	}
	key, err := nats.NkeyOptionFromSeed(place.Keyfile(bus.Admin))
	if err != nil {
		return nil, fmt.Errorf("key of the administrator: %w", err)
	}
	nc, err := nats.Connect(place.Address, key)
	if err != nil {
		return nil, fmt.Errorf("connect as the administrator: %w", err)
	}
	return nc, nil
}

// within connects the core past the network, byTCP as a process of its own is.
func (b *broker) within(ctx context.Context) (*bus.Client, error) {
	return b.server.Connect(ctx, bus.Core)
}

func (b *broker) byTCP(ctx context.Context) (*bus.Client, error) { return dial(ctx, b.dir, bus.Core) }

func (b *broker) stop(ctx context.Context) error {
	var errs []error
	if b.admin != nil {
		b.admin.Close()
	}
	if b.server != nil {
		errs = append(errs, b.server.Stop(context.WithoutCancel(ctx)))
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// dial connects a user to the bus of a data folder.
func dial(ctx context.Context, dataDir string, user bus.User) (*bus.Client, error) {
	place, err := bus.Find(dataDir)
	if err != nil {
		return nil, err
	}
	cfg, err := place.Dial(user)
	if err != nil {
		return nil, err
	}
	cfg.Cluster = cluster
	return bus.Dial(ctx, cfg)
}

// message is an event as the collector's client would send it.
func message(e schemas.Event) *nats.Msg {
	h := nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {e.ID}, "ce-source": {e.Source}, "ce-type": {e.Type},
		"ce-time": {e.Time.Format(time.RFC3339Nano)}, "content-type": {"application/json"}, nats.MsgIdHdr: {e.ID},
	}
	return &nats.Msg{Subject: schemas.EventSubject(cluster, schemas.NodePlace(node), e.Type), Header: h, Data: e.Data}
}

// flood publishes so many messages as fast as the bus takes them, without
// waiting for each answer, and gives the sequence of the last one.
func flood(ctx context.Context, nc *nats.Conn, n int, next func(i int) (*nats.Msg, error), p Progress) (uint64, error) {
	var refused error
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(unanswered))
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	var last jetstream.PubAckFuture
	for i := range n {
		if i%4096 == 0 {
			if err := ended(ctx, "publish"); err != nil {
				return 0, err
			}
			p.tell(i, n)
		}
		m, err := next(i)
		if err != nil {
			return 0, err
		}
		if last, err = js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			return 0, fmt.Errorf("publish event %d: %w", i, err)
		}
		select {
		case refused = <-last.Err():
			return 0, fmt.Errorf("publish event %d: %w", i, refused)
		default:
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return 0, ended(ctx, "publish")
	}
	if last == nil {
		return 0, fmt.Errorf("publish: %w", errNothing)
	}
	select {
	case ack := <-last.Ok():
		return ack.Sequence, nil
	case err := <-last.Err():
		return 0, fmt.Errorf("publish the last event: %w", err)
	}
}
