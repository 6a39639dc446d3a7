package decode

import (
	"slices"

	"firebreak/schemas"
)

func workloadKind(group, resource string) string {
	switch group {
	case "":
		switch resource {
		case "pods":
			return "Pod"
		case "replicationcontrollers":
			return "ReplicationController"
		}
	case "apps", "extensions": // extensions: before Kubernetes 1.16
		switch resource {
		case "deployments":
			return "Deployment"
		case "daemonsets":
			return "DaemonSet"
		case "statefulsets":
			return "StatefulSet"
		case "replicasets":
			return "ReplicaSet"
		}
	case "batch":
		switch resource {
		case "jobs":
			return "Job"
		case "cronjobs":
			return "CronJob"
		}
	}
	return ""
}

// changesWorkload leaves out what acts on a pod without changing it: exec,
// binding, eviction and the like.
func (c *call) changesWorkload() bool {
	return c.plainObject() || c.audit[verb].is("deletecollection") || c.ref.subresource.is("scale")
}

func (r *reader) workload(c *call, kind, change string) error {
	uid := c.around.uid
	if kind != "Pod" {
		uid = c.uid()
	}
	w := schemas.Workload{Kind: kind, Name: c.named(), UID: clipped(uid.string())}
	if w.Name == "" {
		return nil
	}
	var podLabels map[string]string
	for _, body := range c.bodies(kind, "Scale") {
		meta := get(body, "metadata")
		addMeta(&w, meta)
		if kind == "Pod" {
			podLabels = labelsOf(get(meta, "labels"), podLabels)
		}
		spec := get(body, "spec")
		addSpec(&w, spec)
		addPodSpec(&w, podSpec(kind, spec))
	}
	w.Ephemeral = c.ref.subresource.is("ephemeralcontainers")
	k8s := c.about()
	if k8s == nil {
		k8s = &schemas.K8s{}
	}
	if w.ServiceAccount != "" {
		k8s.ServiceAccount = &schemas.ServiceAccount{Name: w.ServiceAccount}
	}
	return r.emit(c, schemas.WorkloadChanged, "workload", func(entries int) any {
		less := w
		for _, list := range []*[]string{&less.HostPaths, &less.Capabilities, &less.Images} {
			*list = cutTo(*list, entries)
		}
		if k8s.Pod != nil {
			k8s.Pod.Labels = podLabels
			if entries < len(podLabels) {
				k8s.Pod.Labels = nil
			}
		}
		return schemas.WorkloadEvent{K8s: k8s, Workload: &less, Change: change, User: c.who(), Client: c.client()}
	})
}

func addMeta(w *schemas.Workload, meta raw) {
	// The kubelet marks what mirrors a static pod.
	if get(meta, "annotations", "kubernetes.io/config.mirror").text() {
		w.Mirror = true
	}
	items(get(meta, "ownerReferences"), func(o raw) {
		if get(o, "controller").yes() {
			w.Owner = clipped(get(o, "kind").string() + "/" + get(o, "name").string())
		}
	})
}

func addSpec(w *schemas.Workload, spec raw) {
	if n, is := get(spec, "replicas").number(); is {
		w.Replicas = &n
	}
	if s := get(spec, "schedule"); w.Kind == "CronJob" && s.text() {
		w.Schedule = clipped(s.string())
	}
}

// podSpec is where a kind keeps the spec of its pods.
func podSpec(kind string, spec raw) raw {
	switch kind {
	case "Pod":
		return spec
	case "CronJob":
		return get(spec, "jobTemplate", "spec", "template", "spec")
	}
	return get(spec, "template", "spec")
}

func addPodSpec(w *schemas.Workload, spec raw) {
	each(spec, func(key []byte, v raw) {
		switch string(key) {
		case "hostNetwork":
			w.HostNetwork = w.HostNetwork || v.yes()
		case "hostPID":
			w.HostPID = w.HostPID || v.yes()
		case "hostIPC":
			w.HostIPC = w.HostIPC || v.yes()
		case "serviceAccountName":
			if !v.is("") {
				w.ServiceAccount = clipped(v.string())
			}
		case "serviceAccount": // its older name
			if w.ServiceAccount == "" {
				w.ServiceAccount = clipped(v.string())
			}
		case "automountServiceAccountToken":
			if yes := v.yes(); yes || !v.null() {
				w.Automount = &yes
			}
		case "securityContext":
			addSecurity(w, v)
		case "volumes":
			items(v, func(volume raw) {
				if path := get(volume, "hostPath", "path"); path.text() {
					w.HostPaths = with(w.HostPaths, path)
				}
			})
		case "containers", "initContainers", "ephemeralContainers":
			items(v, func(container raw) {
				if image := get(container, "image"); image.text() && !image.is("") {
					w.Images = with(w.Images, image)
				}
				addSecurity(w, get(container, "securityContext"))
			})
		}
	})
}

// addSecurity takes the security context of a pod or a container.
func addSecurity(w *schemas.Workload, v raw) {
	each(v, func(key []byte, v raw) {
		switch string(key) {
		case "privileged":
			w.Privileged = w.Privileged || v.yes()
		case "runAsUser":
			if n, is := v.number(); is && n == 0 {
				w.RunAsRoot = true
			}
		case "capabilities":
			items(get(v, "add"), func(name raw) {
				if name.text() {
					w.Capabilities = with(w.Capabilities, name)
				}
			})
		}
	})
}

// maxFacts is how many different images, paths or capabilities are told of.
const maxFacts = 1000

func with(list []string, v raw) []string {
	if s := clipped(v.string()); len(list) < maxFacts && !slices.Contains(list, s) {
		return append(list, s)
	}
	return list
}

// labelsOf adds labels to those that are there.
func labelsOf(v raw, to map[string]string) map[string]string {
	each(v, func(key []byte, value raw) {
		if !value.text() || len(to) >= maxFacts {
			return
		}
		if to == nil {
			to = map[string]string{}
		}
		to[clipped(string(key))] = clipped(value.string())
	})
	return to
}
