package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"

	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/decode"
)

// callWithin bounds a single call on the way of an event.
const callWithin = 2 * time.Second

// digests asks for the digest of an image's name.
type digests func(ctx context.Context, namespace, image string) (string, error)

// digestsOf asks containerd.
func digestsOf(c *client.Client) digests {
	return func(ctx context.Context, namespace, image string) (string, error) {
		if image == "" {
			return "", nil
		}
		ctx, cancel := context.WithTimeout(namespaces.WithNamespace(ctx, namespace), callWithin)
		defer cancel()
		img, err := c.ImageService().Get(ctx, image)
		if errdefs.IsNotFound(err) { // removed or renamed; the container runs on
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("image %s: %w", image, err)
		}
		return img.Target.Digest.String(), nil
	}
}

// load asks containerd for a container's record.
func (s *Source) load(ctx context.Context, c *client.Client, namespace, id string) (runtime.Facts, error) {
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(ctx, namespace), callWithin)
	defer cancel()
	record, err := c.ContainerService().Get(ctx, id)
	if err != nil {
		return runtime.Facts{}, fmt.Errorf("container %s in %s: %w", id, namespace, err)
	}
	return s.facts(ctx, namespace, record, digestsOf(c))
}

// facts joins what containerd's record says with the image's digest and the
// labels of the pod. State and pid are the caller's to fill in.
func (s *Source) facts(ctx context.Context, namespace string, c containers.Container, digest digests) (runtime.Facts, error) {
	d, err := digest(ctx, namespace, c.Image)
	if err != nil {
		return runtime.Facts{}, err
	}
	var f runtime.Facts
	f.Container, f.K8s = decode.Container(decode.Record{
		Namespace: namespace, ID: c.ID, Image: c.Image, Digest: d, Labels: c.Labels,
	})
	f.Container.Cgroup = decode.CgroupPath(cgroupsPath(c.Spec))
	f.State = runtime.Created
	s.joinPod(&f)
	return f, nil
}

// joinPod fills in the pod's labels, which CRI puts on the sandbox alone.
func (s *Source) joinPod(f *runtime.Facts) {
	uid := f.PodUID()
	if uid == "" {
		return
	}
	if f.Container.Sandbox {
		f.K8s.Pod.Labels = decode.PodLabels(f.Container.Labels)
		return
	}
	for _, other := range s.known.Pod(uid) {
		if other.Container.Sandbox {
			f.K8s.Pod.Labels = other.K8s.Pod.Labels
			return
		}
	}
}

func cgroupsPath(spec typeurl.Any) string {
	if spec == nil {
		return ""
	}
	var s struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(spec.GetValue(), &s); err != nil {
		return ""
	}
	return s.Linux.CgroupsPath
}

// runs fills in the first process and its cgroup. What the kernel says of the
// cgroup counts before what the specification asked for, unless we look from
// inside a cgroup namespace, where paths are relative.
func runs(f runtime.Facts, pid int, state runtime.State, at time.Time) runtime.Facts {
	f.State, f.AsOf = state, at
	if f.Container.PID == pid {
		return f
	}
	f.Container.PID = pid
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil { // it has ended meanwhile
		return f
	}
	if path := decode.ParseCgroups(raw).Container(); path != "" && !strings.HasPrefix(path, "/..") {
		f.Container.Cgroup = path
	}
	return f
}
