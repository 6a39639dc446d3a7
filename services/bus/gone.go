package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// storeGrace is how long a store must be missing before that counts: at the
	// first start of a server they are made one after the other.
	storeGrace = 3 * time.Second
	// namesEvery bounds how often the server is asked which stores it has.
	namesEvery = 500 * time.Millisecond
	// namesWait is how long its answer may take; without one it is asked again
	// only after namesRest.
	namesWait = 2 * time.Second
	namesRest = 30 * time.Second
)

// namesCall asks for the names of the stores, and for nothing in them. In a
// cluster it names those without a leader too.
const namesCall = api + "STREAM.NAMES"

// storeWatch remembers which stores the server said that it has.
type storeWatch struct {
	turn  chan struct{} // one asks, the others use its answer
	asked time.Time
	next  time.Time
	gen   uint64               // of the connection that was asked on
	known bool                 // the server answered
	since map[string]time.Time // when each store was first missed
	told  bool
}

func newStoreWatch() *storeWatch {
	return &storeWatch{turn: make(chan struct{}, 1), since: map[string]time.Time{}}
}

// gone is asked when a store does not answer. It gives an error of class
// [ErrNoStore] when the server itself says that there is no such store, and
// nil when that is so only since a moment, when the store merely has no leader,
// or when nobody can say: those are waited out.
func (c *Client) gone(ctx context.Context, store string) error {
	w := c.stores
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return nil
	}
	if !time.Now().Before(w.next) {
		c.askStores(ctx, w)
	}
	since, missed := w.since[store]
	if !w.known || !missed || time.Since(since) < storeGrace {
		return nil
	}
	return noStore(store, "the server has no such store (any more)")
}

func noStore(store, how string) error {
	return fmt.Errorf("%w: %s: %s: with an external server run `firebreak bus migrate`, or bring its data back; then restart Firebreak", ErrNoStore, store, how)
}

// askStores asks the server which stores it has.
func (c *Client) askStores(ctx context.Context, w *storeWatch) {
	alive, _, gen := c.link.state()
	now := time.Now()
	if w.gen != gen || now.Sub(w.asked) > storeGrace {
		clear(w.since) // what was missed then may have been there meanwhile
	}
	w.gen, w.asked, w.next = gen, now, now.Add(namesEvery)
	names, err := c.storeNames(ctx)
	if w.known = err == nil; !w.known {
		clear(w.since)
		if alive.Err() == nil && ctx.Err() == nil {
			w.next = now.Add(namesRest)
			if !w.told {
				w.told = true
				c.log.Warn("a store of the bus does not answer, and the server does not say whether it has it: an external server's users may be older than this program (`firebreak bus users`)", "user", string(c.user), "error", err)
			}
		}
		return
	}
	for _, store := range []string{eventsStream, ledgerStream, inventoryStream, stateStream, blobsStream} {
		if names[store] {
			delete(w.since, store)
		} else if _, ok := w.since[store]; !ok {
			w.since[store] = now
		}
	}
}

func (c *Client) storeNames(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, namesWait)
	defer cancel()
	answer, err := c.attempt(ctx, &nats.Msg{Subject: local(namesCall)})
	if err != nil {
		return nil, err
	}
	var list struct {
		Streams []string  `json:"streams"`
		Error   *apiError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &list); err != nil {
		return nil, err
	}
	if list.Error != nil {
		return nil, list.Error
	}
	names := make(map[string]bool, len(list.Streams))
	for _, s := range list.Streams {
		names[s] = true
	}
	return names, nil
}
