package exec_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"firebreak/schemas"
	"firebreak/services/collector"
	sensing "firebreak/services/collector/runtime/exec"
	"firebreak/services/lab"
)

// tools builds what the containers get as a volume.
func tools(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "./testdata/act")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the helper: %v: %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", "/bin/busybox", filepath.Join(dir, "echo")).CombinedOutput(); err != nil {
		t.Fatalf("copy busybox: %v: %s", err, out)
	}
	return dir
}

func mounts(dir string) []specs.Mount {
	return []specs.Mount{
		{Type: "bind", Source: dir, Destination: "/vol", Options: []string{"rbind", "rw"}},
		{Type: "tmpfs", Source: "tmpfs", Destination: "/ram", Options: []string{"nosuid"}},
	}
}

// TestContainers walks through what one exec sensor sees in real containers.
func TestContainers(t *testing.T) {
	l := lab.Temp(t)
	s := start(t, sensing.Config{})
	dir := tools(t)

	origins(t, s, s.run(l, lab.Container{ID: "origins", Mounts: mounts(dir)}))
	disguise(t, s, s.run(l, lab.Container{ID: "disguise"}))
	nothingLost(t, s, s.run(l, lab.Container{ID: "many"}))
	facts(t, s, s.run(l, lab.Container{ID: "facts", Mounts: mounts(dir), HostPID: true}))
	pod := s.run(l, lab.Container{ID: "in-pod", Pod: &lab.Pod{UID: "u-1", Name: "web", Namespace: "shop"}})
	s.sh(pod, "/bin/echo mark-pod")
	if got := s.find("mark-pod"); got.Container.ID != "in-pod" || got.K8s == nil {
		t.Errorf("exec in a pod: %s", got.event.Data)
	}
	// Whatever the runtime did on the way, its own processes are not among them.
	for _, id := range []string{"origins", "facts", "in-pod"} {
		for _, x := range s.in(id) {
			if strings.Contains(x.Process.Executable.Path, "runc") || strings.Contains(x.Process.Executable.Path, "shim") {
				t.Errorf("set-up process emitted: %s", x.event.Data)
			}
		}
		if first := s.in(id)[0]; first.Process.CommandArgs[0] != "/bin/sleep" {
			t.Errorf("first exec in %s: %s", id, first.event.Data)
		}
	}
	if n, why := s.source.Lost(); n != 0 {
		t.Errorf("lost %d: %s", n, why)
	}
}

func origins(t *testing.T, s *sensor, r *lab.Running) {
	t.Helper()
	s.sh(r, `set -e
		/bin/echo mark-image
		mkdir /drop; cp /bin/busybox /drop/echo; /drop/echo mark-upper
		ln -s /drop/echo /bin/linked; cd /bin; ./linked mark-linked || true # busybox knows no such name
		/vol/echo mark-volume
		cp /bin/busybox /ram/echo; /ram/echo mark-tmpfs
		/vol/act memfd xmrig /vol/echo mark-memfd || true`)
	for mark, want := range map[string]schemas.Executable{
		"mark-image":  {Name: "busybox", Path: "/bin/busybox", Origin: "image"},
		"mark-upper":  {Name: "echo", Path: "/drop/echo", Origin: "upper"},
		"mark-linked": {Name: "echo", Path: "/drop/echo", Origin: "upper"},
		"mark-volume": {Name: "echo", Path: "/vol/echo", Origin: "volume"},
		"mark-tmpfs":  {Name: "echo", Path: "/ram/echo", Origin: "tmpfs"},
		"mark-memfd":  {Name: "memfd:xmrig", Path: "/memfd:xmrig", Origin: "memfd"},
	} {
		if diff := cmp.Diff(&want, s.find(mark).Process.Executable); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mark, diff)
		}
	}
}

