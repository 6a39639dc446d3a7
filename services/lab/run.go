package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Container says what to run.
type Container struct {
	ID        string
	Namespace string   // containerd's; "" is "default", or "k8s.io" with a Pod
	Args      []string // nil: a sleep without end
	Env       []string
	Labels    map[string]string
	Pod       *Pod // the pod the container looks as if it belonged to
	HostPID   bool
	Mounts    []specs.Mount
}

// Pod is what the labels of a pod's containers say of it.
type Pod struct{ UID, Name, Namespace string }

// Running is a started container.
type Running struct {
	ID        string
	Namespace string
	PID       uint32
	Task      containerd.Task
	Container containerd.Container

	lab   *Lab
	execs atomic.Int64
}

// Labels of a pod's containers, as containerd's CRI plugin sets them.
const (
	labelKind      = "io.cri-containerd.kind"
	labelPodUID    = "io.kubernetes.pod.uid"
	labelPodName   = "io.kubernetes.pod.name"
	labelPodSpace  = "io.kubernetes.pod.namespace"
	labelContainer = "io.kubernetes.container.name"
)

// Run creates and starts a container.
func (l *Lab) Run(ctx context.Context, c Container) (*Running, error) {
	c = c.withDefaults()
	ctx = namespaces.WithNamespace(ctx, c.Namespace)
	img, err := l.imageIn(ctx)
	if err != nil {
		return nil, err
	}
	made, err := l.client.NewContainer(ctx, c.ID,
		containerd.WithImage(img),
		containerd.WithSnapshotter(l.snapshotter),
		containerd.WithNewSnapshot(c.ID, img),
		containerd.WithContainerLabels(c.Labels),
		containerd.WithRuntime("io.containerd.runc.v2", &options.Options{Root: filepath.Join(l.dir, "runc")}),
		containerd.WithNewSpec(c.spec(img, l.cgroupOf(c))...),
	)
	if err != nil {
		return nil, fmt.Errorf("lab: create container %s: %w", c.ID, err)
	}
	task, err := made.NewTask(ctx, cio.NullIO)
	if err != nil {
		return nil, fmt.Errorf("lab: create task of %s: %w", c.ID, err)
	}
	if err := task.Start(ctx); err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", c.ID, err)
	}
	return &Running{ID: c.ID, Namespace: c.Namespace, PID: task.Pid(), Task: task, Container: made, lab: l}, nil
}

func (c Container) withDefaults() Container {
	labels := map[string]string{}
	if c.Pod != nil {
		labels[labelKind] = "container"
		labels[labelPodUID] = c.Pod.UID
		labels[labelPodName] = c.Pod.Name
		labels[labelPodSpace] = c.Pod.Namespace
		labels[labelContainer] = c.ID
	}
	for k, v := range c.Labels {
		labels[k] = v
	}
	c.Labels = labels
	if c.Namespace == "" {
		c.Namespace = "default"
		if c.Pod != nil {
			c.Namespace = "k8s.io"
		}
	}
	if len(c.Args) == 0 {
		c.Args = []string{"/bin/sleep", "2147483647"}
	}
	return c
}

// cgroupOf follows the habits of containerd (/<namespace>/<id>) and of kubelet
// (/kubepods/pod<UID>/<id>), below the lab's own cgroup: two labs may use the
// same names.
func (l *Lab) cgroupOf(c Container) string {
	if c.Pod != nil {
		return l.cgroup + "/kubepods/pod" + c.Pod.UID + "/" + c.ID
	}
	return l.cgroup + "/" + c.Namespace + "/" + c.ID
}

func (c Container) spec(img containerd.Image, cgroup string) []oci.SpecOpts {
	opts := []oci.SpecOpts{
		oci.WithDefaultSpec(),
		oci.WithImageConfig(img),
		oci.WithProcessArgs(c.Args...),
		oci.WithEnv(c.Env),
		oci.WithMounts(c.Mounts),
		oci.WithHostNamespace(specs.NetworkNamespace),
		oci.WithCgroup(cgroup),
	}
	if c.HostPID {
		opts = append(opts, oci.WithHostNamespace(specs.PIDNamespace))
	}
	return opts
}

