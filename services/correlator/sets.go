package correlator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

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
	content, err := c.keep(ctx, set)
	if err != nil {
		// A set that cannot be looked up later is still the one to go by now.
		c.cfg.Log.Warn("the sources of the playbooks are not kept; a replay will not see them", "digest", set.Digest, "error", err)
	}
	now := c.cfg.Now()
	e, err := c.own(schemas.PlaybooksChanged, fmt.Sprintf("playbooks/%s/%d", set.Digest, now.UnixNano()),
		schemas.PlaybooksEvent{Digest: set.Digest, Names: names, Content: content})
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

// keep stores the sources of a set and gives their digest.
func (c *Correlator) keep(ctx context.Context, set *playbook.Set) (string, error) {
	if c.cfg.Blobs == nil {
		return "", nil
	}
	texts := make(map[string]string, len(set.Sources))
	for name, text := range set.Sources {
		texts[name] = string(text)
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		return "", fmt.Errorf("sources of the playbooks: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	digest, _, err := c.cfg.Blobs.PutBlob(ctx, bytes.NewReader(raw))
	if err != nil {
		return "", fmt.Errorf("sources of the playbooks: %w", err)
	}
	return digest, nil
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
