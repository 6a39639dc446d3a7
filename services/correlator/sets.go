package correlator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// maxContent is the largest set that is read back.
const maxContent = 64 << 20

// inForce names a set: by its digest, and by that of its sources in BLOBS.
type inForce struct {
	Digest  string `json:"digest"`
	Content string `json:"content,omitempty"`
}

// inSet is a set that was announced.
type inSet struct {
	set     *playbook.Set
	content string
}

// sets announces the set that shall be in force, and those that replace it.
func (c *Correlator) sets(ctx context.Context) error {
	want, told := c.cfg.Set, c.told
	for {
		if want != nil && want.Digest != c.announced() {
			if err := c.announce(ctx, want); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-told: // the log may have held another announcement
			told = nil
		case set, open := <-c.cfg.Sets:
			if !open {
				<-ctx.Done()
				return ctx.Err()
			}
			if set != nil {
				c.mu.Lock()
				c.cfg.Set = set
				c.mu.Unlock()
				want = set
			}
		}
	}
}

// announced is the digest of the set that is in force when the log is read to
// its end, as far as that is known.
func (c *Correlator) announced() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names
}

// announce publishes that a set comes into force. The moment is part of the
// id: the same set may come back later.
func (c *Correlator) announce(ctx context.Context, set *playbook.Set) error {
	names := make([]string, 0, len(set.Playbooks))
	for _, p := range set.Playbooks {
		names = append(names, p.Name)
	}
	content, err := c.store(ctx, set)
	if err != nil {
		// A set that cannot be looked up later is still the one to go by now.
		c.cfg.Log.Warn("the sources of the playbooks are not kept; a replay will not see them", "digest", set.Digest, "error", err)
	}
	now := c.cfg.Now()
	e, err := c.own(schemas.PlaybooksChanged, fmt.Sprintf("playbooks/%s/%d", set.Digest, now.UnixNano()), now,
		schemas.PlaybooksEvent{Digest: set.Digest, Names: names, Content: content})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.unmet[e.ID] = inSet{set, content}
	if c.force.Digest == set.Digest {
		c.force.Content = content
	}
	c.mu.Unlock()
	if err := c.retry(ctx, "announce the playbooks", func() error {
		_, err := c.cfg.Bus.Publish(ctx, e)
		return err
	}); err != nil {
		return err
	}
	c.mu.Lock()
	c.names = set.Digest
	c.mu.Unlock()
	return nil
}

// store keeps the sources of a set and gives their digest.
func (c *Correlator) store(ctx context.Context, set *playbook.Set) (string, error) {
	if c.cfg.Blobs == nil {
		return "", nil
	}
	texts := map[string]string{}
	for name, text := range c.cfg.Sources(set) {
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

// meet puts a set in force where the log announces it. Sets that nobody may
// announce but the core are left alone.
func (c *Correlator) meet(ctx context.Context, e schemas.Event) error {
	if c.cfg.Writer != "" && e.Writer != c.cfg.Writer {
		return nil
	}
	var say schemas.PlaybooksEvent
	if json.Unmarshal(e.Data, &say) != nil || say.Digest == "" {
		return nil
	}
	own, ours := c.unmet[e.ID]
	delete(c.unmet, e.ID)
	if len(c.unmet) == 0 {
		c.names = say.Digest
	}
	force := inForce{Digest: say.Digest, Content: say.Content}
	if say.Digest == c.force.Digest {
		c.force = force
		c.cfg.Log.Info("playbooks in force", "digest", say.Digest, "count", len(say.Names), "from", e.Seq)
		return nil
	}
	set := own.set
	if !ours {
		set = c.without(c.setOf(ctx, force), e.Seq)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.engine.Swap(set)
	c.force = force
	if set != nil && set.Digest != force.Digest {
		c.force = inForce{Digest: set.Digest}
	}
	if set != nil {
		c.cfg.Log.Info("playbooks in force", "digest", set.Digest, "count", len(set.Playbooks), "from", e.Seq)
	}
	return nil
}

// setOf finds a set: it is the one that was handed in, or is made again from
// its sources. One that cannot be had is replaced by the one that was handed in.
func (c *Correlator) setOf(ctx context.Context, force inForce) *playbook.Set {
	if c.cfg.Set != nil && c.cfg.Set.Digest == force.Digest {
		return c.cfg.Set
	}
	var set *playbook.Set
	var err error
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		set, err = c.compile(ctx, force)
		if err == nil {
			return set
		}
		if errors.Is(err, schemas.ErrAbsent) || errors.Is(err, schemas.ErrInvalid) || wait > 2*time.Second || !sleep(ctx, wait) {
			break
		}
	}
	if ctx.Err() == nil {
		c.cfg.Log.Error("correlator: the playbooks that were in force here cannot be had; those that are configured now take their place at once", "digest", force.Digest, "error", err)
	}
	return c.cfg.Set
}

// compile makes a set of the past from its sources.
func (c *Correlator) compile(ctx context.Context, force inForce) (*playbook.Set, error) {
	if c.cfg.Blobs == nil || c.cfg.Compile == nil || force.Content == "" {
		return nil, fmt.Errorf("set %s: %w: its sources were not kept", force.Digest, schemas.ErrAbsent)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := c.cfg.Blobs.Blob(ctx, force.Content)
	if err != nil {
		return nil, fmt.Errorf("sources of set %s: %w", force.Digest, err)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxContent))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("sources of set %s: %w", force.Digest, err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, fmt.Errorf("sources of set %s: %w: %w", force.Digest, schemas.ErrInvalid, err)
	}
	sources := make(map[string][]byte, len(texts))
	for name, text := range texts {
		sources[name] = []byte(text)
	}
	set, err := c.cfg.Compile(sources)
	if err != nil {
		return nil, fmt.Errorf("set %s, of which this program makes nothing: %w: %w", force.Digest, schemas.ErrInvalid, err)
	}
	if set == nil || set.Digest != force.Digest {
		return nil, fmt.Errorf("set %s: %w: its sources make another one", force.Digest, schemas.ErrInvalid)
	}
	return set, nil
}
