package container

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder/action/container/halt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting is a workload that shows whether it runs, and forks all the time.
var counting = []string{"/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /count; /bin/true; done"}

const podUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

func newPause(t testing.TB, l *lab.Lab, host *halt.Host) *Pause {
	t.Helper()
	p, err := New(Config{Client: l.Client(), Host: host})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hosts are ways of halting that this host can show: all it has, and what a
// host with v1 alone has.
func hosts(t testing.TB) map[string]halt.Host {
	t.Helper()
	all, err := halt.Find()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]halt.Host{"as it is": all}
	if all.V1 != "" && all.V2 != "" {
		out["v1 alone"] = halt.Host{V1: all.V1}
	}
	return out
}

func run(t testing.TB, l *lab.Lab, c lab.Container) *lab.Running {
	t.Helper()
	r, err := l.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// site is a lab with a way of halting that can be shown on it.
type site struct {
	lab  *lab.Lab
	host halt.Host
	tag  string // for names that no other site uses
	uid  string // of a pod
}

// sites adds to hosts a lab whose runtime sees cgroup v2 alone.
func sites(t *testing.T) map[string]site {
	t.Helper()
	l := lab.Temp(t)
	out := map[string]site{}
	for name, h := range hosts(t) {
		out[name] = newSite(l, h, name)
	}
	if h := out["as it is"].host; h.V1 != "" && h.V2 != "" {
		out["v2 alone"] = newSite(lab.TempV2(t), halt.Host{V2: h.V2}, "v2 alone")
	}
	return out
}

func newSite(l *lab.Lab, h halt.Host, name string) site {
	tag := strings.ReplaceAll(name, " ", "-")
	return site{l, h, tag, podUID + "-" + tag}
}

// runPod runs a sandbox and two containers that count.
func runPod(t testing.TB, l *lab.Lab, uid string) (sandbox, web, sidecar *lab.Running) {
	t.Helper()
	pod := &lab.Pod{UID: uid, Name: "web-1", Namespace: "shop"}
	sandbox = run(t, l, lab.Container{ID: "sandbox-" + uid, Pod: pod, Labels: map[string]string{"io.cri-containerd.kind": "sandbox"}})
	web = run(t, l, lab.Container{ID: "web-" + uid, Pod: pod, Args: counting})
	sidecar = run(t, l, lab.Container{ID: "sidecar-" + uid, Pod: pod, Args: counting})
	return sandbox, web, sidecar
}

// churn builds the hardest workload and gives the mount that brings it in.
func churn(t testing.TB) specs.Mount {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "churn"), "./testdata/churn")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build churn: %v\n%s", err, out)
	}
	return specs.Mount{Destination: "/opt", Type: "bind", Source: dir, Options: []string{"rbind", "ro"}}
}

func target(r *lab.Running) schemas.Target {
	return schemas.Target{Kind: "container", ID: r.ID, Place: "node-test", Entities: schemas.Entities{
		Container: &schemas.Container{ID: r.ID, Namespace: r.Namespace},
	}}
}

func plan(t testing.TB, p *Pause, r *lab.Running, with string) schemas.Plan {
	t.Helper()
	got, err := p.Plan(t.Context(), target(r), []byte(with))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func apply(t testing.TB, p *Pause, pl schemas.Plan) schemas.Effect {
	t.Helper()
	e, err := p.Apply(t.Context(), pl)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// verify wants a verdict of that kind.
func verify(t testing.TB, p *Pause, e schemas.Effect, want schemas.Kind) schemas.Verdict {
	t.Helper()
	v, err := p.Verify(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if v.Kind() != want {
		t.Errorf("verdict %s, want %s: %+v", v.Kind(), want, v.Layers)
	}
	return v
}

func undo(t testing.TB, p *Pause, e schemas.Effect) string {
	t.Helper()
	drift, err := p.Undo(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return drift
}

func status(t testing.TB, r *lab.Running, want string) {
	t.Helper()
	s, err := r.Status(t.Context())
	if err != nil || string(s) != want {
		t.Errorf("%s is %q (%v), want %q", r.ID, s, err, want)
	}
}

// count reads the workload's counter. Between two writes the file is empty.
func count(t testing.TB, r *lab.Running) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Rootfs(), "count"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// runs waits until the workload's counter moves.
func runs(t testing.TB, r *lab.Running) {
	t.Helper()
	first := count(t, r)
	eventually(t, r.ID+" runs", func() bool { now := count(t, r); return now != first && now != "" })
}

// halted looks whether the workload's counter stands still.
func halted(t testing.TB, rs ...*lab.Running) {
	t.Helper()
	before := make([]string, len(rs))
	for i, r := range rs {
		before[i] = count(t, r)
	}
	time.Sleep(50 * time.Millisecond)
	for i, r := range rs {
		if now := count(t, r); now != before[i] {
			t.Errorf("%s went on from %q to %q", r.ID, before[i], now)
		}
	}
}

func eventually(t testing.TB, what string, look func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !look() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// clean looks whether nothing of ours is left on a container's cgroups.
func clean(t testing.TB, rs ...*lab.Running) {
	t.Helper()
	host, err := halt.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		at, err := host.Locate(int(r.PID), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		labels, err := r.Container.Labels(r.In(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []halt.Cgroup{host.Own(at), host.Side(at), host.Parent(at, labels["io.kubernetes.pod.uid"])} {
			if c.Zero() {
				continue
			}
			for _, who := range []string{halt.MarkPause, halt.MarkCapture, halt.MarkRelease} {
				if _, left := c.Mark(who); left {
					t.Errorf("%s still bears the mark %s", c.Dir(), who)
				}
			}
			if frozen, err := c.SelfFrozen(); err != nil || frozen {
				t.Errorf("%s is still frozen (%v)", c.Dir(), err)
			}
		}
	}
}

func mounts(m ...specs.Mount) []specs.Mount { return m }

func membersIn(t testing.TB, e schemas.Effect) []Member {
	t.Helper()
	s, err := stateOf(e)
	if err != nil {
		t.Fatal(err)
	}
	return s.Members
}
