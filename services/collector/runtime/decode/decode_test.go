package decode_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	api "github.com/containerd/containerd/api/events"
	"github.com/containerd/typeurl/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/decode"
)

var (
	at    = time.Date(2025, 3, 1, 12, 0, 0, 5, time.UTC)
	ended = time.Date(2025, 3, 1, 11, 59, 59, 0, time.UTC)
)

func marshal(t testing.TB, v any) typeurl.Any {
	t.Helper()
	a, err := typeurl.MarshalAny(v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEvent(t *testing.T) {
	for _, tc := range []struct {
		name, topic string
		event       any
		want        decode.Fact
	}{
		{"create", "/tasks/create", &api.TaskCreate{ContainerID: "web", Pid: 7}, decode.Fact{Kind: decode.TaskCreated, PID: 7, At: at}},
		{"start", "/tasks/start", &api.TaskStart{ContainerID: "web", Pid: 7}, decode.Fact{Kind: decode.Started, PID: 7, At: at}},
		{
			"exit", "/tasks/exit", &api.TaskExit{ContainerID: "web", ID: "web", Pid: 7, ExitStatus: 137, ExitedAt: timestamppb.New(ended)},
			decode.Fact{Kind: decode.Exited, PID: 7, Code: 137, At: ended},
		},
		{
			"exit without a time", "/tasks/exit", &api.TaskExit{ContainerID: "web", ID: "web", Pid: 7, ExitedAt: timestamppb.New(time.Time{})},
			decode.Fact{Kind: decode.Exited, PID: 7, At: at},
		},
		{"oom", "/tasks/oom", &api.TaskOOM{ContainerID: "web"}, decode.Fact{Kind: decode.OOM, At: at}},
		{"paused", "/tasks/paused", &api.TaskPaused{ContainerID: "web"}, decode.Fact{Kind: decode.Paused, At: at}},
		{"resumed", "/tasks/resumed", &api.TaskResumed{ContainerID: "web"}, decode.Fact{Kind: decode.Resumed, At: at}},
		{
			"exec", "/tasks/exec-started", &api.TaskExecStarted{ContainerID: "web", ExecID: "e", Pid: 9},
			decode.Fact{Kind: decode.ExecStarted, Exec: "e", PID: 9, At: at},
		},
		{
			"delete", "/tasks/delete", &api.TaskDelete{ContainerID: "web", Pid: 7, ExitStatus: 1, ExitedAt: timestamppb.New(ended)},
			decode.Fact{Kind: decode.TaskDeleted, PID: 7, Code: 1, At: ended},
		},
		{"container created", "/containers/create", &api.ContainerCreate{ID: "web"}, decode.Fact{Kind: decode.ContainerCreated, At: at}},
		{"container updated", "/containers/update", &api.ContainerUpdate{ID: "web"}, decode.Fact{Kind: decode.ContainerUpdated, At: at}},
		{"container deleted", "/containers/delete", &api.ContainerDelete{ID: "web"}, decode.Fact{Kind: decode.ContainerDeleted, At: at}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := decode.Event("default", tc.topic, at, marshal(t, tc.event))
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Namespace, tc.want.Container = "default", "web"
			tc.want.ID = decode.ID("default", tc.topic, "web", tc.want.Exec, at)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEventsThatDoNotConcernUs(t *testing.T) {
	for name, tc := range map[string]struct {
		topic string
		event any
	}{
		"end of an exec":    {"/tasks/exit", &api.TaskExit{ContainerID: "web", ID: "exec", Pid: 9}},
		"delete of an exec": {"/tasks/delete", &api.TaskDelete{ContainerID: "web", ID: "exec", Pid: 9}},
		"another topic":     {"/tasks/checkpointed", &api.TaskCheckpointed{ContainerID: "web"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode.Event("default", tc.topic, at, marshal(t, tc.event))
			if err != nil || got.Kind != decode.Other {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestEventsThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		at    time.Time
		event typeurl.Any
	}{
		"another type":   {at, marshal(t, &api.TaskOOM{ContainerID: "web"})},
		"no container":   {at, marshal(t, &api.TaskStart{Pid: 1})},
		"garbage":        {at, &anypb.Any{TypeUrl: "containerd.events.TaskStart", Value: []byte("\xff\xff")}},
		"the year 20000": {time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), marshal(t, &api.TaskStart{ContainerID: "web"})},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decode.Event("default", "/tasks/start", tc.at, tc.event); err == nil {
				t.Errorf("taken: %+v", got)
			}
		})
	}
}

func TestIDsTellEventsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{
		decode.ID("a", "t", "c", "", at), decode.ID("b", "t", "c", "", at), decode.ID("a", "u", "c", "", at),
		decode.ID("a", "t", "d", "", at), decode.ID("a", "t", "c", "e", at), decode.ID("a", "t", "c", "", at.Add(1)),
	} {
		seen[id] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d ids for six events", len(seen))
	}
}

func TestContainer(t *testing.T) {
	labels := map[string]string{
		"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": "u",
		"io.kubernetes.container.name": "nginx", "io.cri-containerd.kind": "container",
	}
	c, k := decode.Container(decode.Record{Namespace: "k8s.io", ID: "abc", Image: "docker.io/library/nginx:1.25", Digest: "sha256:1", Labels: labels})
	want := schemas.Container{
		ID: "abc", Name: "nginx", Runtime: "containerd", Namespace: "k8s.io", Labels: labels,
		Image: &schemas.ContainerImage{Name: "docker.io/library/nginx", Tag: "1.25", Digest: "sha256:1"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	wantK := &schemas.K8s{
		Namespace: &schemas.Namespace{Name: "shop"}, Pod: &schemas.Pod{Name: "web-1", UID: "u"},
		Container: &schemas.K8sContainer{Name: "nginx"},
	}
	if diff := cmp.Diff(wantK, k); diff != "" {
		t.Error(diff)
	}
	c, k = decode.Container(decode.Record{Namespace: "default", ID: "plain", Labels: map[string]string{"nginx": "yes"}})
	if k != nil || c.Image != nil || c.Sandbox || c.Name != "" {
		t.Errorf("made up: %+v %+v", c, k)
	}
	if c, _ := decode.Container(decode.Record{Labels: map[string]string{"io.cri-containerd.kind": "sandbox"}}); !c.Sandbox {
		t.Error("a sandbox is not recognised")
	}
}

func TestPodLabels(t *testing.T) {
	got := decode.PodLabels(map[string]string{"app": "web", "io.kubernetes.pod.uid": "u", "io.cri-containerd.kind": "sandbox"})
	if diff := cmp.Diff(map[string]string{"app": "web"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestImage(t *testing.T) {
	const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for name, want := range map[string]schemas.ContainerImage{
		"registry.test:5000/a/b:v1":           {Name: "registry.test:5000/a/b", Tag: "v1"},
		"registry.test:5000/a/b":              {Name: "registry.test:5000/a/b"},
		"registry.test/a/b@" + sum:            {Name: "registry.test/a/b", Digest: sum},
		"registry.test/a/b:v1@" + sum:         {Name: "registry.test/a/b", Tag: "v1", Digest: sum},
		"Not A Reference: $(rm -rf /) {{.X}}": {Name: "Not A Reference: $(rm -rf /) {{.X}}"},
	} {
		if diff := cmp.Diff(&want, decode.Image(name, "")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := decode.Image("a/b@"+sum, "sha256:other"); got.Digest != "sha256:other" {
		t.Errorf("containerd's digest must count before the name's: %+v", got)
	}
}

func TestCgroups(t *testing.T) {
	for name, tc := range map[string]struct{ raw, want string }{
		"v2":              {"0::/kubepods/podu/abc\n", "/kubepods/podu/abc"},
		"v1":              {"4:memory:/default/web\n3:cpu,cpuacct:/default/web\n1:name=systemd:/x\n", "/default/web"},
		"hybrid":          {"5:freezer:/default/web\n0::/system.slice/containerd.service\n", "/default/web"},
		"colons in paths": {"0::/system.slice:cri:abc\n", "/system.slice:cri:abc"},
		"the host itself": {"4:memory:/\n0::/\n", ""},
		"nothing":         {"", ""},
		"garbage":         {"::\n:::\na:b\n\x00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decode.ParseCgroups([]byte(tc.raw)).Container(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	up := decode.ParseCgroups([]byte("4:memory:/a/b/sub\n3:pids:/a/bc\n0::/a/b\n")).Up("/a/b")
	want := decode.Cgroups{Unified: "/a/b", V1: map[string]string{"memory": "/a/b", "pids": "/a/bc"}}
	if diff := cmp.Diff(want, up); diff != "" {
		t.Error(diff)
	}
}

func TestCgroupPath(t *testing.T) {
	for spec, want := range map[string]string{
		"/kubepods/podu/abc": "/kubepods/podu/abc",
		"kubepods-burstable-podu.slice:cri-containerd:abc": "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podu.slice/cri-containerd-abc.scope",
		":docker:abc":   "/system.slice/docker-abc.scope",
		"":              "",
		"a:b":           "",
		"x.slice:nerd:": "",
	} {
		if got := decode.CgroupPath(spec); got != want {
			t.Errorf("%q: %q, want %q", spec, got, want)
		}
	}
}

func TestProc(t *testing.T) {
	if diff := cmp.Diff([]string{"sh", "-c", "", "x"}, decode.Cmdline([]byte("sh\x00-c\x00\x00x\x00"))); diff != "" {
		t.Error(diff)
	}
	if got := decode.Cmdline([]byte(strings.Repeat("a\x00", 9000))); len(got) > 64 {
		t.Errorf("%d arguments kept", len(got))
	}
	got := decode.ParseStatus([]byte("Name:\tsh\nPPid:\t12\nUid:\t1000\t1001\t1000\t1000\n"))
	if diff := cmp.Diff(decode.Status{PPID: 12, UID: "1001"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add("default", "/tasks/start", "containerd.events.TaskStart", []byte{10, 3, 'w', 'e', 'b'}, int64(5))
	f.Add("", "/tasks/exit", "containerd.events.TaskExit", []byte{}, int64(-1))
	f.Fuzz(func(t *testing.T, ns, topic, typ string, value []byte, nanos int64) {
		got, err := decode.Event(ns, topic, time.Unix(0, nanos), &anypb.Any{TypeUrl: typ, Value: value})
		if err != nil || got.Kind == decode.Other {
			return
		}
		if got.Container == "" || got.ID == "" {
			t.Errorf("a fact without container or id: %+v", got)
		}
		if _, err := got.At.MarshalJSON(); err != nil {
			t.Errorf("its time cannot be written: %v", err)
		}
	})
}

func FuzzKernelText(f *testing.F) {
	f.Add([]byte("4:memory:/a\n0::/b\n"))
	f.Add([]byte("Uid:\t1\nPPid:"))
	f.Add([]byte("a\x00\xff\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g := decode.ParseCgroups(raw)
		if p := g.Container(); p != "" && p[0] != '/' {
			t.Errorf("cgroup %q is no path", p)
		}
		g.Up(g.Container())
		decode.ParseStatus(raw)
		for _, a := range decode.Cmdline(raw) {
			if !utf8.ValidString(a) {
				t.Errorf("argument %q is no UTF-8", a)
			}
		}
		decode.CgroupPath(string(raw))
	})
}

func FuzzContainer(f *testing.F) {
	f.Add("docker.io/library/nginx:1", "sha256:1", "sandbox")
	f.Fuzz(func(t *testing.T, image, digest, kind string) {
		c, k := decode.Container(decode.Record{ID: "a", Image: image, Digest: digest, Labels: map[string]string{"io.cri-containerd.kind": kind}})
		if _, err := json.Marshal(schemas.ContainerEvent{Container: &c, K8s: k}); err != nil {
			t.Error(err)
		}
	})
}