// Exec runs a program in the container, waits for it, and gives what it wrote
// to its output and then to its error output. An exit code other than 0 is an error.
func (r *Running) Exec(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer // two: they are filled at the same time
	p, exited, err := r.exec(ctx, cio.NewCreator(
		cio.WithStreams(nil, &stdout, &stderr), cio.WithFIFODir(filepath.Join(r.lab.dir, "fifo"))), args)
	if err != nil {
		return "", err
	}
	var status containerd.ExitStatus
	select {
	case status = <-exited:
	case <-ctx.Done():
		return "", fmt.Errorf("lab: exec %q in %s: %w", args, r.ID, ctx.Err())
	}
	p.IO().Wait()
	out := stdout.String() + stderr.String()
	if _, err := p.Delete(r.In(ctx)); err != nil {
		return out, fmt.Errorf("lab: exec %q in %s: %w", args, r.ID, err)
	}
	code, _, err := status.Result()
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code) //nolint:err113 // wrapped below
	}
	if err != nil {
		return out, fmt.Errorf("lab: exec %q in %s: %w: %s", args, r.ID, err, out)
	}
	return out, nil
}

// Spawn starts a program in the container and leaves it running.
func (r *Running) Spawn(ctx context.Context, args ...string) (uint32, error) {
	p, _, err := r.exec(ctx, cio.NullIO, args)
	if err != nil {
		return 0, err
	}
	return p.Pid(), nil
}

func (r *Running) exec(ctx context.Context, io cio.Creator, args []string) (containerd.Process, <-chan containerd.ExitStatus, error) {
	ctx = r.In(ctx)
	spec, err := r.Container.Spec(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("lab: spec of %s: %w", r.ID, err)
	}
	process := *spec.Process
	process.Args = args
	p, err := r.Task.Exec(ctx, fmt.Sprintf("exec-%d", r.execs.Add(1)), &process, io)
	if err != nil {
		return nil, nil, fmt.Errorf("lab: exec %q in %s: %w", args, r.ID, err)
	}
	exited, err := p.Wait(ctx)
	if err == nil {
		err = p.Start(ctx)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("lab: exec %q in %s: %w", args, r.ID, err)
	}
	return p, exited, nil
}

// Status is the task's state as containerd tells it: running, paused, stopped.
func (r *Running) Status(ctx context.Context) (containerd.ProcessStatus, error) {
	s, err := r.Task.Status(r.In(ctx))
	if err != nil {
		return "", fmt.Errorf("lab: status of %s: %w", r.ID, err)
	}
	return s.Status, nil
}

// End kills the container's processes and removes it, thawing it where needed.
func (r *Running) End(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(r.In(ctx), 30*time.Second)
	defer cancel()
	if err := killCgroup(ctx, r.lab.cgroupOfRunning(ctx, r.Container)); err != nil {
		return fmt.Errorf("lab: end %s: %w", r.ID, err)
	}
	return r.lab.remove(ctx, r.Container)
}

// Rootfs is the container's root file system as the host sees it.
func (r *Running) Rootfs() string {
	if r.lab.v2 {
		return r.rootOfThread()
	}
	return filepath.Join(r.lab.dir, "state", "io.containerd.runtime.v2.task", r.Namespace, r.ID, "rootfs")
}

// rootOfThread is for mounts in a mount namespace that the host does not see. The
// first thread may have ended before the others.
func (r *Running) rootOfThread() string {
	own := fmt.Sprintf("/proc/%d/root", r.PID)
	roots, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/root", r.PID))
	if err != nil {
		return own
	}
	for _, root := range roots {
		if _, err := os.Stat(root + "/"); err == nil {
			return root
		}
	}
	return own
}

// In gives the context the container's namespace, for calls of its Task and Container.
func (r *Running) In(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, r.Namespace)
}
