package correlator

import (
	"context"
	"encoding/json"
	"fmt"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// sets announces the set in force, and those that replace it.
func (c *Correlator) sets(ctx context.Context) error {
	if set := c.cfg.Set; set != nil && set.Digest != c.announced() {
		if err := c.announce(ctx, set); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case set, open := <-c.cfg.Sets:
			if !open {
				<-ctx.Done()
				return ctx.Err()
			}
			if set == nil || set.Digest == c.announced() {
				continue
			}
			if err := c.announce(ctx, set); err != nil {
				return err
			}
		}
	}
}

func (c *Correlator) announced() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.digest
}

// announce publishes that a set comes into force. The moment is part of the
// id: the same set may come back later.
func (c *Correlator) announce(ctx context.Context, set *playbook.Set) error {
	names := make([]string, 0, len(set.Playbooks))
	for _, p := range set.Playbooks {
		names = append(names, p.Name)
	}
	now := c.cfg.Now()
	e, err := c.own(schemas.PlaybooksChanged, fmt.Sprintf("playbooks/%s/%d", set.Digest, now.UnixNano()),
		schemas.PlaybooksEvent{Digest: set.Digest, Names: names})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.pending[set.Digest] = set
	c.mu.Unlock()
	if err := c.retry(ctx, "announce the playbooks", func() error {
		_, err := c.cfg.Bus.Publish(ctx, e)
		return err
	}); err != nil {
		return err
	}
	c.mu.Lock()
	c.digest = set.Digest
	c.mu.Unlock()
	return nil
}

// swap puts an announced set in force. Sets of others, or of the past, are not ours to know.
func (c *Correlator) swap(e schemas.Event) {
	if c.cfg.Writer != "" && e.Writer != c.cfg.Writer {
		return
	}
	var say schemas.PlaybooksEvent
	if json.Unmarshal(e.Data, &say) != nil {
		return
	}
	set := c.pending[say.Digest]
	if set == nil {
		return
	}
	delete(c.pending, say.Digest)
	c.engine.Swap(set)
	c.cfg.Log.Info("playbooks in force", "digest", set.Digest, "count", len(set.Playbooks))
}
