package runtime_test

import (
	"slices"
	"sync"
	"testing"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
)

func facts(ns, id, cgroup, pod string, state runtime.State) runtime.Facts {
	f := runtime.Facts{Container: schemas.Container{ID: id, Namespace: ns, Cgroup: cgroup}, State: state}
	if pod != "" {
		f.K8s = &schemas.K8s{Pod: &schemas.Pod{UID: pod}}
	}
	return f
}

func TestKnown(t *testing.T) {
	k := runtime.NewKnown()
	k.Put(facts("default", "web", "/default/web", "", runtime.Running))
	k.Put(facts("k8s.io", "abc", "/kubepods.slice/pod.slice/cri-containerd-abc.scope", "u", runtime.Running))
	k.Put(facts("k8s.io", "gone", "/kubepods.slice/gone", "u", runtime.Exited))
	for name, want := range map[string]string{
		"/default/web": "web", "web": "web", "cri-containerd-abc.scope": "abc", "abc": "abc", "/other/web": "web",
		"/kubepods.slice/pod.slice/cri-containerd-abc.scope": "abc", "nobody": "", "": "", "/": "",
	} {
		if f, ok := k.ByCgroup(name); f.Container.ID != want || ok != (want != "") {
			t.Errorf("cgroup %q is of %q, want %q", name, f.Container.ID, want)
		}
	}
	if pod := k.Pod("u"); len(pod) != 1 || pod[0].Container.ID != "abc" {
		t.Errorf("pod u has %v, want abc alone: the other one has ended", pod)
	}
	if pod := k.Pod(""); len(pod) > 0 {
		t.Errorf("no pod has %v", pod)
	}
}

func TestAnIDInTwoNamespacesNamesNeither(t *testing.T) {
	k := runtime.NewKnown()
	k.Put(facts("default", "web", "/default/web", "", runtime.Running))
	k.Put(facts("other", "web", "/other/web", "", runtime.Running))
	if f, ok := k.ByID("web"); ok {
		t.Errorf("web is said to be the one in %s", f.Container.Namespace)
	}
	if f, ok := k.ByCgroup("/other/web"); !ok || f.Container.Namespace != "other" {
		t.Errorf("the cgroup gives %v %+v", ok, f)
	}
	if n := len(k.Named("web")); n != 2 {
		t.Errorf("%d containers of that id, want 2", n)
	}
	k.Delete("other", "web")
	if f, ok := k.ByID("web"); !ok || f.Container.Namespace != "default" {
		t.Errorf("after the other one is gone: %v %+v", ok, f)
	}
	k.Delete("default", "web")
	if len(k.All()) > 0 || len(k.Named("web")) > 0 {
		t.Error("something is left")
	}
}

func TestPutNewChangesNothing(t *testing.T) {
	k := runtime.NewKnown()
	k.Put(facts("default", "web", "", "", runtime.Running))
	k.PutNew(facts("default", "web", "", "", runtime.Created))
	if f, _ := k.ByID("web"); f.State != runtime.Running {
		t.Errorf("state %s", f.State)
	}
	k.PutNew(facts("default", "new", "", "", runtime.Created))
	if _, ok := k.ByID("new"); !ok {
		t.Error("a new one was not entered")
	}
}

func TestKnownAtTheSameTime(t *testing.T) {
	k := runtime.NewKnown()
	var wg sync.WaitGroup
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		wg.Go(func() {
			for range 500 {
				k.Put(facts("default", id, "/default/"+id, "u", runtime.Running))
				k.ByID(id)
				k.ByCgroup("/default/" + id)
				k.Pod("u")
				k.All()
				k.Delete("default", id)
			}
			k.Put(facts("default", id, "/default/"+id, "u", runtime.Running))
		})
	}
	wg.Wait()
	var got []string
	for _, f := range k.All() {
		got = append(got, f.Container.ID)
	}
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		t.Errorf("left %v, want %v", got, ids)
	}
}
