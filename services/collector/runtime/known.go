package runtime

import (
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"firebreak/schemas"
)

// State is what a container was last seen doing.
type State string

// States of a container.
const (
	Created State = "created" // known, but its first process does not run yet
	Running State = "running"
	Paused  State = "paused"
	Exited  State = "exited" // kept for a while, so that late events still find it
)

// Facts are what is known of a container as of a point in time. What its
// pointers and maps lead to is shared: read it, never write it.
type Facts struct {
	Container schemas.Container
	K8s       *schemas.K8s
	State     State
	AsOf      time.Time // when the runtime last said so
}

// Lives says whether the container has processes.
func (f Facts) Lives() bool { return f.State == Running || f.State == Paused }

// PodUID is the UID of the container's pod, or "".
func (f Facts) PodUID() string {
	if f.K8s == nil || f.K8s.Pod == nil {
		return ""
	}
	return f.K8s.Pod.UID
}

// Lookup finds the facts of a container by its id. An implementation may ask
// the runtime for a container it has not heard of yet, for a bounded time.
type Lookup interface {
	Container(id string) (schemas.Container, *schemas.K8s, bool)
}

// Known is the table of a node's containers. The zero value is not ready; use
// [NewKnown]. All methods may be called at the same time.
type Known struct {
	mu       sync.RWMutex
	byKey    map[key]Facts
	byID     map[string][]key // more than one only when two namespaces use the same id
	byCgroup map[string]key
}

type key struct{ namespace, id string }

// NewKnown makes an empty table.
func NewKnown() *Known {
	return &Known{byKey: map[key]Facts{}, byID: map[string][]key{}, byCgroup: map[string]key{}}
}

// ByID finds a container by its id. An id that two of the runtime's
// namespaces use names neither: answering with one of them could halt the
// wrong container. [Known.In] and [Known.ByCgroup] still tell them apart.
func (k *Known) ByID(id string) (Facts, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	keys := k.byID[id]
	if len(keys) != 1 {
		return Facts{}, false
	}
	f, ok := k.byKey[keys[0]]
	return f, ok
}

// In finds a container by the runtime's namespace and its id.
func (k *Known) In(namespace, id string) (Facts, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	f, ok := k.byKey[key{namespace, id}]
	return f, ok
}

// ByCgroup finds a container by its cgroup: the whole path below the
// hierarchy's root, or its last element alone, as the kernel gives it to a
// BPF program ("<id>", "cri-containerd-<id>.scope").
func (k *Known) ByCgroup(cgroup string) (Facts, bool) {
	k.mu.RLock()
	at, ok := k.byCgroup[cgroup]
	f, known := k.byKey[at]
	k.mu.RUnlock()
	if ok && known {
		return f, true
	}
	return k.ByID(IDOfCgroup(cgroup))
}

// IDOfCgroup takes the container's id from the last element of its cgroup's path.
func IDOfCgroup(cgroup string) string {
	name := path.Base(cgroup)
	if scope, ok := strings.CutSuffix(name, ".scope"); ok {
		return scope[strings.LastIndexByte(scope, '-')+1:]
	}
	return name
}

// All gives every container, exited ones too, in no order.
func (k *Known) All() []Facts {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := make([]Facts, 0, len(k.byKey))
	for _, f := range k.byKey {
		all = append(all, f)
	}
	return all
}

// Pod gives every container of a pod that has processes, its sandbox too.
func (k *Known) Pod(uid string) []Facts {
	if uid == "" {
		return nil
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	var members []Facts
	for _, f := range k.byKey {
		if f.PodUID() == uid && f.Lives() {
			members = append(members, f)
		}
	}
	return members
}

// Put enters or replaces the facts of a container.
func (k *Known) Put(f Facts) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(f)
}

func (k *Known) put(f Facts) {
	at := key{f.Container.Namespace, f.Container.ID}
	if old, ok := k.byKey[at]; ok {
		k.dropCgroup(at, old.Container.Cgroup)
	} else {
		k.byID[at.id] = append(k.byID[at.id], at)
	}
	k.byKey[at] = f
	if f.Container.Cgroup != "" && f.State != Exited {
		k.byCgroup[f.Container.Cgroup] = at
	}
}

// Delete forgets a container.
func (k *Known) Delete(namespace, id string) {
	at := key{namespace, id}
	k.mu.Lock()
	defer k.mu.Unlock()
	old, ok := k.byKey[at]
	if !ok {
		return
	}
	delete(k.byKey, at)
	k.dropCgroup(at, old.Container.Cgroup)
	k.byID[id] = slices.DeleteFunc(k.byID[id], func(other key) bool { return other == at })
	if len(k.byID[id]) == 0 {
		delete(k.byID, id)
	}
}

// dropCgroup takes a path out of the index, unless another container has it by now.
func (k *Known) dropCgroup(at key, cgroup string) {
	if k.byCgroup[cgroup] == at {
		delete(k.byCgroup, cgroup)
	}
}

// PutNew enters the facts of a container that is not in the table yet.
func (k *Known) PutNew(f Facts) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.byKey[key{f.Container.Namespace, f.Container.ID}]; !ok {
		k.put(f)
	}
}

// Named gives every container of an id: more than one when namespaces share it.
func (k *Known) Named(id string) []Facts {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []Facts
	for _, at := range k.byID[id] {
		all = append(all, k.byKey[at])
	}
	return all
}
