package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/incident"
)

// item is a container of the pod web-<pod> on a node.
func item(id, pod, digest, node string, age time.Duration) schemas.Item {
	it := schemas.Item{Kind: kindContainer, ID: id, Owner: "node-" + node, AsOf: epoch.Add(-age)}
	it.Host = &schemas.Host{Name: node}
	it.Container = &schemas.Container{ID: id, Image: &schemas.ContainerImage{Digest: digest}}
	if pod != "" {
		it.K8s = &schemas.K8s{Namespace: &schemas.Namespace{Name: "shop"}, Pod: &schemas.Pod{UID: pod, Name: "web-" + pod}}
	}
	return it
}

func stocked() *Inventory {
	v := NewInventory()
	v.Put(item("c1", "u1", "sha256:bad", "n1", time.Minute))
	v.Put(item("c2", "u2", "sha256:bad", "n2", 2*time.Minute))
	v.Put(item("c3", "u2", "sha256:good", "n2", 0))
	v.Put(item("c4", "", "sha256:bad", "n1", 0))
	v.Put(item("c5", "", "sha256:old", "n1", 0))
	v.Put(item("c5", "", "sha256:new", "n1", 0)) // it changed
	v.Put(item("c6", "", "sha256:bad", "n1", 0))
	v.Delete(kindContainer, "c6", "node-n1")
	v.Delete(kindContainer, "c1", "node-n9") // not its owner
	return v
}

func TestLook(t *testing.T) {
	for name, tc := range map[string]struct{ kind, key, want string }{
		"containers of an image": {kindContainer, "sha256:bad", "c1 c2 c4"},
		"pods of an image":       {kindPod, "sha256:bad", "u1 u2"},
		"a container":            {kindContainer, "c3", "c3"},
		"containers of a pod":    {kindContainer, "u2", "c2 c3"},
		"by the pod's name":      {kindContainer, "shop/web-u2", "c2 c3"},
		"a pod":                  {kindPod, "u2", "u2"},
		"containers of a node":   {kindContainer, "n1", "c1 c4 c5"},
		"pods of a node":         {kindPod, "n2", "u2"},
		"what it was before":     {kindContainer, "sha256:old", ""},
		"what it is now":         {kindContainer, "sha256:new", "c5"},
		"nothing":                {kindPod, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, it := range stocked().Look(tc.kind, tc.key) {
				if it.Kind != tc.kind {
					t.Errorf("%s is a %s", it.ID, it.Kind)
				}
				got = append(got, it.ID)
			}
			if d := cmp.Diff(tc.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestStepsAskTheInventory(t *testing.T) {
	event := `{"host":{"name":"n1"},"container":{"id":"c1","image":{"digest":"sha256:bad"}},"process":{"pid":7}}`
	for name, tc := range map[string]struct {
		step   schemas.Step
		want   string
		answer *schemas.Answer
	}{
		"all containers of the image": {
			step: schemas.Step{ID: "pause", Do: "container.pause", Target: "inventory.containers(signals.start.container.image.digest)"},
			want: "requested node-n1 c1 enforce\nrequested node-n2 c2 enforce\nrequested node-n1 c4 enforce",
			answer: &schemas.Answer{
				AsOf: epoch.Add(-2 * time.Minute), Asked: []string{"containers(sha256:bad)"}, Found: []string{"c1", "c2", "c4"},
			},
		},
		"pods": {
			step: schemas.Step{ID: "fence", Do: "pod.quarantine", Target: `inventory.pods("n2")`},
			want: "requested node-n2 u2 enforce",
			answer: &schemas.Answer{
				AsOf: epoch, Asked: []string{"pods(n2)"}, Found: []string{"u2"},
			},
		},
		"some of them": {
			step: schemas.Step{ID: "pause", Do: "container.pause", Target: `inventory.containers("sha256:bad").filter(c, c.host.name == "n2")`},
			want: "requested node-n2 c2 enforce",
			answer: &schemas.Answer{
				AsOf: epoch.Add(-2 * time.Minute), Asked: []string{"containers(sha256:bad)"}, Found: []string{"c1", "c2", "c4"},
			},
		},
		"none": {
			step:   schemas.Step{ID: "pause", Do: "container.pause", Target: `inventory.containers("sha256:none")`},
			want:   "skipped core - target",
			answer: &schemas.Answer{Asked: []string{"containers(sha256:none)"}, Missing: []string{"containers(sha256:none)"}},
		},
		"when": {
			step:   schemas.Step{ID: "pause", Do: "container.pause", When: `inventory.containers("sha256:none").size() > 0`},
			want:   "skipped core - condition",
			answer: &schemas.Answer{Asked: []string{"containers(sha256:none)"}, Missing: []string{"containers(sha256:none)"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if !LooksUp(tc.step) {
				t.Error("it is not seen that the step asks")
			}
			s := test{step: tc.step, data: event}.situation(t)
			s.Inventory = stocked()
			tasks := New(specs(), Protected{}).Step(s, incident.Ask{Step: tc.step})
			if d := cmp.Diff(tc.want, summary(tasks)); d != "" {
				t.Error(d)
			}
			for _, task := range tasks {
				var asked *schemas.Answer
				if task.Requested != nil {
					asked = task.Requested.Asked
				} else {
					asked = task.Outcome.Asked
				}
				if d := cmp.Diff(tc.answer, asked); d != "" {
					t.Error(d)
				}
			}
		})
	}
}
