package containerd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/decode"
)

// listWithin bounds a list: containerd asks every shim in turn.
const listWithin = 30 * time.Second

// listing is what containerd said of a namespace at a point in time.
type listing struct {
	namespace string
	at        time.Time // before the question
	tasks     map[string]*task.Process
	records   []containers.Container // of tasks; sandboxes first, since their labels are the pod's
}

// list compares the table with containerd and emits what differs. Events that
// were on their way while containerd answered are taken first, so that only
// what no event told is left.
func (x *session) list(ctx context.Context) error {
	var all []listing
	for _, ns := range x.cfg.Namespaces {
		l, err := x.question(ctx, ns)
		if err != nil {
			return fmt.Errorf("containerd at %s: list namespace %s: %w", x.cfg.Address, ns, err)
		}
		all = append(all, l)
	}
	if err := x.barrier(ctx); err != nil {
		return err
	}
	for _, l := range all {
		if err := x.compare(ctx, l); err != nil {
			return fmt.Errorf("containerd at %s: namespace %s: %w", x.cfg.Address, l.namespace, err)
		}
	}
	return nil
}

func (x *session) question(ctx context.Context, ns string) (listing, error) {
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(ctx, ns), listWithin)
	defer cancel()
	l := listing{namespace: ns, at: time.Now().UTC(), tasks: map[string]*task.Process{}}
	resp, err := x.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err := errgrpc.ToNative(err); err != nil && !errdefs.IsNotFound(err) {
		return l, err
	}
	for _, t := range resp.GetTasks() {
		l.tasks[t.GetID()] = t
	}
	l.records, err = x.client.ContainerService().List(ctx)
	if err != nil && !errdefs.IsNotFound(err) {
		return l, err
	}
	l.records = slices.DeleteFunc(l.records, func(c containers.Container) bool { return l.tasks[c.ID] == nil })
	slices.SortStableFunc(l.records, func(a, b containers.Container) int { return sandboxRank(a) - sandboxRank(b) })
	return l, nil
}

func sandboxRank(c containers.Container) int {
	if f, _ := decode.Container(decode.Record{Labels: c.Labels}); f.Sandbox {
		return 0
	}
	return 1
}

func (x *session) compare(ctx context.Context, l listing) error {
	digest := cached(digestsOf(x.client))
	for _, r := range l.records {
		if err := x.compareTask(ctx, l, r, digest); err != nil {
			return err
		}
	}
	for _, f := range x.known.All() {
		if f.Container.Namespace != l.namespace || !f.Lives() || f.AsOf.After(l.at) || l.tasks[f.Container.ID] != nil {
			continue
		}
		if err := x.exited(ctx, f, exit{at: l.at}); err != nil {
			return err
		}
	}
	return nil
}

// compareTask brings the table up to one container of the list.
func (x *session) compareTask(ctx context.Context, l listing, r containers.Container, digest digests) error {
	t := l.tasks[r.ID]
	pid, state := int(t.GetPid()), stateOf(t.GetStatus())
	old, known := x.known.In(l.namespace, r.ID)
	if known && old.AsOf.After(l.at) {
		return nil // an event knows better by now
	}
	same := known && old.Lives() && old.Container.PID == pid
	if same && state == old.State {
		old.AsOf = l.at
		x.put(old)
		return nil
	}
	if known && old.Lives() && (!same || state == runtime.Exited) {
		if err := x.exited(ctx, old, exitOf(t, same, l.at)); err != nil {
			return err
		}
	}
	if state == runtime.Exited {
		return nil
	}
	f, err := x.facts(ctx, l.namespace, r, digest)
	if err != nil {
		return err
	}
	f = runs(f, pid, state, l.at)
	x.put(f)
	switch {
	case !f.Lives():
		return nil
	case same:
		return x.emitState(ctx, f, l.at)
	}
	return x.container(ctx, schemas.ContainerObserved, f, decode.ID(l.namespace, "observed", r.ID, "", l.at), l.at)
}

// cached asks for every image once: many containers share one.
func cached(ask digests) digests {
	known := map[string]string{}
	return func(ctx context.Context, ns, image string) (string, error) {
		if d, ok := known[image]; ok {
			return d, nil
		}
		d, err := ask(ctx, ns, image)
		if err == nil {
			known[image] = d
		}
		return d, err
	}
}

// exitOf says how a container ended that the list shows stopped, or, when
// another process runs under its id by now, merely that it did.
func exitOf(t *task.Process, same bool, at time.Time) exit {
	if !same || t.GetStatus() != task.Status_STOPPED {
		return exit{at: at}
	}
	e := exit{at: at, code: t.GetExitStatus(), known: true}
	if ended := t.GetExitedAt(); ended.IsValid() && ended.AsTime().Unix() > 0 {
		e.at = ended.AsTime()
	}
	return e
}

func stateOf(s task.Status) runtime.State {
	switch s {
	case task.Status_RUNNING:
		return runtime.Running
	case task.Status_PAUSED, task.Status_PAUSING:
		return runtime.Paused
	case task.Status_STOPPED:
		return runtime.Exited
	default:
		return runtime.Created
	}
}
