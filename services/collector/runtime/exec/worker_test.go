package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/exec/decode"
)

// known is a Lookup of fixed containers; it counts what it was asked.
type known struct {
	ids   map[string]string // id → cgroup
	many  []runtime.Facts   // of ids that namespaces share
	asked []string
}

func (k *known) Named(id string) (out []runtime.Facts) {
	for _, f := range k.many {
		if f.Container.ID == id {
			out = append(out, f)
		}
	}
	return out
}

func (k *known) Container(id string) (schemas.Container, *schemas.K8s, bool) {
	k.asked = append(k.asked, id)
	path, ok := k.ids[id]
	return schemas.Container{ID: id, Name: "known", Cgroup: path}, nil, ok
}

type rig struct {
	*worker
	known  *known
	events []schemas.Event
}

func newRig(t testing.TB, host bool) *rig {
	t.Helper()
	r := &rig{known: &known{ids: map[string]string{}}}
	s, err := New(Config{
		Cluster: "c", Node: "n", Lookup: r.known, Log: slog.New(slog.DiscardHandler), Host: host, Wait: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.worker = s.worker(func(_ context.Context, e schemas.Event) error {
		r.events = append(r.events, e)
		return nil
	})
	return r
}

// look says which containers' events were emitted; "host" for none.
func (r *rig) look() (ids []string) {
	for _, e := range r.events {
		if e.Subject == "n" {
			ids = append(ids, "host")
		} else {
			ids = append(ids, e.Subject)
		}
	}
	return ids
}

func inside(v1, v2 string) decode.Exec {
	return decode.Exec{
		Time: 5, PID: 77, Path: "/bin/x", Args: []string{"x", "y"}, MountNS: containerNS, HostMount: hostNS,
		Cgroups:    decode.Cgroups{V1: v1, V2: v2},
		File:       decode.File{Magic: decode.MagicOverlay, Device: rootDevice, MountNS: containerNS, TopMount: true},
		RootDevice: rootDevice,
		Parent:     decode.Parent{PID: 3, Path: "/bin/sh", MountNS: containerNS, Cgroups: decode.Cgroups{V1: v1, V2: v2}},
	}
}

func TestIdentity(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	inner := strings.Repeat("cd", 32)
	outside := func(e decode.Exec) decode.Exec {
		e.MountNS, e.File.MountNS = hostNS, hostNS
		return e
	}
	tests := map[string]struct {
		exec decode.Exec
		ids  map[string]string
		want []string
	}{
		"version 1":                {inside("/default/one", ""), map[string]string{"one": ""}, []string{"one"}},
		"version 2":                {inside("", "/default/one"), map[string]string{"one": ""}, []string{"one"}},
		"hybrid":                   {inside("/session", "/default/one"), map[string]string{"one": ""}, []string{"one"}},
		"systemd":                  {inside("", "/k.slice/cri-containerd-"+hex+".scope"), map[string]string{hex: ""}, []string{hex}},
		"nested":                   {inside("/default/one/two/three", ""), map[string]string{"one": "", "three": ""}, []string{"one"}},
		"nested with another's id": {inside("/k/"+hex+"/"+inner, ""), map[string]string{hex: "", inner: ""}, []string{hex}},
		"node in a container":      {inside("/docker/"+hex+"/k/"+inner, ""), map[string]string{inner: ""}, []string{inner}},
		"folder named like another": {
			inside("/default/one", ""), map[string]string{"default": "/default/default", "one": "/default/one"}, []string{"one"},
		},
		"a victim's name in one's own": {
			inside("/default/one/"+hex, ""), map[string]string{"one": "/default/one", hex: "/k/" + hex}, []string{"one"},
		},
		"broken out":          {outside(inside("/default/one", "")), map[string]string{"one": ""}, []string{"one"}},
		"host":                {outside(inside("/system.slice/ssh.service", "")), nil, []string{"host"}},
		"host at the root":    {outside(inside("", "")), nil, []string{"host"}},
		"service, own mounts": {inside("/system.slice/ntp.service", ""), nil, []string{"host"}},
		"unknown, to wait":    {inside("/k/"+hex, ""), nil, nil},
		"unknown name":        {inside("/k/one", ""), nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, true)
			if test.ids != nil {
				r.known.ids = test.ids
			}
			r.handle(t.Context(), test.exec)
			if diff := cmp.Diff(test.want, r.look()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if waits := len(r.waiting) > 0; waits == (len(test.want) > 0) {
				t.Errorf("waits: %t", waits)
			}
		})
	}
}

func namesake(namespace, cgroup string, state runtime.State) runtime.Facts {
	return runtime.Facts{Container: schemas.Container{ID: "web", Namespace: namespace, Cgroup: cgroup}, State: state}
}

// TestNamesakes: namespaces of the runtime may share an id; the cgroup tells.
func TestNamesakes(t *testing.T) {
	const run, end = runtime.Running, runtime.Exited
	for name, test := range map[string]struct {
		cgroup string
		many   []runtime.Facts
		want   string // namespace; "" for lost
	}{
		"first":             {"/a/web", []runtime.Facts{namesake("a", "/a/web", run), namesake("b", "/b/web", run)}, "a"},
		"second":            {"/b/web", []runtime.Facts{namesake("a", "/a/web", run), namesake("b", "/b/web", run)}, "b"},
		"further down":      {"/b/web/own", []runtime.Facts{namesake("a", "/a/web", run), namesake("b", "/b/web", run)}, "b"},
		"one within":        {"/x/a/web", []runtime.Facts{namesake("a", "/a/web", run), namesake("b", "/x/a/web", run)}, "b"},
		"by elimination":    {"/b/web", []runtime.Facts{namesake("a", "/a/web", run), namesake("b", "", run)}, "b"},
		"one has ended":     {"/a/web", []runtime.Facts{namesake("a", "/a/web", end), namesake("b", "/a/web", run)}, "b"},
		"its last words":    {"/a/web", []runtime.Facts{namesake("a", "/a/web", end), namesake("b", "/b/web", run)}, "a"},
		"neither tells":     {"/c/web", []runtime.Facts{namesake("a", "", run), namesake("b", "s:cri:web", run)}, ""},
		"both say the same": {"/a/web", []runtime.Facts{namesake("a", "/a/web", run), namesake("b", "/a/web", run)}, ""},
	} {
		for _, own := range []bool{true, false} { // a process that has left the container's mounts, too
			t.Run(name, func(t *testing.T) {
				r := newRig(t, false)
				r.known.many = test.many
				e := inside(test.cgroup, "")
				if !own {
					e.MountNS = hostNS
				}
				const n = 3
				for range n {
					r.handle(t.Context(), e)
				}
				for i := range r.waiting {
					r.waiting[i].until = time.Now()
				}
				r.again = time.Time{}
				r.retry(t.Context())
				r.handle(t.Context(), e)
				lost, why := r.Lost()
				if test.want == "" {
					if lost != n+1 || len(r.events) > 0 || !strings.Contains(why, "share") {
						t.Errorf("lost %d (%s), emitted %v", lost, why, r.look())
					}
					return
				}
				if lost != 0 || len(r.events) != n+1 {
					t.Fatalf("lost %d, emitted %d", lost, len(r.events))
				}
				var got schemas.ProcessEvent
				if err := json.Unmarshal(r.events[0].Data, &got); err != nil || got.Container.Namespace != test.want {
					t.Errorf("in %+v, want %s; %v", got.Container, test.want, err)
				}
			})
		}
	}
}

func TestWaiting(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	r := newRig(t, false)
	r.handle(t.Context(), inside("/k/"+hex, ""))
	r.handle(t.Context(), inside("/default/one", ""))
	if r.due().IsZero() || len(r.waiting) != 2 {
		t.Fatalf("%d wait, due %s", len(r.waiting), r.due())
	}
	r.known.ids["one"] = ""
	r.again = time.Time{}
	r.retry(t.Context())
	if diff := cmp.Diff([]string{"one"}, r.look()); diff != "" {
		t.Errorf("when one is known (-want +got):\n%s", diff)
	}
	r.waiting[0].until, r.again = time.Now(), time.Time{}
	r.retry(t.Context())
	if diff := cmp.Diff([]string{"one", hex}, r.look()); diff != "" || !r.due().IsZero() {
		t.Errorf("when time is up (-want +got), due %s:\n%s", r.due(), diff)
	}
	r.handle(t.Context(), inside("/k/"+hex, "")) // is not waited for once more
	if got := r.look(); len(got) != 3 {
		t.Errorf("after that: %v", got)
	}
}

func TestWaitingIsBounded(t *testing.T) {
	r := newRig(t, false)
	for i := range maxWaiting + 5 {
		r.handle(t.Context(), inside("/k/"+fmt.Sprintf("%064x", i), ""))
	}
	if len(r.waiting) != maxWaiting || len(r.events) != 5 {
		t.Errorf("%d wait, %d were emitted", len(r.waiting), len(r.events))
	}
}

// TestFoundOnce: what was found is asked for by its own id alone, as long as it is known.
func TestFoundOnce(t *testing.T) {
	r := newRig(t, false)
	r.known.ids["one"] = ""
	e := inside("/a/one/b", "")
	r.handle(t.Context(), e)
	r.known.asked = nil
	r.handle(t.Context(), e)
	if diff := cmp.Diff([]string{"one"}, r.known.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	delete(r.known.ids, "one")
	r.handle(t.Context(), e)
	if len(r.events) != 2 || len(r.waiting) != 1 {
		t.Errorf("%d were emitted, %d wait", len(r.events), len(r.waiting))
	}
}

// TestHostIsAskedOnce: the look-up of what is no container may be slow.
func TestHostIsAskedOnce(t *testing.T) {
	r := newRig(t, false)
	e := inside("/session/7", "")
	e.MountNS = hostNS
	for range 3 {
		r.handle(t.Context(), e)
	}
	if diff := cmp.Diff([]string{"session", "7"}, r.known.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	r.known.ids["7"] = "" // and that must not hide what happens inside
	r.handle(t.Context(), inside("/session/7", ""))
	if diff := cmp.Diff([]string{"7"}, r.look()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventIsTheSame(t *testing.T) {
	r := newRig(t, false)
	r.known.ids["one"] = ""
	for range 2 {
		r.handle(t.Context(), inside("/default/one", ""))
	}
	if r.events[0].ID != r.events[1].ID || r.events[0].ID != r.boot+"-77-5" {
		t.Errorf("ids %q and %q", r.events[0].ID, r.events[1].ID)
	}
	if _, err := r.events[0].CloudEvent(); err != nil {
		t.Error(err)
	}
}

func BenchmarkEnrich(b *testing.B) {
	r := newRig(b, false)
	hex := strings.Repeat("ab", 32)
	r.known.ids[hex] = ""
	e := inside("/kubepods/burstable/pod1/"+hex, "/")
	b.ReportAllocs()
	for b.Loop() {
		r.handle(b.Context(), e)
		r.events, r.known.asked = r.events[:0], r.known.asked[:0]
	}
}
