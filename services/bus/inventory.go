package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

// PutItem writes an item of the client's own into INVENTORY. An item without
// an owner becomes the client's.
func (c *Client) PutItem(ctx context.Context, it schemas.Item) error {
	if it.Owner == "" {
		it.Owner = c.user.Writer()
	}
	if it.Kind == "" || it.ID == "" {
		return fmt.Errorf("put item %q of kind %q: %w: id and kind are needed", it.ID, it.Kind, schemas.ErrInvalid)
	}
	raw, err := json.Marshal(it)
	if err != nil {
		return fmt.Errorf("put item %s: %w", it.ID, err)
	}
	m := &nats.Msg{Subject: inventorySpace + itemToken(it.Kind, it.ID, it.Owner), Data: raw}
	if _, err := c.store(ctx, inventoryStream, m); err != nil {
		return fmt.Errorf("put item: %w", err)
	}
	return nil
}

// DeleteItem takes an item of the client's own out of INVENTORY.
func (c *Client) DeleteItem(ctx context.Context, kind, id string) error {
	m := nats.NewMsg(inventorySpace + itemToken(kind, id, c.user.Writer()))
	m.Header[headOperation] = []string{deletion}
	m.Header[headTTL] = []string{strconv.Itoa(int(tombstoneTTL.Seconds())) + "s"}
	if _, err := c.store(ctx, inventoryStream, m); err != nil {
		return fmt.Errorf("delete item: %w", err)
	}
	return nil
}

// Items gives the items of a kind that the user may see, ordered by id and
// owner: all of them, or its own node's.
func (c *Client) Items(ctx context.Context, kind string) ([]schemas.Item, error) {
	found := map[string]schemas.Item{}
	f := &follower{c: c, next: 1, r: c.itemReader(kind, func(it schemas.Item, gone bool) error {
		key := itemToken(it.Kind, it.ID, it.Owner)
		if delete(found, key); !gone {
			found[key] = it
		}
		return nil
	})}
	if err := f.readUp(ctx); err != nil {
		return nil, fmt.Errorf("items of kind %s: %w", kind, err)
	}
	items := make([]schemas.Item, 0, len(found))
	for _, it := range found {
		items = append(items, it)
	}
	sort.Slice(items, func(i, j int) bool {
		if items[i].ID != items[j].ID {
			return items[i].ID < items[j].ID
		}
		return items[i].Owner < items[j].Owner
	})
	return items, nil
}

// FollowItems hands on every item of a kind that the user may see, then every
// change, until ctx ends or handle fails. live is called once, when all that
// was there at the call has been handled. Of an item that is gone only kind,
// id and owner are told.
func (c *Client) FollowItems(ctx context.Context, kind string, handle func(it schemas.Item, deleted bool) error, live func() error) error {
	if err := c.follow(ctx, c.itemReader(kind, handle), 0, live); err != nil {
		return fmt.Errorf("follow items of kind %s: %w", kind, err)
	}
	return nil
}

func (c *Client) itemReader(kind string, handle func(schemas.Item, bool) error) reader {
	within := schemas.Token(kind) + ".>"
	if !c.user.readsAll() {
		within = "*.*." + schemas.Token(c.user.Writer())
	}
	return reader{
		stream: inventoryStream, space: inventorySpace + within, live: liveInventory + within, forget: tombstoneTTL,
		handle: func(m message) error {
			it, gone, err := decodeItem(m)
			if err != nil {
				c.verify.reject(m, err)
				return nil
			}
			if it.Kind != kind {
				return nil
			}
			return handle(it, gone)
		},
	}
}

// decodeItem reads an entry of INVENTORY. Kind, id and owner are those of its
// subject: that is what the owner's rights were checked against.
func decodeItem(m message) (schemas.Item, bool, error) {
	key, err := parseItemToken(strings.TrimPrefix(m.subject, inventorySpace))
	if err != nil || deleted(m) {
		return key, true, err
	}
	var it schemas.Item
	if err := json.Unmarshal(m.data, &it); err != nil {
		return key, false, fmt.Errorf("item %s: %w: %w", m.subject, schemas.ErrInvalid, err)
	}
	if it.Kind != key.Kind || it.ID != key.ID || it.Owner != key.Owner {
		return key, false, fmt.Errorf("item %s: %w: it says that it is %s %s of %s", m.subject, ErrForged, it.Kind, it.ID, it.Owner)
	}
	return it, false, nil
}
