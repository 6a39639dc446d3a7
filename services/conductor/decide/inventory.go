package decide

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
)

// Inventory answers look-ups from the items that collectors keep. It is a hint
// of what runs, as old as its items: the place asks its runtime before it
// touches anything. Not safe for concurrent use.
type Inventory struct {
	items map[itemKey]schemas.Item
	by    map[string]map[itemKey]struct{} // by whatever an item may be asked for
}

type itemKey struct{ kind, id, owner string }

// NewInventory gives an empty inventory.
func NewInventory() *Inventory {
	return &Inventory{items: map[itemKey]schemas.Item{}, by: map[string]map[itemKey]struct{}{}}
}

// Put takes an item in, or its newer form.
func (v *Inventory) Put(it schemas.Item) {
	k := itemKey{it.Kind, it.ID, it.Owner}
	v.Delete(it.Kind, it.ID, it.Owner)
	v.items[k] = it
	for _, name := range namesOf(it) {
		if v.by[name] == nil {
			v.by[name] = map[itemKey]struct{}{}
		}
		v.by[name][k] = struct{}{}
	}
}

// Delete takes an item out.
func (v *Inventory) Delete(kind, id, owner string) {
	k := itemKey{kind, id, owner}
	old, known := v.items[k]
	if !known {
		return
	}
	delete(v.items, k)
	for _, name := range namesOf(old) {
		if delete(v.by[name], k); len(v.by[name]) == 0 {
			delete(v.by, name)
		}
	}
}

// Look gives what of a kind (container or pod) goes by a name: its own id, the
// digest of its image, its node, or its pod as uid or as namespace/name. The
// order is that of ids.
func (v *Inventory) Look(kind, name string) []schemas.Item {
	found := map[string]schemas.Item{}
	keep := func(it schemas.Item) {
		// Two owners may tell of one thing: the younger word counts.
		if old, twice := found[it.ID]; !twice || it.AsOf.After(old.AsOf) {
			found[it.ID] = it
		}
	}
	for k := range v.by[name] {
		it := v.items[k]
		switch {
		case k.kind == kind:
			keep(it)
		case kind == kindPod && k.kind == kindContainer:
			// A pod has the images of its containers, which its own item does not tell.
			if pod, ok := podOf(it); ok {
				keep(pod)
			}
		}
	}
	out := make([]schemas.Item, 0, len(found))
	for _, it := range found {
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b schemas.Item) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// asOf is how old the oldest of some items is: the answer is no younger.
func asOf(items []schemas.Item) time.Time {
	var oldest time.Time
	for _, it := range items {
		if oldest.IsZero() || it.AsOf.Before(oldest) {
			oldest = it.AsOf
		}
	}
	return oldest
}

func podOf(it schemas.Item) (schemas.Item, bool) {
	if it.K8s == nil || it.K8s.Pod == nil || it.K8s.Pod.UID == "" {
		return schemas.Item{}, false
	}
	return schemas.Item{
		Kind: kindPod, ID: it.K8s.Pod.UID, Owner: it.Owner, AsOf: it.AsOf,
		Entities: schemas.Entities{Host: it.Host, K8s: it.K8s},
	}, true
}

// namesOf gives all that an item may be asked for.
func namesOf(it schemas.Item) []string {
	names := []string{it.ID}
	if c := it.Container; c != nil && c.Image != nil {
		names = append(names, c.Image.Digest)
	}
	if it.Host != nil {
		names = append(names, it.Host.Name)
	}
	if k := it.K8s; k != nil && k.Pod != nil {
		names = append(names, k.Pod.UID)
		if k.Namespace != nil && k.Pod.Name != "" {
			names = append(names, k.Namespace.Name+"/"+k.Pod.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// LooksUp says whether a step asks the inventory, so that it must be there.
func LooksUp(s schemas.Step) bool {
	// A text that only speaks of it costs a moment's wait at a start, no more.
	return strings.Contains(s.Target, "inventory.") || strings.Contains(s.When, "inventory.")
}

var errNoInventory = errors.New("the inventory is not at hand")

// lookups is a question as the expressions see it that ask the inventory.
type lookups question

// Look answers, and notes the answer for the record.
func (l *lookups) Look(kind, name string) ([]map[string]any, error) {
	if l.Inventory == nil {
		return nil, errNoInventory
	}
	items := l.Inventory.Look(kind, name)
	if l.answer == nil {
		l.answer = &schemas.Answer{}
	}
	a, call := l.answer, fmt.Sprintf("%ss(%s)", kind, name)
	if !slices.Contains(a.Asked, call) {
		a.Asked = append(a.Asked, call)
		if len(items) == 0 {
			a.Missing = append(a.Missing, call)
		}
	}
	if oldest := asOf(items); !oldest.IsZero() && (a.AsOf.IsZero() || oldest.Before(a.AsOf)) {
		a.AsOf = oldest
	}
	out := make([]map[string]any, 0, len(items))
	for _, it := range items {
		entity, err := plain(it.Entities)
		if err != nil {
			return nil, err
		}
		entity[idName(kind)] = it.ID
		out = append(out, entity)
		l.found = append(l.found, it.Entities)
		if !slices.Contains(a.Found, it.ID) {
			a.Found = append(a.Found, it.ID)
		}
	}
	return out, nil
}

// idName is how an expression's entity of a kind tells its identity.
func idName(kind string) string {
	if kind == kindPod {
		return "uid"
	}
	return "id"
}
