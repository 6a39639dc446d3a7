package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// version of the form of Plan.Prior.
const version = 1

// state is the form of Plan.Prior.
type state struct {
	halt.Place

	Namespace string      `json:"namespace"` // containerd's
	Name      string      `json:"name,omitempty"`
	PodUID    string      `json:"pod,omitempty"`
	Sandbox   bool        `json:"sandbox,omitempty"`
	Before    halt.Before `json:"before"`
}

// Plan finds the container by its id and notes whether it is paused.
func (c *Capture) Plan(ctx context.Context, t schemas.Target, with json.RawMessage) (schemas.Plan, error) {
	limit, err := limitOf(with)
	if err != nil {
		return schemas.Plan{}, err
	}
	if t.Kind != "container" || t.ID == "" {
		return schemas.Plan{}, fmt.Errorf("%s: target %s %q: %w: want a container's id", Name, t.Kind, t.ID, responder.ErrRefused)
	}
	namespace := ""
	if t.Container != nil {
		namespace = t.Container.Namespace
	}
	f, err := c.runtime.Container(ctx, namespace, t.ID)
	if err != nil {
		return schemas.Plan{}, runtimeError(t.ID, err)
	}
	if f.PID <= 0 || f.Status == "" || f.Status == runtime.Stopped {
		return schemas.Plan{}, fmt.Errorf("%s: container %s: %w: it has ended", Name, t.ID, responder.ErrGone)
	}
	at, err := c.host.Locate(f.PID, f.ID)
	if err != nil {
		return schemas.Plan{}, kernelError(t.ID, err)
	}
	s := state{Place: at, Namespace: f.Namespace, Name: f.Name, PodUID: f.PodUID, Sandbox: f.Sandbox, Before: halt.Before{Status: f.Status}}
	if was, ours := c.host.Own(at).Mark(halt.MarkCapture); ours {
		s.Before = was // an interrupted capture of ours is no prior state
	}
	prior, err := json.Marshal(s)
	if err != nil {
		return schemas.Plan{}, fmt.Errorf("%s: %w", Name, err)
	}
	return schemas.Plan{Version: version, Action: Name, Target: t, With: with, Prior: prior, Will: c.will(s, limit)}, nil
}

// will says to people what is going to happen.
func (c *Capture) will(s state, limit int64) []string {
	first := fmt.Sprintf("Pauses %s through containerd while it is read, and lets it run on afterwards.", s.label())
	if s.Before.Status == runtime.Paused {
		first = fmt.Sprintf("Reads %s, which is paused and stays so.", s.label())
	} else if why := c.spared(s); why != "" {
		first = fmt.Sprintf("Reads %s while it runs: %s.", s.label(), why)
	}
	return []string{
		first,
		"Reads of each of its processes: program, arguments, working directory, user, open files, mapped programs, and the names, never the values, of its environment variables.",
		"Reads the sockets of its network namespaces.",
		fmt.Sprintf("Lists every file that differs from its image, and keeps up to %d MiB of them (%d MiB of each), with the programs that run and have no file any more.", limit/mib, fileMost/mib),
		"Stores it all as evidence, by digest. Other containers of its pod are not read.",
	}
}

// spared is the reason why a container must not be paused, or "".
func (c *Capture) spared(s state) string {
	if s.Sandbox {
		return "it is a pod's sandbox, whose state kubelet looks at"
	}
	pids, err := c.procs(s)
	if err != nil {
		return "" // it is asked again when it is paused
	}
	return c.guard.Find(s.PID, pids)
}

// procs lists the container's processes, in whichever of its cgroups they are.
func (c *Capture) procs(s state) ([]int, error) {
	var pids []int
	for _, g := range c.cgroups(s) {
		more, err := g.Procs()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Place, err)
		}
		pids = append(pids, more...)
	}
	if len(pids) == 0 && s.Alive() {
		pids = append(pids, s.PID)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// cgroups are those that hold this container's processes and no others.
func (c *Capture) cgroups(s state) []halt.Cgroup {
	return []halt.Cgroup{c.host.Own(s.Place), c.host.Side(s.Place)}
}

// there says whether there is anything left to read.
func (c *Capture) there(s state) bool {
	if s.Alive() {
		return true
	}
	pids, err := c.procs(s)
	return err == nil && len(pids) > 0
}

func stateOf(p schemas.Plan) (state, error) {
	var s state
	if err := json.Unmarshal(p.Prior, &s); err != nil {
		return s, fmt.Errorf("%s: the plan's prior state: %w: %w", Name, responder.ErrPermanent, err)
	}
	return s, nil
}

// label names the container for people.
func (s state) label() string {
	if s.Name != "" && s.Name != s.ID {
		return fmt.Sprintf("container %q (%s)", s.Name, s.ID)
	}
	return "container " + s.ID
}

// runtimeError gives containerd's error its class.
func runtimeError(id string, err error) error {
	class := responder.ErrTransient
	switch {
	case errors.Is(err, runtime.ErrGone):
		class = responder.ErrGone
	case errors.Is(err, runtime.ErrAmbiguous):
		class = responder.ErrRefused
	}
	err = fmt.Errorf("%s: container %s: %w: %w", Name, id, class, err)
	if errors.Is(err, runtime.ErrUnreachable) {
		return responder.WithRemedy(err, "look whether containerd runs and its socket can be reached")
	}
	return err
}

// kernelError gives an error of the kernel's files its class.
func kernelError(id string, err error) error {
	class := responder.ErrTransient
	if errors.Is(err, halt.ErrGone) {
		class = responder.ErrGone
	}
	return fmt.Errorf("%s: container %s: %w: %w", Name, id, class, err)
}
