package containerd_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/collector"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/containerd"
	"firebreak/services/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record is a bus and an inventory that remember.
type record struct {
	mu     sync.Mutex
	events []schemas.Event
	items  map[string]schemas.Item
	away   error
}

func newRecord(items ...schemas.Item) *record {
	r := &record{items: map[string]schemas.Item{}}
	for _, it := range items {
		r.items[it.Kind+"/"+it.ID] = it
	}
	return r
}

func (r *record) Publish(_ context.Context, e schemas.Event) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return uint64(len(r.events)), nil
}

func (r *record) PutItem(_ context.Context, it schemas.Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away == nil {
		r.items[it.Kind+"/"+it.ID] = it
	}
	return r.away
}

func (r *record) DeleteItem(_ context.Context, kind, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away == nil {
		delete(r.items, kind+"/"+id)
	}
	return r.away
}

func (r *record) Items(_ context.Context, kind string) (all []schemas.Item, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range r.items {
		if it.Kind == kind {
			all = append(all, it)
		}
	}
	return all, r.away
}

func (r *record) item(key string) (schemas.Item, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	it, ok := r.items[key]
	return it, ok
}

func (r *record) keys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.items))
}

// of gives the short types of the events about a container, in order.
func (r *record) of(container string) (types []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Subject == container {
			types = append(types, strings.TrimPrefix(e.ShortType(), "runtime."))
		}
	}
	return types
}

func (r *record) last(typ, subject string) (schemas.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Backward(r.events) {
		if e.Type == typ && (subject == "" || e.Subject == subject) {
			return e, true
		}
	}
	return schemas.Event{}, false
}

