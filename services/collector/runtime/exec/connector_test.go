package exec_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
	sensing "firebreak/services/collector/runtime/exec"
	"firebreak/services/lab"
)

// TestConnector sees by /proc what lives long enough.
func TestConnector(t *testing.T) {
	l := lab.Temp(t)
	s := start(t, sensing.Config{Mode: sensing.Connector})
	if d := s.source.Detail(); !strings.Contains(d, "proc connector") {
		t.Errorf("detail: %s", d)
	}
	dir := tools(t)
	r := s.run(l, lab.Container{ID: "slow", Mounts: append(mounts(dir), specs.Mount{
		Type: "tmpfs", Source: "tmpfs", Destination: "/ram2", Options: []string{"nosuid"},
	})})
	// Each becomes a sleep, which is there until the container ends.
	s.sh(r, `set -e
		mkdir /drop; for d in /drop /vol /ram; do cp /bin/busybox $d/sleep; done
		for f in /bin/sleep /drop/sleep /vol/sleep /ram/sleep; do $f 1000 & done >/dev/null 2>&1
		/vol/act memfd x /bin/busybox sleep 1001 >/dev/null 2>&1 &
		/vol/act uid 4242 /bin/sleep 1002 >/dev/null 2>&1 &`)
	for path, want := range map[string]string{
		"/bin/busybox": "image", "/drop/sleep": "upper", "/vol/sleep": "volume", "/ram/sleep": "tmpfs", "/memfd:x": "memfd",
	} {
		var got seen
		s.until(path, func() bool {
			for _, x := range s.in("slow") {
				if a := x.Process.CommandArgs; x.Process.Executable.Path == path && strings.HasPrefix(a[len(a)-1], "100") {
					got = x
				}
			}
			return got.Process != nil
		})
		if got.Process.Executable.Origin != want {
			t.Errorf("origin of %s: want %s: %s", path, want, got.event.Data)
		}
	}
	s.until("another user", func() bool {
		for _, x := range s.in("slow") {
			if x.User.ID == "4242" {
				return true
			}
		}
		return false
	})
}

const probing = "FIREBREAK_TEST_PROBE"

// TestProbe asks what works with which rights, in processes that have no others.
func TestProbe(t *testing.T) {
	if os.Getenv(probing) != "" {
		a := sensing.Probe()
		t.Logf("mode=%q lost=%t why=%v remedy=%t", a.Mode, a.Lost != "", a.Why != nil, a.Remedy != "")
		return
	}
	tests := map[string]struct {
		as   *syscall.SysProcAttr
		want string
	}{
		"root": {nil, `mode="bpf" lost=false why=false remedy=false`},
		"no rights": {
			&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}},
			`mode="" lost=true why=true remedy=true`,
		},
		"network rights": {
			&syscall.SysProcAttr{
				Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
				AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH},
			},
			`mode="connector" lost=true why=true remedy=true`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestProbe$", "-test.v")
			c.Env, c.SysProcAttr, c.Dir = append(os.Environ(), probing+"=1"), test.as, "/"
			out, err := c.CombinedOutput()
			if err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("want %s: %v\n%s", test.want, err, out)
			}
		})
	}
}

// TestConfig refuses what cannot work.
func TestConfig(t *testing.T) {
	_, err := sensing.New(sensing.Config{})
	if diff := cmp.Diff(true, err != nil && strings.Contains(err.Error(), schemas.ErrInvalid.Error())); diff != "" {
		t.Errorf("empty configuration: %v", err)
	}
}
