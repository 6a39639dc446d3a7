package guardrail_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder/guardrail"
)

func container(id string, change func(*schemas.Target)) schemas.Target {
	t := schemas.Target{Kind: "container", ID: id}
	t.Container = &schemas.Container{ID: id}
	if change != nil {
		change(&t)
	}
	return t
}

func inPod(namespace string) func(*schemas.Target) {
	return func(t *schemas.Target) {
		t.K8s = &schemas.K8s{Namespace: &schemas.Namespace{Name: namespace}, Pod: &schemas.Pod{UID: "u1"}}
	}
}

func image(name string) func(*schemas.Target) {
	return func(t *schemas.Target) { t.Container.Image = &schemas.ContainerImage{Name: name} }
}

func process(path string) func(*schemas.Target) {
	return func(t *schemas.Target) {
		t.Process = &schemas.Process{Executable: &schemas.Executable{Path: path}}
	}
}

func TestCheck(t *testing.T) {
	const file = `
protect:
  containers: ["db-*", 0123abc]
  images: ["registry.local/platform/*"]
  labels:
    - key: tier
      value: platform
    - key: untouchable
  namespaces: [payments]
  processes: ["/usr/sbin/sshd"]
actions:
  allow: ["container.*", evidence.capture]
`
	g, err := guardrail.Parse("guardrail.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	g.Protect("self42", "")
	pod := inPod("shop")
	for name, tc := range map[string]struct {
		action string
		target schemas.Target
		cause  string // "" when it may
	}{
		"anything else":          {target: container("c1", nil)},
		"action not allowed":     {action: "pod.quarantine", target: container("c1", nil), cause: "guard"},
		"other action allowed":   {action: "evidence.capture", target: container("c1", nil)},
		"name":                   {target: container("c1", func(t *schemas.Target) { t.Container.Name = "db-1" }), cause: "protected"},
		"id":                     {target: container("0123abc", nil), cause: "protected"},
		"the one we run in":      {target: container("self42", pod), cause: "protected"},
		"image":                  {target: container("c1", image("registry.local/platform/dns")), cause: "protected"},
		"image elsewhere":        {target: container("c1", image("registry.local/shop/dns"))},
		"label of the container": {target: container("c1", func(t *schemas.Target) { t.Container.Labels = map[string]string{"tier": "platform"} }), cause: "protected"},
		"other value of it":      {target: container("c1", func(t *schemas.Target) { t.Container.Labels = map[string]string{"tier": "shop"} })},
		"label with any value":   {target: container("c1", func(t *schemas.Target) { pod(t); t.K8s.Pod.Labels = map[string]string{"untouchable": ""} }), cause: "protected"},
		"label of the namespace": {target: container("c1", func(t *schemas.Target) { pod(t); t.K8s.Namespace.Labels = map[string]string{"tier": "platform"} }), cause: "protected"},
		"namespace's behind the pod's": {target: container("c1", func(t *schemas.Target) {
			pod(t)
			t.K8s.Pod.Labels, t.K8s.Namespace.Labels = map[string]string{"tier": "shop"}, map[string]string{"tier": "platform"}
		}), cause: "protected"},
		"namespace":                     {target: container("c1", inPod("payments")), cause: "protected"},
		"platform's namespace":          {target: container("c1", inPod("kube-system")), cause: "protected"},
		"NATS outside Kubernetes":       {target: container("nats", nil), cause: "protected"},
		"NATS by image":                 {target: container("c1", image("docker.io/library/nats")), cause: "protected"},
		"NATS' name borrowed in a pod":  {target: container("nats", pod)},
		"NATS' image in a pod":          {target: container("c1", func(t *schemas.Target) { pod(t); image("docker.io/library/nats")(t) })},
		"borrowed in CRI's namespace":   {target: container("nats", func(t *schemas.Target) { t.Container.Namespace = "k8s.io" })},
		"firebreak itself":              {target: container("firebreak", nil), cause: "protected"},
		"a name that only begins so":    {target: container("firebreak-demo", nil)},
		"a miner that is named kubelet": {target: container("c1", process("/usr/bin/kubelet"))},
		"the kubelet of the host":       {target: schemas.Target{Kind: "process", ID: "1", Entities: schemas.Entities{Process: &schemas.Process{Executable: &schemas.Executable{Path: "/usr/bin/kubelet"}}}}, cause: "protected"},
		"sshd of the host":              {target: schemas.Target{Kind: "process", ID: "1", Entities: schemas.Entities{Process: &schemas.Process{Executable: &schemas.Executable{Path: "/usr/sbin/sshd"}}}}, cause: "protected"},
		"a kubelet in /tmp":             {target: schemas.Target{Kind: "process", ID: "1", Entities: schemas.Entities{Process: &schemas.Process{Executable: &schemas.Executable{Path: "/tmp/kubelet"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.action == "" {
				tc.action = "container.pause"
			}
			got := g.Check(tc.action, container("harmless", nil), tc.target)
			cause := ""
			if got != nil {
				cause = got.Cause
				if got.Reason == "" || got.Remedy == "" {
					t.Errorf("says too little: %+v", got)
				}
			}
			if cause != tc.cause {
				t.Errorf("cause %q, want %q (%+v)", cause, tc.cause, got)
			}
		})
	}
}

func TestParseErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"protect:\n  container: [a]\n":                  `g.yaml:2:3: invalid: unknown key "container"; known here: containers, images`,
		"protect: [a]\n":                                "g.yaml:1:10: invalid: want a mapping",
		"protect:\n  images: a\n":                       "g.yaml:2:11: invalid: want a list",
		"protect:\n  images: [5]\n":                     "g.yaml:2:12: invalid: want text",
		"protect:\n  images: ['[']\n":                   "g.yaml:2:12: invalid",
		"protect:\n  labels: [{key: ''}]\n":             "g.yaml:2:18: invalid: a label needs a key",
		"actions:\n  perMinute: ten\n":                  "g.yaml:2:14: invalid: want a whole number",
		"actions:\n  perMinute: -1\n":                   "g.yaml:2:14: invalid: -1 is below zero",
		"actions: {}\nactions: {}\n":                    "a second time",
		"a: [\n":                                        "g.yaml: invalid",
		"protect: {}\n---\nprotect: {}\n":               "more than one document",
		"protect:\n  images: [a]\n  images: [b]\n":      "a second time",
		"actions:\n  perMinute: 99999999999999999999\n": "g.yaml",
	} {
		_, err := guardrail.Parse("g.yaml", []byte(text))
		if !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestEmptyFilesMeanTheDefaultsMissingOnesAreErrors(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "null\n", "{}\n", "protect:\nactions:\n"} {
		g, err := guardrail.Parse("g.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if g.Check("container.pause", container("firebreak", nil)) == nil {
			t.Errorf("%q: the defaults are not in force", text)
		}
	}
	if _, err := guardrail.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was named and is not there: %v", err)
	}
	if _, err := guardrail.Load(t.TempDir()); err == nil {
		t.Error("a folder was read as a guardrail")
	}
}

func TestBudget(t *testing.T) {
	two := 2
	g := guardrail.New(guardrail.File{Actions: guardrail.Actions{PerMinute: &two}})
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		after time.Duration
		take  bool
	}{{0, true}, {time.Second, true}, {2 * time.Second, false}, {59 * time.Second, false}, {60 * time.Second, true}, {60500 * time.Millisecond, false}, {61 * time.Second, true}} {
		room, took := g.Room(start.Add(tc.after)), g.Take(start.Add(tc.after))
		if (took == nil) != tc.take || (room == nil) != tc.take {
			t.Errorf("after %s: room %v, took %v, want %v", tc.after, room, took, tc.take)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("protect:\n  containers: [a]\nactions: {allow: ['*'], perMinute: 3}\n"))
	f.Add([]byte("protect: &a\n  labels: [{key: a}]\nactions: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := guardrail.Parse("g.yaml", data)
		if (g == nil) == (err == nil) {
			t.Fatalf("guardrail %v and error %v", g, err)
		}
	})
}