func source(t *testing.T, address string, r *record) *containerd.Source {
	t.Helper()
	s, err := containerd.New(containerd.Config{
		Address: address, Namespaces: []string{"default", "k8s.io"}, Node: "n", Cluster: "c", Inventory: r,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// collect runs the source in the collector until the test ends.
func collect(t *testing.T, r *record, s collector.Source, backoff time.Duration) {
	t.Helper()
	collectWithin(t, r, s, backoff, 300)
}

// collectWithin counts the source as silent after so many tenths of a second.
func collectWithin(t *testing.T, r *record, s collector.Source, backoff time.Duration, silence int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	c := collector.Config{
		Node: "n", Cluster: "c", Bus: r, Sources: []collector.Source{s}, Log: slog.New(slog.DiscardHandler),
		SpoolDir: t.TempDir(), BackoffMin: backoff, BackoffMax: backoff, Heartbeat: 100 * time.Millisecond, Silence: silence,
	}
	go func() { ended <- collector.Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("collector: %v", err)
		}
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen within 60 s: %s", what)
		}
	}
}

func start(t *testing.T, l *lab.Lab, c lab.Container) *lab.Running {
	t.Helper()
	r, err := l.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func kill(t *testing.T, r *lab.Running) {
	t.Helper()
	if err := unix.Kill(int(r.PID), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func data[T any](t *testing.T, r *record, typ, subject string) T {
	t.Helper()
	var v T
	eventually(t, typ+" of "+subject, func() bool { _, ok := r.last(typ, subject); return ok })
	e, _ := r.last(typ, subject)
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CloudEvent(); err != nil {
		t.Error(err)
	}
	return v
}

func TestTheLifeOfContainers(t *testing.T) {
	l := lab.Temp(t)
	r := newRecord(
		schemas.Item{Kind: "container", ID: "stale", Owner: "node-n"},
		schemas.Item{Kind: "pod", ID: "stale", Owner: "node-n"},
		schemas.Item{Kind: "container", ID: "of-another", Owner: "node-m"},
	)
	early := start(t, l, lab.Container{ID: "early"})
	s := source(t, l.Address(), r)
	collect(t, r, s, time.Second)
	eventually(t, "early observed", func() bool { return slices.Equal(r.of("early"), []string{"container.observed"}) })
	eventually(t, "a heartbeat", func() bool { _, ok := r.last(schemas.Heartbeat, ""); return ok })
	eventually(t, "stale items gone", func() bool {
		return slices.Equal(r.keys(), []string{"container/early", "container/of-another"})
	})

	pod := &lab.Pod{UID: "0aa-1", Name: "shop-1", Namespace: "shop"}
	start(t, l, lab.Container{ID: "sandbox", Pod: pod, Labels: map[string]string{"app": "shop", "io.cri-containerd.kind": "sandbox"}})
	web := start(t, l, lab.Container{ID: "web", Pod: pod, Labels: map[string]string{"own": "label"}})
	e := data[schemas.ContainerEvent](t, r, schemas.ContainerStarted, "web")
	checkFacts(t, l, web, e)
	checkItems(t, r, e)

	_, err := web.Spawn(t.Context(), "/bin/sleep", "1000")
	must(t, err)
	exec := data[schemas.ProcessEvent](t, r, schemas.ExecStarted, "web")
	if exec.Container.ID != "web" || exec.Process.PID == 0 || exec.K8s.Pod.UID != pod.UID {
		t.Errorf("exec %+v", exec)
	}

	in := web.In(t.Context())
	must(t, web.Task.Pause(in))
	data[schemas.ContainerEvent](t, r, schemas.ContainerPaused, "web")
	if f, _ := s.Known().ByID("web"); f.State != runtime.Paused || time.Since(f.AsOf) > time.Minute {
		t.Errorf("paused, but known as %s as of %s", f.State, f.AsOf)
	}
	must(t, web.Task.Resume(in))
	data[schemas.ContainerEvent](t, r, schemas.ContainerResumed, "web")
	kill(t, web)
	ended := data[schemas.ContainerEvent](t, r, schemas.ContainerExited, "web")
	if ended.Container.Exit == nil || ended.Container.Exit.Code != 137 {
		t.Errorf("ended with %+v, want 137", ended.Container.Exit)
	}
	want := []string{"container.started", "exec.started", "container.paused", "container.resumed", "container.exited"}
	if diff := cmp.Diff(want, r.of("web")); diff != "" {
		t.Error(diff)
	}
	eventually(t, "its item gone", func() bool { _, ok := r.item("container/web"); return !ok })
	if _, ok := r.item("pod/" + pod.UID); !ok {
		t.Error("the pod is gone from the inventory while its sandbox runs")
	}
	if f, ok := s.Known().ByID("web"); !ok || f.State != runtime.Exited {
		t.Errorf("late events would not find it: %v %s", ok, f.State)
	}
	kill(t, early)
	data[schemas.ContainerEvent](t, r, schemas.ContainerExited, "early")
}

func checkFacts(t *testing.T, l *lab.Lab, web *lab.Running, e schemas.ContainerEvent) {
	t.Helper()
	img, err := l.Client().GetImage(web.In(t.Context()), "firebreak.test/busybox:1")
	must(t, err)
	want := schemas.ContainerEvent{
		Host: &schemas.Host{Name: "n"},
		K8s: &schemas.K8s{
			Namespace: &schemas.Namespace{Name: "shop"}, Container: &schemas.K8sContainer{Name: "web"},
			Pod: &schemas.Pod{Name: "shop-1", UID: "0aa-1", Labels: map[string]string{"app": "shop"}},
		},
		Container: &schemas.Container{
			ID: "web", Name: "web", Runtime: "containerd", Namespace: "k8s.io", PID: int(web.PID),
			Cgroup: l.Cgroup() + "/kubepods/pod0aa-1/web",
			Image:  &schemas.ContainerImage{Name: "firebreak.test/busybox", Tag: "1", Digest: img.Target().Digest.String()},
			Labels: e.Container.Labels,
		},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if e.Container.Labels["own"] != "label" {
		t.Errorf("labels %v", e.Container.Labels)
	}
}

func checkItems(t *testing.T, r *record, e schemas.ContainerEvent) {
	t.Helper()
	eventually(t, "web in the inventory", func() bool { _, ok := r.item("container/web"); return ok })
	it, _ := r.item("container/web")
	if diff := cmp.Diff(schemas.Entities{Host: e.Host, K8s: e.K8s, Container: e.Container}, it.Entities); diff != "" {
		t.Error(diff)
	}
	if it.Owner != "node-n" || it.AsOf.IsZero() {
		t.Errorf("owner %q as of %s", it.Owner, it.AsOf)
	}
	pod, ok := r.item("pod/" + e.K8s.Pod.UID)
	if !ok {
		t.Fatal("the pod is not in the inventory")
	}
	if diff := cmp.Diff(schemas.Entities{Host: e.Host, K8s: &schemas.K8s{Namespace: e.K8s.Namespace, Pod: e.K8s.Pod}}, pod.Entities); diff != "" {
		t.Error(diff)
	}
}

// gated is the source, but its second run waits for the test.
type gated struct {
	*containerd.Source
	runs atomic.Int64
	gate chan struct{}
}

func (g *gated) Run(ctx context.Context, emit func(context.Context, schemas.Event) error) error {
	if g.runs.Add(1) == 2 {
		select {
		case <-g.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.Source.Run(ctx, emit)
}

// While containerd is restarted and before the source is back, one container
// ends and one starts: both are found. One that runs on is told nothing about.
func TestContainerdIsKilledAndRestarted(t *testing.T) {
	l := lab.Temp(t)
	r := newRecord()
	stays := start(t, l, lab.Container{ID: "stays"})
	ends := start(t, l, lab.Container{ID: "ends"})
	s := source(t, l.Address(), r)
	g := &gated{Source: s, gate: make(chan struct{})}
	collect(t, r, g, 20*time.Millisecond)
	eventually(t, "both observed", func() bool { return len(r.of("stays")) == 1 && len(r.of("ends")) == 1 })

	must(t, l.Restart(t.Context(), true))
	start(t, l, lab.Container{ID: "new"})
	kill(t, ends)
	lost := data[schemas.SourceEvent](t, r, schemas.SourceLost, "containerd")
	if !strings.Contains(lost.Detail, l.Address()) {
		t.Errorf("why it was lost does not name the socket: %s", lost.Detail)
	}
	close(g.gate)
	eventually(t, "new observed and ends exited", func() bool {
		return slices.Equal(r.of("new"), []string{"container.observed"}) &&
			slices.Equal(r.of("ends"), []string{"container.observed", "container.exited"})
	})
	if f, ok := s.Known().ByID("stays"); !ok || f.State != runtime.Running || f.Container.PID != int(stays.PID) {
		t.Errorf("the one that stays is known as %v %s", ok, f.State)
	}
	// The new stream works.
	kill(t, stays)
	eventually(t, "stays exited", func() bool {
		return slices.Equal(r.of("stays"), []string{"container.observed", "container.exited"})
	})
}

func TestAMissingSocketIsNamedAndWaitedFor(t *testing.T) {
	l := lab.Temp(t)
	start(t, l, lab.Container{ID: "web"})
	r := newRecord()
	address := filepath.Join(t.TempDir(), "late.sock")
	s := source(t, address, r)
	if _, _, ok := s.Container("web"); ok {
		t.Error("found without containerd")
	}
	collect(t, r, s, 20*time.Millisecond)
	lost := data[schemas.SourceEvent](t, r, schemas.SourceLost, "containerd")
	for _, part := range []string{address, "no such file", "start containerd", "runtime.containerd.address"} {
		if !strings.Contains(lost.Detail, part) {
			t.Errorf("%q does not say %q", lost.Detail, part)
		}
	}
	must(t, os.Symlink(l.Address(), address))
	eventually(t, "web observed", func() bool { return len(r.of("web")) > 0 })
	h := data[schemas.SourceEvent](t, r, schemas.Heartbeat, "containerd")
	if !strings.Contains(h.Detail, address) {
		t.Errorf("heartbeat detail %q", h.Detail)
	}
}

// A containerd that hangs breaks no stream; that nothing comes back tells it.
func TestAHungContainerdIsNoticed(t *testing.T) {
	l := lab.Temp(t)
	r := newRecord()
	collectWithin(t, r, source(t, l.Address(), r), 20*time.Millisecond, 10)
	eventually(t, "a heartbeat", func() bool { _, ok := r.last(schemas.Heartbeat, ""); return ok })
	daemon := peer(t, l.Address())
	must(t, unix.Kill(daemon, unix.SIGSTOP))
	thaw := sync.OnceValue(func() error { return unix.Kill(daemon, unix.SIGCONT) })
	defer func() { must(t, thaw()) }()
	lost := data[schemas.SourceEvent](t, r, schemas.SourceLost, "containerd")
	if !strings.Contains(lost.Detail, "nothing is heard") {
		t.Errorf("lost because of %q", lost.Detail)
	}
	must(t, thaw())
	start(t, l, lab.Container{ID: "web"})
	eventually(t, "web told", func() bool { return len(r.of("web")) > 0 })
}

// peer is the process behind a socket.
func peer(t *testing.T, address string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer func() { must(t, unix.Close(fd)) }()
	must(t, unix.Connect(fd, &unix.SockaddrUnix{Name: address}))
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	must(t, err)
	return int(cred.Pid)
}

// Containers start while the source subscribes and lists: each is told exactly
// once, as observed or as started.
func TestNoneIsMissedBetweenSubscriptionAndList(t *testing.T) {
	l := lab.Temp(t)
	start(t, l, lab.Container{ID: "first"}) // the image is there for the others
	r := newRecord()
	const n = 6
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := l.Run(t.Context(), lab.Container{ID: "c" + strconv.Itoa(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // somewhere among the starts; any place will do
	s := source(t, l.Address(), r)
	collect(t, r, s, time.Second)
	wg.Wait()
	for i := range n {
		id := "c" + strconv.Itoa(i)
		eventually(t, id+" told", func() bool { return len(r.of(id)) > 0 })
	}
	start(t, l, lab.Container{ID: "last"})
	eventually(t, "the last told", func() bool { return len(r.of("last")) > 0 })
	for i := range n {
		got := r.of("c" + strconv.Itoa(i))
		if len(got) != 1 || got[0] != "container.observed" && got[0] != "container.started" {
			t.Errorf("container %d was told as %v", i, got)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	l := lab.Temp(t)
	web := start(t, l, lab.Container{ID: "web"})
	limit := int64(16 << 20)
	must(t, web.Task.Update(web.In(t.Context()), client.WithResources(
		&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}})))
	r := newRecord()
	collect(t, r, source(t, l.Address(), r), time.Second)
	eventually(t, "web observed", func() bool { return len(r.of("web")) > 0 })
	_, err := web.Spawn(t.Context(), "/bin/tail", "/dev/zero")
	must(t, err)
	e := data[schemas.ContainerEvent](t, r, schemas.ContainerOOM, "web")
	if e.Container.Image == nil || e.Container.Cgroup == "" {
		t.Errorf("the event does not carry the container's facts: %+v", e.Container)
	}
}

func TestLookingUpWhatNoEventHasTold(t *testing.T) {
	l := lab.Temp(t)
	web := start(t, l, lab.Container{ID: "web"})
	r := newRecord()
	s := source(t, l.Address(), r)
	collect(t, r, s, time.Second)
	eventually(t, "a heartbeat", func() bool { _, ok := r.last(schemas.Heartbeat, ""); return ok })
	// As if its start were still on its way.
	s.Known().Delete("default", "web")
	c, _, ok := s.Container("web")
	if !ok || c.Image == nil || c.Image.Name != "firebreak.test/busybox" || c.Cgroup != l.Cgroup()+"/default/web" {
		t.Errorf("found %v %+v", ok, c)
	}
	for _, id := range []string{"nobody", "nobody", "", "../x", "a b"} {
		if _, _, ok := s.Container(id); ok {
			t.Errorf("%q was found", id)
		}
	}
	kill(t, web)
	eventually(t, "its end", func() bool { return slices.Contains(r.of("web"), "container.exited") })
}

func TestConfigIsChecked(t *testing.T) {
	good := containerd.Config{Address: "/x", Namespaces: []string{"default"}, Node: "n", Cluster: "c", Log: slog.New(slog.DiscardHandler)}
	for name, change := range map[string]func(*containerd.Config){
		"no address":   func(c *containerd.Config) { c.Address = "" },
		"no namespace": func(c *containerd.Config) { c.Namespaces = nil },
		"a namespace that would change the filter": func(c *containerd.Config) { c.Namespaces = []string{`a",topic~="`} },
		"no node": func(c *containerd.Config) { c.Node = "" },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			if _, err := containerd.New(c); err == nil {
				t.Error("it was taken")
			}
		})
	}
}
