package main

import (
	"firebreak/services/collector/runtime"
	facts "firebreak/services/responder/action/container/runtime"
)

// memory shows the collector's table of containers to the actions, so that a
// plan need not ask containerd. The actions have the kernel bear it out.
type memory struct{ known *runtime.Known }

// Container gives the facts of a container.
func (m memory) Container(id string) (facts.Facts, bool) {
	f, ok := m.known.ByID(id)
	if !ok {
		return facts.Facts{}, false
	}
	return translate(f)
}

// Pod gives the facts of all containers of a pod.
func (m memory) Pod(uid string) []facts.Facts {
	var all []facts.Facts
	for _, f := range m.known.Pod(uid) {
		if t, ok := translate(f); ok {
			all = append(all, t)
		}
	}
	return all
}

func translate(f runtime.Facts) (facts.Facts, bool) {
	status := map[runtime.State]string{runtime.Running: facts.Running, runtime.Paused: facts.Paused, runtime.Created: facts.Created}[f.State]
	if status == "" {
		return facts.Facts{}, false
	}
	t := facts.Facts{
		ID: f.Container.ID, Namespace: f.Container.Namespace, Sandbox: f.Container.Sandbox,
		PID: f.Container.PID, Status: status, PodUID: f.PodUID(),
	}
	if f.K8s != nil {
		if f.K8s.Pod != nil {
			t.PodName = f.K8s.Pod.Name
		}
		if f.K8s.Namespace != nil {
			t.PodSpace = f.K8s.Namespace.Name
		}
		if f.K8s.Container != nil {
			t.Name = f.K8s.Container.Name
		}
	}
	return t, true
}
