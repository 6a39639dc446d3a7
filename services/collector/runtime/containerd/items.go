package containerd

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
)

// Kinds of the inventory's items.
const (
	kindContainer = "container"
	kindPod       = "pod"
)

// items lets the inventory follow the table: it remembers which entries
// changed (at most one mark per container and pod, so it is bounded by them)
// and writes their newest state. A slow or absent inventory delays no event.
type items struct {
	inventory Inventory
	known     *runtime.Known
	node      string
	owner     string
	log       *slog.Logger
	wake      chan struct{}

	mu    sync.Mutex
	dirty map[itemKey]bool
	stale bool // items of an earlier life are still to be looked for
	ready bool // the table was compared with containerd
}

type itemKey struct{ kind, id string }

func newItems(c Config, known *runtime.Known) *items {
	return &items{
		inventory: c.Inventory, known: known, node: c.Node, owner: c.Owner, log: c.Log,
		wake: make(chan struct{}, 1), dirty: map[itemKey]bool{}, stale: true,
	}
}

// touch marks what the facts are about.
func (i *items) touch(f runtime.Facts) {
	if i.inventory == nil {
		return
	}
	i.mu.Lock()
	i.dirty[itemKey{kindContainer, f.Container.ID}] = true
	if uid := f.PodUID(); uid != "" {
		i.dirty[itemKey{kindPod, uid}] = true
	}
	i.mu.Unlock()
	i.nudge()
}

// reconcile says that the table is complete: what the inventory holds beyond it is stale.
func (i *items) reconcile() {
	i.mu.Lock()
	i.ready = true
	i.mu.Unlock()
	i.nudge()
}

func (i *items) nudge() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends. What could not be written stays marked.
func (i *items) run(ctx context.Context) {
	if i.inventory == nil {
		return
	}
	const first, last = 500 * time.Millisecond, 10 * time.Second
	pause := first
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.wake:
			if pause > first {
				continue // the timer says when to try again
			}
		case <-retry.C:
		}
		err := i.flush(ctx)
		if err == nil {
			pause = first
			continue
		}
		if pause == first && ctx.Err() == nil {
			i.log.Warn("the inventory could not be written; it is tried again", "error", err)
		}
		retry.Reset(pause)
		pause = min(2*pause, last)
	}
}

func (i *items) flush(ctx context.Context) error {
	if err := i.markStale(ctx); err != nil {
		return err
	}
	for {
		k, ok := i.next()
		if !ok {
			return nil
		}
		if err := i.write(ctx, k); err != nil {
			i.mu.Lock()
			i.dirty[k] = true
			i.mu.Unlock()
			return err
		}
	}
}

// next takes a mark off. It goes before the table is read: a change in
// between marks it again.
func (i *items) next() (itemKey, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for k := range i.dirty {
		delete(i.dirty, k)
		return k, true
	}
	return itemKey{}, false
}

// markStale marks, once, what an earlier life of this owner left behind.
func (i *items) markStale(ctx context.Context) error {
	i.mu.Lock()
	due := i.stale && i.ready
	i.mu.Unlock()
	if !due {
		return nil
	}
	var left []itemKey
	for _, kind := range []string{kindContainer, kindPod} {
		all, err := i.inventory.Items(ctx, kind)
		if err != nil {
			return err
		}
		for _, it := range all {
			if it.Owner == i.owner {
				left = append(left, itemKey{kind, it.ID})
			}
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, k := range left {
		i.dirty[k] = true
	}
	i.stale = false
	return nil
}

// write brings one item up to the table: what lives is put, all else deleted.
func (i *items) write(ctx context.Context, k itemKey) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var live []runtime.Facts
	if k.kind == kindPod {
		live = i.known.Pod(k.id)
	} else {
		for _, f := range i.known.Named(k.id) {
			if f.Lives() {
				live = append(live, f)
			}
		}
	}
	if len(live) == 0 {
		return i.inventory.DeleteItem(ctx, k.kind, k.id)
	}
	return i.inventory.PutItem(ctx, i.item(k, live))
}

func (i *items) item(k itemKey, live []runtime.Facts) schemas.Item {
	newest := live[0]
	for _, f := range live[1:] {
		if f.AsOf.After(newest.AsOf) {
			newest = f
		}
	}
	it := schemas.Item{Kind: k.kind, ID: k.id, Owner: i.owner, AsOf: newest.AsOf}
	it.Host = &schemas.Host{Name: i.node}
	if k.kind == kindContainer {
		it.Container, it.K8s = &newest.Container, newest.K8s
		return it
	}
	it.K8s = &schemas.K8s{Namespace: newest.K8s.Namespace, Pod: newest.K8s.Pod}
	return it
}
