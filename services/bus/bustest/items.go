package bustest

import (
	"context"

	"firebreak/schemas"
)

// PutItem writes an item of the client's own.
func (c *Client) PutItem(_ context.Context, it schemas.Item) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if it.Owner == "" {
		it.Owner = c.Writer
	}
	c.items = append(c.items, change{item: it})
	c.wake()
	return nil
}

// DeleteItem takes an item of the client's own out.
func (c *Client) DeleteItem(_ context.Context, kind, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items = append(c.items, change{item: schemas.Item{Kind: kind, ID: id, Owner: c.Writer}, deleted: true})
	c.wake()
	return nil
}

// change is one change of the inventory.
type change struct {
	item    schemas.Item
	deleted bool
}

// FollowItems hands on every change of a kind from the first on.
func (c *Client) FollowItems(ctx context.Context, kind string, handle func(it schemas.Item, deleted bool) error, live func() error) error {
	next := 0
	for {
		c.mu.Lock()
		waiting, changed := c.items[next:], c.changed
		next = len(c.items)
		c.mu.Unlock()
		for _, ch := range waiting {
			if ch.item.Kind != kind {
				continue
			}
			if err := handle(ch.item, ch.deleted); err != nil {
				return err
			}
		}
		if live != nil {
			if err := live(); err != nil {
				return err
			}
			live = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
