package decide

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"firebreak/schemas"
)

// Protected is what is never touched automatically. Patterns are those of
// path.Match.
type Protected struct {
	Containers []string // ids or names of containers
	Namespaces []string // of Kubernetes
	Images     []string // names of images
	Labels     []Label
}

// Label of a pod, a namespace or a container. "" as the value means any.
type Label struct{ Key, Value string }

// platform are the parts that containment itself, or the node, stands on, by
// the name of a container or the last part of its image's name. They count
// only outside Kubernetes: a tenant of a cluster could borrow these names to be
// left alone, but cannot create anything in the platform's namespaces.
func platform() []string {
	return []string{
		"firebreak", "firebreak-bus", "firebreak-collector", "firebreak-correlator", "firebreak-responder", "firebreak-console",
		"nats", "nats-server", "containerd", "kubelet",
	}
}

// namespaces are our own. kube-system is left to the playbooks' guard.except
// and to the guardrail of the node.
func namespaces() []string { return []string{"firebreak", "firebreak-system"} }

// covers says why a target is protected; "" when it is not.
func (p Protected) covers(t schemas.Target) string {
	if t.Kind == kindIncident {
		return ""
	}
	if ns := namespace(t); ns != "" && (slices.Contains(namespaces(), ns) || matches(p.Namespaces, ns)) {
		return fmt.Sprintf("namespace %q", ns)
	}
	for _, name := range names(t) {
		if matches(p.Containers, name) || !inCluster(t) && matches(platform(), name) {
			return fmt.Sprintf("container %q", name)
		}
	}
	if t.Container != nil && t.Container.Image != nil && t.Container.Image.Name != "" {
		image := t.Container.Image.Name
		if matches(p.Images, image) || !inCluster(t) && matches(platform(), path.Base(image)) {
			return fmt.Sprintf("image %q", image)
		}
	}
	for _, l := range p.Labels {
		if labelled(t, l) {
			return strings.TrimSuffix("label "+l.Key+"="+l.Value, "=")
		}
	}
	return ""
}

func names(t schemas.Target) []string {
	all := []string{t.Name}
	if t.Kind == kindContainer {
		all = append(all, t.ID)
	}
	if t.Container != nil {
		all = append(all, t.Container.ID, t.Container.Name)
	}
	if t.K8s != nil && t.K8s.Container != nil {
		all = append(all, t.K8s.Container.Name)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func inCluster(t schemas.Target) bool {
	return t.K8s != nil || t.Container != nil && t.Container.Namespace == "k8s.io"
}

func namespace(t schemas.Target) string {
	if t.K8s == nil || t.K8s.Namespace == nil {
		return ""
	}
	return t.K8s.Namespace.Name
}

// labelled says whether the pod, its namespace or the container carries the
// label. Each is asked: a pod must not hide its namespace's label behind one of
// its own.
func labelled(t schemas.Target, want Label) bool {
	var sets []map[string]string
	if t.K8s != nil && t.K8s.Pod != nil {
		sets = append(sets, t.K8s.Pod.Labels)
	}
	if t.K8s != nil && t.K8s.Namespace != nil {
		sets = append(sets, t.K8s.Namespace.Labels)
	}
	if t.Container != nil {
		sets = append(sets, t.Container.Labels)
	}
	return slices.ContainsFunc(sets, func(set map[string]string) bool {
		v, has := set[want.Key]
		return has && (want.Value == "" || want.Value == v)
	})
}

func matches(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, s)
		return ok || err != nil && p == s // a broken pattern still protects what it names
	})
}
