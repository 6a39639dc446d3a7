package containerd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/events"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/decode"
)

const (
	echoWithin = 10 * time.Second
	sweepEvery = 10 * time.Second
)

// session is one connection to containerd.
type session struct {
	*Source
	client    *client.Client
	emit      func(context.Context, schemas.Event) error
	envelopes <-chan *events.Envelope
	broken    <-chan error
}

// follow subscribes, lists, and hands on events until the stream breaks.
func (s *Source) follow(ctx context.Context, c *client.Client, emit func(context.Context, schemas.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &session{Source: s, client: c, emit: emit}
	x.envelopes, x.broken = c.EventService().Subscribe(ctx, s.filters()...)
	if err := x.settle(ctx); err != nil {
		return err
	}
	if err := x.list(ctx); err != nil {
		return err
	}
	s.live.Store(c)
	s.items.reconcile()
	return x.loop(ctx)
}

// filters match the events of the configured namespaces, and our own.
func (s *Source) filters() []string {
	all := []string{"topic~=" + strconv.Quote("^"+s.echo)}
	for _, ns := range s.cfg.Namespaces {
		all = append(all, "namespace=="+strconv.Quote(ns)+`,topic~="^/(tasks|containers)/"`)
	}
	return all
}

// settle waits until the subscription is in force. Subscribe returns before
// containerd knows of it, and a list taken then could miss what starts in
// between; so events of our own are sent until one comes back.
func (x *session) settle(ctx context.Context) error {
	within := time.NewTimer(echoWithin)
	defer within.Stop()
	for {
		if _, err := x.ping(ctx, x.client); err != nil {
			return err
		}
		again := time.NewTimer(20 * time.Millisecond)
		ours, err := x.until(ctx, x.isEcho, within.C, again.C)
		again.Stop()
		if ours || err != nil {
			return err
		}
	}
}

// barrier takes every event that containerd sent before this call: an event of
// our own marks the place.
func (x *session) barrier(ctx context.Context) error {
	within := time.NewTimer(echoWithin)
	defer within.Stop()
	mark, err := x.ping(ctx, x.client)
	if err != nil {
		return err
	}
	_, err = x.until(ctx, func(topic string) bool { return topic == mark }, within.C, nil)
	return err
}

func (x *session) isEcho(topic string) bool { return strings.HasPrefix(topic, x.echo) }

// until takes events up to the one whose topic is wanted. It gives up with an
// error after within, and with false after again.
func (x *session) until(ctx context.Context, wanted func(topic string) bool, within, again <-chan time.Time) (bool, error) {
	for {
		select {
		case e := <-x.envelopes:
			if err := x.take(ctx, e); err != nil {
				return false, err
			}
			if wanted(e.Topic) {
				return true, nil
			}
		case err := <-x.broken:
			return false, x.brokeOff(ctx, err)
		case <-within:
			return false, fmt.Errorf("containerd at %s: its event stream gave nothing for %s: is it overloaded or hung?",
				x.cfg.Address, echoWithin)
		case <-again:
			return false, nil
		}
	}
}

func (x *session) loop(ctx context.Context) error {
	relist := time.NewTicker(x.cfg.Relist)
	defer relist.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case e := <-x.envelopes:
			if err := x.take(ctx, e); err != nil {
				return err
			}
		case err := <-x.broken:
			return x.brokeOff(ctx, err)
		case <-relist.C:
			if err := x.list(ctx); err != nil {
				return err
			}
		case now := <-sweep.C:
			x.sweep(now)
		}
	}
}

// take hands on one envelope. One that cannot be read is logged and passed
// over: whoever can publish events to containerd must not be able to stop us.
func (x *session) take(ctx context.Context, e *events.Envelope) error {
	x.heard.Add(1)
	if x.isEcho(e.Topic) {
		select {
		case x.back <- struct{}{}:
		default:
		}
		return nil
	}
	f, err := decode.Event(e.Namespace, e.Topic, e.Timestamp, e.Event)
	if err != nil {
		x.log.Warn("an event of containerd could not be read", "topic", e.Topic, "namespace", e.Namespace, "error", err)
		return nil
	}
	return x.handle(ctx, f)
}

func (x *session) brokeOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = errors.New("it was closed")
	}
	return fmt.Errorf("event stream of containerd at %s broke off: %w: it is subscribed again", x.cfg.Address, err)
}
