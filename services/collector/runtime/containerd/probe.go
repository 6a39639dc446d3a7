package containerd

import (
	"context"
	"fmt"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"google.golang.org/protobuf/types/known/emptypb"
)

// ping makes containerd send an event of our own to its subscribers, and
// gives the event's topic.
func (s *Source) ping(ctx context.Context, c *client.Client) (string, error) {
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(ctx, s.cfg.Namespaces[0]), 5*time.Second)
	defer cancel()
	topic := fmt.Sprintf("%s/%d", s.echo, s.pings.Add(1))
	if err := c.EventService().Publish(ctx, topic, &emptypb.Empty{}); err != nil {
		return "", fmt.Errorf("containerd at %s: publish an event to itself: %w", s.cfg.Address, err)
	}
	return topic, nil
}

// Probe tells whether the stream still lives: either something came since the
// last probe, or an event of our own comes back.
func (s *Source) Probe(ctx context.Context) error {
	c := s.live.Load()
	if c == nil {
		return fmt.Errorf("containerd at %s is not connected yet", s.cfg.Address)
	}
	if heard := s.heard.Load(); heard != s.seen.Swap(heard) {
		return nil
	}
	select {
	case <-s.back: // of an earlier ping that nobody waited for
	default:
	}
	if _, err := s.ping(ctx, c); err != nil {
		return err
	}
	select {
	case <-s.back:
		s.seen.Store(s.heard.Load())
		return nil
	case <-ctx.Done():
		return fmt.Errorf("event stream of containerd at %s gives nothing: %w", s.cfg.Address, ctx.Err())
	}
}
