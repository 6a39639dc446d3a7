package container

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/protect"
)

// TestProtected: what came with the image is spared, and no container can make
// itself look as if it held that.
func TestProtected(t *testing.T) {
	l := lab.Temp(t)
	volume := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "cp", "/bin/busybox", volume).CombinedOutput(); err != nil {
		t.Fatalf("copy busybox: %v: %s", err, out)
	}
	r := run(t, l, lab.Container{ID: "many-names", Mounts: []specs.Mount{
		{Type: "bind", Source: volume, Destination: "/vol", Options: []string{"rbind", "rw"}},
		{Type: "tmpfs", Source: "tmpfs", Destination: "/ram", Options: []string{"nosuid"}},
	}})
	guard, err := protect.New([]string{"busybox"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		script, exe string
		spared      bool
	}{
		"of the image":     {"exec sleep 100000", "/bin/busybox", true},
		"writable layer":   {"mkdir -p /w; cp /bin/busybox /w; exec /w/busybox sleep 100000", "/w/busybox", false},
		"chroot":           {"mkdir -p /r; cp /bin/busybox /r; exec chroot /r /busybox sleep 100000", "/r/busybox", false},
		"volume":           {"exec /vol/busybox sleep 100000", "/vol/busybox", false},
		"chroot to volume": {"exec chroot /vol /busybox sleep 100000", "/vol/busybox", false},
		"memory":           {"cp /bin/busybox /ram; exec /ram/busybox sleep 100000", "/ram/busybox", false},
		"mounted over the image's": {
			`mkdir -p /m; cp /bin/busybox /m; exec unshare -Urm sh -c "/bin/busybox mount --bind /m /bin && exec /bin/busybox sleep 100000"`, "/bin/busybox", false,
		},
		"chroot to a mount": {
			`mkdir -p /n /a; cp /bin/busybox /n; exec unshare -Urm sh -c "mount --bind /n /a && exec chroot /a /busybox sleep 100000"`, "/a/busybox", false,
		},
		"overlay of its own": {
			`mkdir -p /low /low2 /over; cp /bin/busybox /low; exec unshare -Urm sh -c "mount -t overlay overlay -o lowerdir=/low:/low2 /over && exec chroot /over /busybox sleep 100000"`, "/over/busybox", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pid, err := r.Spawn(t.Context(), "/bin/sh", "-c", tc.script)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, tc.exe+" sleeps", func() bool {
				proc := "/proc/" + strconv.Itoa(int(pid))
				args, err := os.ReadFile(proc + "/cmdline")
				exe, e := os.Readlink(proc + "/exe")
				return err == nil && e == nil && exe == tc.exe && strings.Contains(string(args), "sleep\x00100000\x00") && !strings.Contains(string(args), "-c")
			})
			if reason := guard.Find(int(r.PID), []int{int(pid)}); (reason != "") != tc.spared {
				t.Errorf("spared for %q", reason)
			}
		})
	}
}

// TestProtectedPlan: a spared container is refused, a spoof is halted.
func TestProtectedPlan(t *testing.T) {
	l := lab.Temp(t)
	p := newPause(t, l, nil)
	opt := churn(t)
	if err := os.Link(filepath.Join(opt.Source, "churn"), filepath.Join(opt.Source, "nats-server")); err != nil {
		t.Fatal(err)
	}
	for id, args := range map[string][]string{
		"spoofs-kubelet":    {"sh", "-c", "cp /opt/churn /tmp/kubelet && exec /tmp/kubelet"},
		"spoofs-containerd": {"sh", "-c", "mkdir /tmp/r && cp /opt/churn /tmp/r/containerd && cd / && exec chroot /tmp/r /containerd"},
		"spoofs-nats":       {"/opt/nats-server"},
	} {
		spoof := run(t, l, lab.Container{ID: id, Args: args, Mounts: mounts(opt)})
		eventually(t, id+" has its name", func() bool {
			exe, err := os.Readlink("/proc/" + strconv.Itoa(int(spoof.PID)) + "/exe")
			return err == nil && filepath.Base(exe) != "busybox" && filepath.Base(exe) != "churn"
		})
		e := apply(t, p, plan(t, p, spoof, ``))
		verify(t, p, e, schemas.KindEnforced)
		undo(t, p, e)
	}
	genuine := run(t, l, lab.Container{ID: "holds-busybox"})
	eventually(t, "busybox runs", func() bool {
		exe, err := os.Readlink("/proc/" + strconv.Itoa(int(genuine.PID)) + "/exe")
		return err == nil && exe == "/bin/busybox"
	})
	sparing, err := New(Config{Client: l.Client(), Protected: []string{"busybox"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sparing.Plan(t.Context(), target(genuine), nil); !errors.Is(err, responder.ErrRefused) || !strings.Contains(err.Error(), "busybox") {
		t.Errorf("%s: %v", genuine.ID, err)
	}
	if reason := p.guard.Find(os.Getppid(), []int{os.Getppid(), os.Getpid()}); !strings.Contains(reason, "itself") {
		t.Errorf("our own process: %q", reason)
	}
}
