package playbook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTargetOfTheWrongKind: what `target` gives is checked as far as it is known.
func TestTargetOfTheWrongKind(t *testing.T) {
	t.Parallel()
	const started = "on: {start: {type: runtime.process.started, when: has(container.id) && has(k8s.pod.uid) && has(k8s.namespace.name)}}\nthen:\n"
	pause := func(target string) string { return started + "  - do: container.pause\n    target: " + target + "\n" }
	terminate := func(target string) string {
		return started + "  - do: evidence.capture\n  - do: pod.terminate\n    irreversible: true\n    target: " + target + "\n"
	}
	const (
		lists   = " (write one list: put lists together with +)"
		written = ": it is another one after a restart (take it from the event, or look it up with inventory.containers(…))"
	)
	for _, tt := range []struct{ name, text, want string }{
		{"the block", pause(`signals.start.container`), ``},
		{"the id", pause(`signals.start.container.id`), ``},
		{"a list of blocks", pause(`'[signals.start.container, signals.start.container.id]'`), ``},
		{"looked up", pause(`inventory.containers(signals.start.container.id)`), ``},
		{"one of what was looked up", pause(`inventory.containers(signals.start.host.name)[0]`), ``},
		{"some of what was looked up", pause(`inventory.containers(signals.start.host.name).filter(c, has(c.container.name))`), ``},
		{"ids of what was looked up", pause(`inventory.pods(signals.start.host.name).map(p, p.container.id)`), ``},
		{"two look-ups", pause(`inventory.containers("a") + inventory.containers("b")`), ``},
		{"what is not known", pause(`incident.key`), ``},
		{"an empty fallback", pause(`signals.start.?container.?id.orValue("")`), ``},
		{"another lookup", pause(`inventory.pods(signals.start.k8s.pod.uid)`), `7:13: error: container.pause acts on a container, and inventory.pods gives pods (write inventory.containers(…))`},
		{"another lookup, filtered", pause(`inventory.pods("n1").filter(p, has(p.k8s.pod.name))`), `7:13: error: container.pause acts on a container, and inventory.pods gives pods (write inventory.containers(…))`},
		{"another lookup in one case", pause(`'incident.severity == "high" ? inventory.containers("n1") : inventory.pods("n1")'`), `7:73: error: container.pause acts on a container, and inventory.pods gives pods (write inventory.containers(…))`},
		{"one of another lookup", pause(`inventory.pods("n1")[0]`), `7:13: error: container.pause acts on a container, and inventory.pods gives pods (write inventory.containers(…))`},
		{"the host", pause(`signals.start.host`), `7:13: error: container.pause acts on a container, and signals.start.host is an object that names none (write signals.start.container)`},
		{"the user", pause(`signals.start.?user.value()`), `7:13: error: container.pause acts on a container, and signals.start.user is an object that names none (write signals.start.container)`},
		{"the event", pause(`signals.start`), `7:13: error: container.pause acts on a container, and signals.start is an object that names none (write signals.start.container)`},
		{"the container as Kubernetes names it", pause(`signals.start.?k8s.?container.value()`), `7:13: error: container.pause acts on a container, and signals.start.k8s.container is an object that names none (write signals.start.container)`},
		{"labels", pause(`signals.start.k8s.pod.?labels.value()`), `7:13: error: container.pause acts on a container, and signals.start.k8s.pod.labels is an object that names none (write signals.start.container)`},
		{"the pod", pause(`signals.start.k8s.pod`), `7:13: error: container.pause acts on a container, and signals.start.k8s.pod is an object that names none (write signals.start.container)`},
		{"a number", pause(`signals.start.process.pid`), `7:13: error: container.pause acts on a container, and signals.start.process.pid is a number or a truth value (write signals.start.container)`},
		{"a truth value", pause(`signals.start.host.name == "n1"`), `7:13: error: container.pause acts on a container, and this gives a number or a truth value (look it up with inventory.containers(…))`},
		{"a list in a list", pause(`'[[signals.start.container]]'`), `7:16: error: a list in a list: container.pause wants one container or a list of them` + lists},
		{"a lookup in a list", pause(`'[inventory.containers("n1")]'`), `7:15: error: a list in a list: container.pause wants one container or a list of them` + lists},
		{"a lookup for each", pause(`'["a", "b"].map(n, inventory.containers(n))'`), `7:32: error: a list in a list: container.pause wants one container or a list of them` + lists},
		{"an id written out", pause(`'"c1"'`), `7:14: warning: container "c1" is written out` + written},
		{"ids written out", pause(`'["c1", signals.start.container.id]'`), `7:15: warning: container "c1" is written out` + written},
		{"the pod for one on pods", terminate(`signals.start.k8s.pod`), ``},
		{"its uid", terminate(`signals.start.k8s.pod.uid`), ``},
		{"pods", terminate(`inventory.pods(signals.start.k8s.namespace.name)`), ``},
		{"containers", terminate(`inventory.containers(signals.start.k8s.namespace.name)`), `9:13: error: pod.terminate acts on a pod, and inventory.containers gives containers (write inventory.pods(…))`},
		{"the container for one on pods", terminate(`signals.start.container`), `9:13: error: pod.terminate acts on a pod, and signals.start.container is an object that names none (write signals.start.k8s.pod)`},
		{"an event without any", "on: {low: {type: host.login.failed}}\nthen:\n  - {do: container.pause, target: signals.low.host}\n", `6:35: error: container.pause acts on a container, and signals.low.host is an object that names none (look it up with inventory.containers(…))`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lint(head+tt.text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
