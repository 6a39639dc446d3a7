package guardrail

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"firebreak/schemas"
)

// Guardrail decides locally. Safe for concurrent use.
type Guardrail struct {
	file      File
	perMinute int

	mu   sync.Mutex
	used []time.Time // of the last minute, oldest first
}

// Refusal says why something is not done here.
type Refusal struct {
	Cause  string // protected | guard | budget, as in schemas.Outcome
	Reason string
	Remedy string
}

// Error makes a refusal an error.
func (r *Refusal) Error() string { return r.Reason }

// Causes of a refusal.
const (
	CauseProtected = "protected"
	CauseGuard     = "guard"
	CauseBudget    = "budget"
)

// platform are the parts that containment itself, or the node, stands on, by
// the name of a container or the last part of its image's name.
//
// A tenant of a cluster could borrow these names to be left alone. Therefore
// they count only outside Kubernetes, and in Kubernetes only in the platform's
// namespaces, where a tenant cannot create anything.
func platform() []string {
	return []string{
		"firebreak", "firebreak-bus", "firebreak-collector", "firebreak-correlator", "firebreak-responder", "firebreak-console",
		"nats", "nats-server", "containerd", "kubelet",
	}
}

func platformNamespaces() []string { return []string{"kube-system", "firebreak", "firebreak-system"} }

// platformProcesses are executables of the host; a process in a container is
// never one of them, whatever its path.
func platformProcesses() []string {
	var out []string
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/opt/firebreak/bin/"} {
		for _, name := range []string{"firebreak", "nats-server", "containerd", "containerd-shim*", "kubelet"} {
			out = append(out, dir+name)
		}
	}
	return out
}

// Default protects Firebreak itself, NATS, containerd and the kubelet.
func Default() *Guardrail { return New(File{}) }

// New makes a guardrail of what a file says, beside the defaults.
func New(f File) *Guardrail {
	g := &Guardrail{file: f, perMinute: DefaultPerMinute}
	if f.Actions.PerMinute != nil {
		g.perMinute = *f.Actions.PerMinute
	}
	return g
}

// Protect adds the ids of containers that must not be touched: the one this
// process runs in. To be called before the guardrail is used.
func (g *Guardrail) Protect(containers ...string) *Guardrail {
	for _, id := range containers {
		if id != "" {
			g.file.Protect.Containers = append(g.file.Protect.Containers, id)
		}
	}
	return g
}

// Check says whether an action may touch the targets; nil when it may. The
// executor asks twice: about the target as it was requested, and about what the
// action itself found there (the plan's members), since a request can lie.
func (g *Guardrail) Check(action string, targets ...schemas.Target) *Refusal {
	if allow := g.file.Actions.Allow; len(allow) > 0 && !matches(allow, action) {
		return &Refusal{
			Cause:  CauseGuard,
			Reason: fmt.Sprintf("action %s is not allowed on this node by its guardrail file", action),
			Remedy: "add it to actions.allow in the guardrail file of the node, and restart the responder",
		}
	}
	for _, t := range targets {
		if why := g.protects(t); why != "" {
			return &Refusal{
				Cause:  CauseProtected,
				Reason: fmt.Sprintf("%s %s is protected on this node: %s", t.Kind, t.ID, why),
				Remedy: "look at it by hand; what is protected is never touched automatically",
			}
		}
	}
	return nil
}

// Room says whether another action may be applied in this minute; nil when it may.
func (g *Guardrail) Room(now time.Time) *Refusal { return g.count(now, 0) }

// Take counts one action; a refusal when the minute is used up.
func (g *Guardrail) Take(now time.Time) *Refusal { return g.count(now, 1) }

func (g *Guardrail) count(now time.Time, n int) *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	cut := now.Add(-time.Minute)
	old := 0
	for old < len(g.used) && !g.used[old].After(cut) {
		old++
	}
	g.used = g.used[old:]
	if len(g.used) >= g.perMinute {
		return &Refusal{
			Cause:  CauseBudget,
			Reason: fmt.Sprintf("this node has applied %d actions in the last minute, and its guardrail's limit is %d", len(g.used), g.perMinute),
			Remedy: "look whether something runs wild; raise actions.perMinute in the guardrail file of the node if this is right",
		}
	}
	for range n {
		g.used = append(g.used, now)
	}
	return nil
}

func (g *Guardrail) protects(t schemas.Target) string {
	p := g.file.Protect
	ns := namespace(t)
	if ns != "" && (matches(p.Namespaces, ns) || slices.Contains(platformNamespaces(), ns)) {
		return fmt.Sprintf("namespace %q", ns)
	}
	if c := t.Container; c != nil {
		names := []string{c.ID, c.Name, t.Name}
		if t.K8s != nil && t.K8s.Container != nil {
			names = append(names, t.K8s.Container.Name)
		}
		if t.Kind == "container" {
			names = append(names, t.ID)
		}
		for _, n := range names {
			if n != "" && (matches(p.Containers, n) || !inPod(t) && matches(platform(), n)) {
				return fmt.Sprintf("container %q", n)
			}
		}
		if why := g.image(t); why != "" {
			return why
		}
	} else if t.ID != "" && matches(p.Containers, t.ID) {
		return fmt.Sprintf("%s %q", t.Kind, t.ID)
	}
	for _, l := range p.Labels {
		if labelled(t, l) {
			return strings.TrimSuffix("label "+l.Key+"="+l.Value, "=")
		}
	}
	if t.Container == nil && t.Process != nil && t.Process.Executable != nil {
		exe := t.Process.Executable.Path
		if exe != "" && (matches(p.Processes, exe) || matches(platformProcesses(), exe)) {
			return fmt.Sprintf("process %q of the host", exe)
		}
	}
	return ""
}

func (g *Guardrail) image(t schemas.Target) string {
	if t.Container.Image == nil || t.Container.Image.Name == "" {
		return ""
	}
	name := t.Container.Image.Name
	if matches(g.file.Protect.Images, name) || !inPod(t) && matches(platform(), path.Base(name)) {
		return fmt.Sprintf("image %q", name)
	}
	return ""
}

// inPod: a target in Kubernetes gets no protection by a borrowed name; that of
// the platform's own namespaces was found before.
func inPod(t schemas.Target) bool {
	if t.K8s != nil {
		return true
	}
	return t.Container != nil && t.Container.Namespace == "k8s.io"
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
		return err == nil && ok // patterns were checked when they were read
	})
}