// disguise is a way to make a file look as if it came with the image: an
// overlay of one's own has it in a lower layer.
func disguise(t *testing.T, s *sensor, r *lab.Running) {
	t.Helper()
	s.sh(r, `set -e
		mkdir /low /low2 /merged; cp /bin/busybox /low/echo
		unshare -Urm /bin/sh -c "mount -t overlay overlay -o lowerdir=/low:/low2 /merged && exec chroot /merged /echo mark-disguise"`)
	got := s.find("mark-disguise").Process.Executable
	if diff := cmp.Diff(&schemas.Executable{Name: "echo", Path: "/merged/echo", Origin: "volume"}, got); diff != "" {
		t.Errorf("overlay over an overlay (-want +got):\n%s", diff)
	}
}

func facts(t *testing.T, s *sensor, r *lab.Running) {
	t.Helper()
	before := time.Now()
	long := strings.Repeat("n", 200)
	s.sh(r, `set -e
		/vol/act uid 4242 /bin/echo mark-uid
		/bin/echo mark-empty "" last
		/bin/echo mark-long $(seq 1 3000) >/dev/null
		/bin/echo mark-bytes $(printf '\377')
		cd /drop 2>/dev/null || { mkdir /drop; cd /drop; }
		for i in 1 2 3 4 5 6 7 8; do mkdir `+long+`; cd `+long+`; done
		cp /bin/busybox echo; ./echo mark-deep`)
	after := time.Now()

	x := s.find("mark-uid")
	if x.User.ID != "4242" {
		t.Errorf("user: %+v", x.User)
	}
	if x.Process.Parent.Executable.Path != "/bin/busybox" {
		t.Errorf("parent: %s", x.event.Data)
	}
	want := schemas.Event{Type: schemas.ProcessStarted, Source: "/local/node1/exec", Subject: r.ID, ID: x.event.ID, Time: x.event.Time, Data: x.event.Data}
	if diff := cmp.Diff(want, x.event); diff != "" || x.event.ID == "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	const slack = time.Second // the wall clock may be set meanwhile
	if at := x.event.Time; at.Before(before.Add(-slack)) || at.After(after.Add(slack)) {
		t.Errorf("time of the exec: %s is not between %s and %s", at, before, after)
	}
	if diff := cmp.Diff([]string{"/bin/echo", "mark-empty", "", "last"}, s.find("mark-empty").Process.CommandArgs); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if p := s.find("mark-long").Process; !p.CommandArgsCut || len(p.CommandArgs) < 800 || p.CommandArgs[2] != "1" {
		t.Errorf("long arguments: cut %t, %d of them", p.CommandArgsCut, len(p.CommandArgs))
	}
	if a := s.find("mark-bytes").Process.CommandArgs; a[2] != "\ufffd" {
		t.Errorf("argument that is no text: %q", a)
	}
	if p := s.find("mark-deep").Process.Executable; !strings.HasPrefix(p.Path, "…/"+long) || !strings.HasSuffix(p.Path, "/echo") || p.Origin != "upper" {
		t.Errorf("deep path: %+v", p)
	}
}

// nothingLost executes far more than a few hundred programs a second.
func nothingLost(t *testing.T, s *sensor, r *lab.Running) {
	t.Helper()
	const n = 600
	s.sh(r, `i=0; while [ $i -lt `+strconv.Itoa(n)+` ]; do /bin/echo mark-many $i >/dev/null; i=$((i+1)); done`)
	numbers := map[string]int{}
	s.until("the last of many", func() bool {
		clear(numbers)
		for _, x := range s.in(r.ID) {
			if a := x.Process.CommandArgs; len(a) == 3 && a[1] == "mark-many" {
				numbers[a[2]]++
			}
		}
		return len(numbers) == n
	})
	var took []time.Duration
	for _, x := range s.in(r.ID) {
		took = append(took, x.at.Sub(x.event.Time))
	}
	slices.Sort(took)
	t.Logf("kernel's exec to emit: p50 %s, p99 %s", took[len(took)/2], took[len(took)*99/100])
	for number, times := range numbers {
		if times != 1 {
			t.Errorf("exec %s was emitted %d times", number, times)
		}
	}
}

// What the collector's run loop makes use of.
var (
	_ collector.Source    = (*sensing.Source)(nil)
	_ collector.Describer = (*sensing.Source)(nil)
	_ collector.Prober    = (*sensing.Source)(nil)
	_ collector.Lossy     = (*sensing.Source)(nil)
)
