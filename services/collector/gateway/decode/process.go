package decode

import (
	"strconv"
	"strings"

	"firebreak/schemas"
)

// process is a process as Tetragon describes it.
type process struct {
	ExecID    string  `json:"exec_id"`
	PID       *uint32 `json:"pid"`
	UID       *uint32 `json:"uid"`
	Binary    string  `json:"binary"`
	Arguments string  `json:"arguments"`
	Flags     string  `json:"flags"`
	Docker    string  `json:"docker"` // the container's id, cut
	Pod       *pod    `json:"pod"`
	Account   struct {
		Name string `json:"name"`
	} `json:"user"`
}

// pod is where a process runs.
type pod struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Labels    map[string]string `json:"pod_labels"`
	Container *struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Image struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"image"`
	} `json:"container"`
}

func (p *process) process(parent *process) *schemas.Process {
	if p.PID == nil {
		return nil
	}
	args, cut := p.args()
	out := &schemas.Process{
		PID: int(*p.PID), Executable: executable(p.Binary, ""), CommandArgs: args, CommandArgsCut: cut,
	}
	if parent != nil && parent.PID != nil {
		out.Parent = &schemas.Parent{PID: int(*parent.PID), Executable: executable(parent.Binary, "")}
	}
	return out
}

// args makes a list of Tetragon's one string. It puts quotes around arguments
// that have spaces in them but leaves quotes inside arguments as they are, so a
// string with quotes, or with spaces that say nothing, is not taken apart: the
// list then holds the program alone and counts as cut. The string itself is in
// tetragon.event.process.arguments.
func (p *process) args() (args []string, cut bool) {
	if p.Binary == "" {
		return nil, p.Arguments != ""
	}
	cut = strings.Contains(p.Flags, "truncArgs") || strings.Contains(p.Flags, "errorArgs")
	if p.Arguments == "" {
		return []string{p.Binary}, cut
	}
	parts := strings.Split(p.Arguments, " ")
	for _, part := range parts {
		if part == "" || strings.ContainsAny(part, `"'`) {
			return []string{p.Binary}, true
		}
	}
	return append([]string{p.Binary}, parts...), cut
}

// container is nil outside containers. Of a container that Kubernetes does not
// know, Tetragon has the beginning of the id.
func (p *process) container() *schemas.Container {
	if p.Pod == nil || p.Pod.Container == nil || p.Pod.Container.ID == "" {
		if p.Docker == "" {
			return nil
		}
		return &schemas.Container{ID: p.Docker}
	}
	c := p.Pod.Container
	runtime, id := scheme(c.ID)
	out := &schemas.Container{ID: id, Runtime: runtime, Name: c.Name, Image: containerImage(c.Image.Name)}
	// The id is name@digest where the runtime knows one; else it names the
	// image's configuration, which no registry knows.
	if _, name := scheme(c.Image.ID); strings.Contains(name, "@") {
		digested := containerImage(name)
		if out.Image == nil {
			out.Image = digested
		}
		out.Image.Digest = digested.Digest
	}
	return out
}

func (p *process) kubernetes(cluster string) *schemas.K8s {
	if p.Pod == nil || p.Pod.Name == "" {
		return nil
	}
	k := &schemas.K8s{Pod: &schemas.Pod{Name: p.Pod.Name, UID: p.Pod.UID, Labels: p.Pod.Labels}}
	if p.Pod.Namespace != "" {
		k.Namespace = &schemas.Namespace{Name: p.Pod.Namespace}
	}
	if c := p.Pod.Container; c != nil && c.Name != "" {
		k.Container = &schemas.K8sContainer{Name: c.Name}
	}
	if cluster != "" {
		k.Cluster = &schemas.Cluster{Name: cluster}
	}
	return k
}

func (p *process) user() *schemas.User {
	u := schemas.User{Name: p.Account.Name}
	if p.UID != nil {
		u.ID = strconv.FormatUint(uint64(*p.UID), 10)
	}
	switch {
	case u.ID == "0" && u.Name == "":
		u.Name = "root" // the one number that has the same name everywhere
	case u.ID == "" && u.Name == "":
		return nil
	}
	return &u
}
