package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
)

// Facts are what is known of a container.
type Facts struct {
	ID        string
	Namespace string // containerd's
	Name      string // in its pod
	PodUID    string
	PodName   string
	PodSpace  string // the pod's namespace
	Sandbox   bool
	PID       int
	Status    string // Created, Running …; "" when it has no task
}

// Statuses of a task.
const (
	Created = "created"
	Running = "running"
	Paused  = "paused"
	Stopped = "stopped"
	Pausing = "pausing"
)

// Labels that containerd's CRI plugin puts on the containers of pods.
const (
	labelKind     = "io.cri-containerd.kind"
	labelPodUID   = "io.kubernetes.pod.uid"
	labelPodName  = "io.kubernetes.pod.name"
	labelPodSpace = "io.kubernetes.pod.namespace"
	labelName     = "io.kubernetes.container.name"
)

// Classes of errors.
var (
	ErrGone        = errors.New("containerd knows no such container or task")
	ErrUnreachable = errors.New("containerd does not answer")
	ErrAmbiguous   = errors.New("more than one of containerd's namespaces has it")
)

// Containerd is one containerd.
type Containerd struct {
	containers containers.Store
	tasks      tasks.TasksClient
	namespaces []string
}

// New makes one from a client. Containers whose namespace is not said are
// looked for in the given namespaces, in that order.
func New(client *containerd.Client, spaces ...string) *Containerd {
	return &Containerd{containers: client.ContainerService(), tasks: client.TaskService(), namespaces: spaces}
}

// Container gives the facts of a container. An empty namespace means that all
// configured ones are searched, and that it must be in one of them alone.
func (c *Containerd) Container(ctx context.Context, namespace, id string) (Facts, error) {
	if namespace != "" {
		return c.container(ctx, namespace, id)
	}
	found := make([]Facts, len(c.namespaces))
	errs := make([]error, len(c.namespaces))
	var wg sync.WaitGroup
	for i, ns := range c.namespaces {
		wg.Go(func() { found[i], errs[i] = c.container(ctx, ns, id) })
	}
	wg.Wait()
	return only(id, c.namespaces, found, errs)
}

// only gives the one container that was found. One that runs goes before others
// of its id that do not; of two that run, neither is taken for the other.
func only(id string, spaces []string, found []Facts, errs []error) (Facts, error) {
	var all, run []Facts
	for i, f := range found {
		switch {
		case errors.Is(errs[i], ErrGone):
		case errs[i] != nil:
			return Facts{}, errs[i]
		default:
			all = append(all, f)
			if f.Status != "" && f.Status != Stopped {
				run = append(run, f)
			}
		}
	}
	switch {
	case len(all) == 0:
		return Facts{}, fmt.Errorf("container %s in the namespaces %q: %w", id, spaces, ErrGone)
	case len(run) > 1:
		return Facts{}, fmt.Errorf("container %s: %w: %s and %s", id, ErrAmbiguous, run[0].Namespace, run[1].Namespace)
	case len(run) == 1:
		return run[0], nil
	default:
		return all[0], nil
	}
}

// container asks for both halves at once: each is a turn to another process.
func (c *Containerd) container(ctx context.Context, namespace, id string) (Facts, error) {
	ctx = namespaces.WithNamespace(ctx, namespace)
	var wg sync.WaitGroup
	var pid int
	var status string
	var taskErr error
	wg.Go(func() { status, pid, taskErr = c.task(ctx, id) })
	got, err := c.containers.Get(ctx, id)
	wg.Wait()
	if err != nil {
		return Facts{}, classed("look up container "+id, err)
	}
	f := facts(namespace, got)
	f.PID, f.Status = pid, status
	if errors.Is(taskErr, ErrGone) {
		taskErr = nil // a container without a task: Status "" says so
	}
	return f, taskErr
}

// Pod gives the facts of all containers of a pod, its sandbox among them.
func (c *Containerd) Pod(ctx context.Context, namespace, uid string) ([]Facts, error) {
	ctx = namespaces.WithNamespace(ctx, namespace)
	list, err := c.containers.List(ctx, `labels."`+labelPodUID+`"==`+strconv.Quote(uid))
	if err != nil {
		return nil, classed("list the containers of pod "+uid, err)
	}
	out := make([]Facts, len(list))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, one := range list {
		out[i] = facts(namespace, one)
		wg.Go(func() {
			out[i].Status, out[i].PID, errs[i] = c.task(ctx, one.ID)
			if errors.Is(errs[i], ErrGone) {
				errs[i] = nil
			}
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

func facts(namespace string, c containers.Container) Facts {
	return Facts{
		ID: c.ID, Namespace: namespace,
		Name: c.Labels[labelName], PodUID: c.Labels[labelPodUID],
		PodName: c.Labels[labelPodName], PodSpace: c.Labels[labelPodSpace],
		Sandbox: c.Labels[labelKind] == "sandbox",
	}
}

// Status asks for a task's status.
func (c *Containerd) Status(ctx context.Context, namespace, id string) (string, error) {
	s, _, err := c.task(namespaces.WithNamespace(ctx, namespace), id)
	return s, err
}

func (c *Containerd) task(ctx context.Context, id string) (status string, pid int, err error) {
	got, err := c.tasks.Get(ctx, &tasks.GetRequest{ContainerID: id})
	if err != nil {
		return "", 0, classed("look up the task of "+id, errgrpc.ToNative(err))
	}
	return statusOf(got.GetProcess().GetStatus()), int(got.GetProcess().GetPid()), nil
}

func statusOf(s task.Status) string {
	switch s {
	case task.Status_CREATED:
		return Created
	case task.Status_RUNNING:
		return Running
	case task.Status_PAUSED:
		return Paused
	case task.Status_PAUSING:
		return Pausing
	case task.Status_STOPPED:
		return Stopped
	default:
		return ""
	}
}

// Pause pauses a task. Pausing a paused one is an error, as containerd has it.
func (c *Containerd) Pause(ctx context.Context, namespace, id string) error {
	_, err := c.tasks.Pause(namespaces.WithNamespace(ctx, namespace), &tasks.PauseTaskRequest{ContainerID: id})
	return classed("pause "+id, errgrpc.ToNative(err))
}

// Resume lets a paused task run on.
func (c *Containerd) Resume(ctx context.Context, namespace, id string) error {
	_, err := c.tasks.Resume(namespaces.WithNamespace(ctx, namespace), &tasks.ResumeTaskRequest{ContainerID: id})
	return classed("resume "+id, errgrpc.ToNative(err))
}

func classed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w", what, ErrGone)
	case errdefs.IsUnavailable(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w: %w", what, ErrUnreachable, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
