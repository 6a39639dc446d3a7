package events

import (
	"fmt"
	"time"

	"firebreak/schemas"
)

// surroundings are the container and pod that an event is about.
func (w *Workload) surroundings(namespace string) (*schemas.K8s, *schemas.Container) {
	pod := fmt.Sprintf("web-%s-%s", w.id(10), w.id(5))
	k8s := &schemas.K8s{
		Namespace: &schemas.Namespace{Name: namespace},
		Pod:       &schemas.Pod{Name: pod, UID: w.id(8) + "-0000-4000-8000-" + w.id(12)},
		Container: &schemas.K8sContainer{Name: "app"},
	}
	container := &schemas.Container{
		ID: w.id(64), Runtime: "containerd", Namespace: "k8s.io",
		Image: &schemas.ContainerImage{Name: "registry.example/shop/web", Tag: "1.25.3"},
	}
	return k8s, container
}

func (w *Workload) process(executable, namespace string) schemas.ProcessEvent {
	k8s, container := w.surroundings(namespace)
	container.Image.Digest = "sha256:" + w.id(64)
	return schemas.ProcessEvent{
		Host: &schemas.Host{Name: "n1"}, K8s: k8s, Container: container,
		Process: &schemas.Process{
			PID:         1000 + w.rnd.IntN(1<<20),
			Executable:  &schemas.Executable{Name: executable, Path: "/usr/bin/" + executable, Origin: "image"},
			CommandArgs: []string{executable, "--config", "/etc/" + executable + "/config.yaml"},
			Parent:      &schemas.Parent{PID: 1, Executable: &schemas.Executable{Name: "tini", Path: "/sbin/tini"}},
		},
		User: &schemas.User{ID: "1000"},
	}
}

func (w *Workload) call(resource, verb string) schemas.AuditEvent {
	user := fmt.Sprintf("system:serviceaccount:shop:deployer-%d", w.rnd.IntN(100))
	name := "object-" + w.id(10)
	received := time.Date(2026, 1, 1, 0, 0, 0, w.rnd.IntN(1e9), time.UTC)
	return schemas.AuditEvent{
		K8s:    &schemas.K8s{Namespace: &schemas.Namespace{Name: "shop"}},
		User:   &schemas.User{Name: user, Groups: []string{"system:serviceaccounts", "system:authenticated"}},
		Client: &schemas.Client{Address: "10.0.0.7"},
		Audit: &schemas.Audit{
			Level: "Metadata", AuditID: w.id(8) + "-0000-4000-8000-" + w.id(12), Stage: "ResponseComplete",
			RequestURI: "/api/v1/namespaces/shop/" + resource + "/" + name, Verb: verb,
			User: &schemas.AuditUser{Username: user}, SourceIPs: []string{"10.0.0.7"},
			UserAgent:      "kubectl/v1.33.1 (linux/amd64)",
			ObjectRef:      &schemas.ObjectRef{Resource: resource, Namespace: "shop", Name: name, APIVersion: "v1"},
			ResponseStatus: &schemas.ResponseStatus{Code: 200}, RequestReceivedTimestamp: &received,
		},
	}
}

func (w *Workload) alert(rule, process string) schemas.FalcoEvent {
	k8s, container := w.surroundings("shop")
	at := time.Date(2026, 1, 1, 0, 0, 0, w.rnd.IntN(1e9), time.UTC)
	return schemas.FalcoEvent{
		Host: &schemas.Host{Name: "n1"}, K8s: k8s, Container: &schemas.Container{ID: container.ID},
		Process: &schemas.ForeignProcess{PID: 1 + w.rnd.IntN(1<<20), Executable: &schemas.Executable{Name: process}},
		Falco: &schemas.Falco{
			UUID: w.id(32), Priority: "Critical", Rule: rule, Time: &at, Source: "syscall", Hostname: "n1",
			Tags: []string{"container", "mitre_execution"},
			OutputFields: map[string]any{
				"proc.name": process, "proc.cmdline": process + " -c id", "user.name": "root", "user.uid": 0,
				"container.id": container.ID[:12], "evt.time": at.UnixNano(), "fd.name": nil,
			},
		},
	}
}
