package containerd

import (
	"context"
	"time"

	"github.com/containerd/errdefs"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/decode"
)

// exit is how a container ended, as far as that is known.
type exit struct {
	at    time.Time
	code  uint32
	known bool   // the code
	id    string // of the event; "" when it was found by a list
}

// handle brings the table up to a fact and emits what it means.
func (x *session) handle(ctx context.Context, f decode.Fact) error {
	switch f.Kind {
	case decode.TaskCreated:
		x.created(ctx, f)
	case decode.Started:
		return x.started(ctx, f)
	case decode.Exited:
		return x.ended(ctx, f)
	case decode.OOM:
		return x.container(ctx, schemas.ContainerOOM, x.find(ctx, f), f.ID, f.At)
	case decode.Paused:
		return x.changed(ctx, f, runtime.Paused)
	case decode.Resumed:
		return x.changed(ctx, f, runtime.Running)
	case decode.ExecStarted:
		return x.exec(ctx, f)
	case decode.ContainerUpdated:
		x.updated(ctx, f)
	case decode.TaskDeleted:
		// The end itself was told by Exited; only where that is missing, this tells it.
		if old, ok := x.known.In(f.Namespace, f.Container); ok && old.Lives() && old.Container.PID == f.PID {
			return x.exited(ctx, old, exit{at: f.At, code: f.Code, known: true, id: f.ID})
		}
	case decode.ContainerDeleted:
		x.gone(f)
	case decode.ContainerCreated, decode.Other:
	}
	return nil
}

// find gives the facts of the container, asking containerd for one that is not
// in the table. One that is gone already is known by its id alone.
func (x *session) find(ctx context.Context, f decode.Fact) runtime.Facts {
	if known, ok := x.known.In(f.Namespace, f.Container); ok {
		return known
	}
	return x.fresh(ctx, f)
}

func (x *session) fresh(ctx context.Context, f decode.Fact) runtime.Facts {
	facts, err := x.load(ctx, x.client, f.Namespace, f.Container)
	if err == nil {
		return facts
	}
	if !errdefs.IsNotFound(err) {
		x.log.Warn("a container's facts could not be read; its events carry its id alone", "container", f.Container, "error", err)
	}
	facts.Container, facts.K8s = decode.Container(decode.Record{Namespace: f.Namespace, ID: f.Container})
	facts.State = runtime.Created
	return facts
}

// created learns of a container before its process runs, so that nothing has
// to be asked when it does.
func (x *session) created(ctx context.Context, f decode.Fact) {
	if old, ok := x.known.In(f.Namespace, f.Container); ok && old.Lives() && old.Container.PID == f.PID {
		return // the list was ahead of this event
	}
	x.put(runs(x.fresh(ctx, f), f.PID, runtime.Created, f.At))
}

func (x *session) started(ctx context.Context, f decode.Fact) error {
	old, ok := x.known.In(f.Namespace, f.Container)
	if ok && old.Lives() && old.Container.PID == f.PID {
		return nil // the list was ahead of this event and told it as observed
	}
	if !ok || old.State != runtime.Created || old.Container.PID != f.PID {
		old = x.fresh(ctx, f)
	}
	now := runs(old, f.PID, runtime.Running, f.At)
	x.put(now)
	return x.container(ctx, schemas.ContainerStarted, now, f.ID, f.At)
}

func (x *session) ended(ctx context.Context, f decode.Fact) error {
	old, ok := x.known.In(f.Namespace, f.Container)
	if !ok {
		old = x.fresh(ctx, f)
		old.Container.PID = f.PID
	}
	how := exit{at: f.At, code: f.Code, known: true, id: f.ID}
	switch {
	case ok && old.State == runtime.Exited && old.Container.PID == f.PID:
		return nil // the list was ahead of this event
	case ok && old.Container.PID != f.PID:
		// An older process of a container that runs anew: told, the table stays.
		old.Container.PID = f.PID
		return x.emitExit(ctx, old, how)
	}
	return x.exited(ctx, old, how)
}

// exited notes the end in the table and tells it.
func (x *session) exited(ctx context.Context, f runtime.Facts, how exit) error {
	f.State, f.AsOf = runtime.Exited, time.Now().UTC()
	x.put(f)
	return x.emitExit(ctx, f, how)
}

func (x *session) emitExit(ctx context.Context, f runtime.Facts, how exit) error {
	if how.known {
		f.Container.Exit = &schemas.Exit{Code: how.code}
	}
	if how.id == "" {
		how.id = decode.ID(f.Container.Namespace, decode.TopicExit, f.Container.ID, "", how.at)
	}
	return x.container(ctx, schemas.ContainerExited, f, how.id, how.at)
}

// changed notes that a container was paused or runs on.
func (x *session) changed(ctx context.Context, f decode.Fact, state runtime.State) error {
	facts := x.find(ctx, f)
	if facts.State == state {
		return nil // the list was ahead of this event
	}
	if facts.Lives() { // of one that ended meanwhile it is merely told
		facts.State, facts.AsOf = state, f.At
		x.put(facts)
	}
	return x.container(ctx, typeOf(state), facts, f.ID, f.At)
}

// emitState tells a pause or its end that a list found.
func (x *session) emitState(ctx context.Context, f runtime.Facts, at time.Time) error {
	topic := decode.TopicPaused
	if f.State == runtime.Running {
		topic = decode.TopicResume
	}
	return x.container(ctx, typeOf(f.State), f, decode.ID(f.Container.Namespace, topic, f.Container.ID, "", at), at)
}

func typeOf(s runtime.State) string {
	if s == runtime.Paused {
		return schemas.ContainerPaused
	}
	return schemas.ContainerResumed
}

// updated takes over new labels.
func (x *session) updated(ctx context.Context, f decode.Fact) {
	old, ok := x.known.In(f.Namespace, f.Container)
	if !ok || old.State == runtime.Exited {
		return
	}
	fresh := x.fresh(ctx, f)
	if fresh.Container.Image == nil && fresh.Container.Labels == nil {
		return // gone meanwhile: the old facts say more
	}
	fresh.Container.PID, fresh.Container.Cgroup = old.Container.PID, old.Container.Cgroup
	fresh.State, fresh.AsOf = old.State, f.At
	x.put(fresh)
}

// gone keeps a deleted container findable for a while: events of its last
// processes may still be on their way.
func (x *session) gone(f decode.Fact) {
	if old, ok := x.known.In(f.Namespace, f.Container); ok && !old.Lives() {
		old.State, old.AsOf = runtime.Exited, time.Now().UTC()
		x.put(old)
	}
}

// sweep forgets containers that ended a while ago.
func (x *session) sweep(now time.Time) {
	for _, f := range x.known.All() {
		if f.State == runtime.Exited && now.Sub(f.AsOf) > x.cfg.Keep {
			x.known.Delete(f.Container.Namespace, f.Container.ID)
		}
	}
}

// put enters the facts and lets the inventory follow.
func (x *session) put(f runtime.Facts) {
	x.known.Put(f)
	x.items.touch(f)
}

// container emits an event about a container.
func (x *session) container(ctx context.Context, typ string, f runtime.Facts, id string, at time.Time) error {
	e, err := schemas.NewEvent(typ, x.ce, id, f.Container.ID, at, schemas.ContainerEvent{
		Host: &schemas.Host{Name: x.cfg.Node}, K8s: f.K8s, Container: &f.Container,
	})
	if err != nil {
		return err
	}
	return x.emit(ctx, e)
}
