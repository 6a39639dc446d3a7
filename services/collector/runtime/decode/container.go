package decode

import (
	"strings"

	"github.com/distribution/reference"

	"firebreak/schemas"
)

// Labels that CRI and nerdctl put on a container.
const (
	labelPodName      = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
	labelPodUID       = "io.kubernetes.pod.uid"
	labelContainer    = "io.kubernetes.container.name"
	labelKind         = "io.cri-containerd.kind"
	labelNerdctl      = "nerdctl/name"
)

// Record is a container as containerd stores it.
type Record struct {
	Namespace string
	ID        string
	Image     string // the image's name in containerd
	Digest    string // of the image's target; "" when the image is gone
	Labels    map[string]string
}

// Container gives the entities of a container, with nil for what is not Kubernetes'.
func Container(r Record) (schemas.Container, *schemas.K8s) {
	c := schemas.Container{
		ID: r.ID, Runtime: "containerd", Namespace: r.Namespace,
		Name:    first(r.Labels[labelContainer], r.Labels[labelNerdctl]),
		Image:   Image(r.Image, r.Digest),
		Labels:  r.Labels,
		Sandbox: r.Labels[labelKind] == "sandbox",
	}
	return c, kubernetes(r.Labels)
}

func kubernetes(labels map[string]string) *schemas.K8s {
	var k schemas.K8s
	if ns := labels[labelPodNamespace]; ns != "" {
		k.Namespace = &schemas.Namespace{Name: ns}
	}
	if name, uid := labels[labelPodName], labels[labelPodUID]; name != "" || uid != "" {
		k.Pod = &schemas.Pod{Name: name, UID: uid}
	}
	if name := labels[labelContainer]; name != "" {
		k.Container = &schemas.K8sContainer{Name: name}
	}
	if k == (schemas.K8s{}) {
		return nil
	}
	return &k
}

// PodLabels takes a pod's own labels out of those of its sandbox, where CRI
// puts them beside its own.
func PodLabels(sandbox map[string]string) map[string]string {
	var own map[string]string
	for k, v := range sandbox {
		if strings.HasPrefix(k, "io.kubernetes.") || strings.HasPrefix(k, "io.cri-containerd.") {
			continue
		}
		if own == nil {
			own = map[string]string{}
		}
		own[k] = v
	}
	return own
}

// Image splits an image's name. What is no reference stays whole as the name.
func Image(name, digest string) *schemas.ContainerImage {
	if name == "" && digest == "" {
		return nil
	}
	image := &schemas.ContainerImage{Name: name, Digest: digest}
	ref, err := reference.Parse(name)
	if err != nil {
		return image
	}
	if named, ok := ref.(reference.Named); ok {
		image.Name = named.Name()
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		image.Tag = tagged.Tag()
	}
	if digested, ok := ref.(reference.Digested); ok && digest == "" {
		image.Digest = digested.Digest().String()
	}
	return image
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
