package responder

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

func inSpace(namespace, id string) schemas.Target {
	return schemas.Target{Kind: "container", ID: id, Entities: schemas.Entities{Container: &schemas.Container{ID: id, Namespace: namespace}}}
}

func planOf(holder, prior string, target schemas.Target, members ...schemas.Target) schemas.Plan {
	return schemas.Plan{Action: "pause", Holder: holder, Target: target, Members: members, Prior: json.RawMessage(prior)}
}

// Two of the runtime's namespaces may use one id: what is held of the one says
// nothing of the other.
func TestHoldsAreToldApartByNamespace(t *testing.T) {
	hs := newHolds()
	a, b := inSpace("default", "web"), inSpace("k8s.io", "web")
	hs.join(planOf("i1/t", `"first"`, a, a), 1)
	other := hs.claim(planOf("i2/t", `"second"`, b, b))
	if string(other.Prior) != `"second"` || other.PriorOf != "" {
		t.Errorf("the other's container got prior %s of %q", other.Prior, other.PriorOf)
	}
	hs.join(other, 2)
	if hs.byName["i1/t"] == hs.byName["i2/t"] {
		t.Error("two containers are one hold")
	}
	// A request that does not know the namespace, of a plan that does.
	again := hs.claim(planOf("i3/t", `"third"`, schemas.Target{Kind: "container", ID: "web"}, a))
	if string(again.Prior) != `"first"` || again.PriorOf != "i1/t" {
		t.Errorf("the same container got prior %s of %q", again.Prior, again.PriorOf)
	}
}

func TestLanesAreToldApartByNamespace(t *testing.T) {
	b := newBook("node-n1", func(string) bool { return true })
	l := func(target schemas.Target) string {
		key := b.laneKey(target)
		if b.lanes[key] == nil {
			b.lanes[key] = &lane{key: key}
		}
		b.learn(b.lanes[key], nameOf(target))
		return key
	}
	podded := inSpace("k8s.io", "web")
	podded.K8s = &schemas.K8s{Pod: &schemas.Pod{UID: "u"}}
	unknown := schemas.Target{Kind: "container", ID: "web"}
	got := []string{l(inSpace("default", "web")), l(podded), l(inSpace("k8s.io", "web")), l(inSpace("default", "web"))}
	if d := cmp.Diff([]string{"container/default/web", "pod/u", "pod/u", "container/default/web"}, got); d != "" {
		t.Error(d)
	}
	// One whose namespace is not known may be any of them: never at once with it.
	if key := l(unknown); key != got[0] && key != got[1] {
		t.Errorf("a lane of its own: %s", key)
	}
	if key := l(inSpace("moby", "api")); key != "container/moby/api" {
		t.Error(key)
	}
	if key := l(schemas.Target{Kind: "container", ID: "api"}); key != "container/moby/api" {
		t.Errorf("may be the same as one in another lane: %s", key)
	}
	for _, one := range b.lanes {
		b.unlearn(one)
	}
	if len(b.alias) > 0 {
		t.Errorf("left: %v", b.alias)
	}
}
