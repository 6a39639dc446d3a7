package exec_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"firebreak/schemas"
	sensing "firebreak/services/collector/runtime/exec"
)

// TestUnified runs a container where cgroup2 is all there is: in a mount
// namespace of its own, so that it holds on hybrid hosts too. No runtime knows
// the container, and its root is no overlay.
func TestUnified(t *testing.T) {
	s := start(t, sensing.Config{Wait: 10 * time.Millisecond})
	sum := sha256.Sum256([]byte(t.TempDir()))
	id, parent := hex.EncodeToString(sum[:]), "/firebreak-test-"+strconv.Itoa(os.Getpid())
	path := parent + "/cri-containerd-" + id + ".scope"
	bundle := bundle(t, path)
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", `
		umount --recursive --lazy /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
		runc --root "$1/state" run --bundle "$1" "$2" </dev/null; code=$?
		rmdir "/sys/fs/cgroup$3" && exit $code`, "sh", bundle, id, parent).CombinedOutput()
	if err != nil {
		t.Fatalf("runc: %v: %s", err, out)
	}
	got := s.find("mark-unified")
	want := &schemas.Container{ID: id, Cgroup: path}
	if diff := cmp.Diff(want, got.Container); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
	if got.Process.Executable.Origin != "unknown" {
		t.Errorf("origin on a root without layers: %s", got.event.Data)
	}
	for _, x := range s.in(id) {
		if x.Process.Executable.Path != "/bin/sh" && x.Process.Executable.Path != "/bin/echo" {
			t.Errorf("set-up was emitted: %s", x.event.Data)
		}
	}
}

// bundle makes what runc runs: two programs on a plain folder.
func bundle(t *testing.T, cgroup string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "rootfs/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rootfs/bin/sh", "rootfs/bin/echo"} {
		if err := os.WriteFile(filepath.Join(dir, name), busybox, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "runc", "spec", "--bundle", dir).CombinedOutput(); err != nil {
		t.Fatalf("runc spec: %v: %s", err, out)
	}
	config := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	spec.Process.Terminal = false
	spec.Process.Args = []string{"/bin/sh", "-c", "/bin/echo mark-unified"}
	spec.Linux.CgroupsPath = cgroup
	if raw, err = json.Marshal(spec); err == nil {
		err = os.WriteFile(config, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
