package exec_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"firebreak/services/collector/runtime/cgroup"
	sensing "firebreak/services/collector/runtime/exec"
	"firebreak/services/lab"
)

// TestFromOutside puts processes of the host into a container's cgroup, as the
// runtime does at a set-up and as one who broke out would be seen.
func TestFromOutside(t *testing.T) {
	l := lab.Temp(t)
	s := start(t, sensing.Config{})
	r := s.run(l, lab.Container{ID: "entered"})
	act := filepath.Join(tools(t), "act")
	procs := freezerOf(t, int(r.PID))
	own := "/proc/" + strconv.Itoa(os.Getpid()) + "/exe" // this test's program: to the kernel, the runtime's
	const nothing = "-test.run=^$"

	outside := func(script string, args ...string) {
		t.Helper()
		// The shell enters the cgroup and then becomes what is to be seen.
		args = append([]string{"-c", `echo $$ >"$0" && ` + script, procs}, args...)
		if out, err := exec.CommandContext(t.Context(), "/bin/busybox", append([]string{"sh"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	outside(`exec "$@"`, own, nothing, "set-up-same-file")
	outside(`exec "$@"`, act, "memfd", "runc_cloned:/proc/self/exe", own, nothing, "set-up-copy")
	outside(`exec "$@"`, act, "memfd", "runc_cloned:/proc/self/exe", "/bin/busybox", "true", "mark-other-memfd")
	outside(`exec "$@"`, "/bin/busybox", "true", "mark-host-file")
	// A child of a process in the container, with its parent's own file.
	outside(`/bin/busybox env "$@"; true`, "/bin/busybox", "true", "mark-child")
	s.sh(r, "/bin/echo mark-last")
	s.find("mark-last")

	for mark, origin := range map[string]string{"mark-other-memfd": "memfd", "mark-host-file": "host", "mark-child": "host"} {
		if got := s.find(mark); got.Container == nil || got.Container.ID != "entered" || got.Process.Executable.Origin != origin {
			t.Errorf("%s: want origin %s: %s", mark, origin, got.event.Data)
		}
	}
	for _, x := range s.all() {
		for _, a := range x.Process.CommandArgs {
			if x.Process.Executable.Name != "act" && (a == "set-up-same-file" || a == "set-up-copy") {
				t.Errorf("set-up was emitted: %s", x.event.Data)
			}
		}
	}
}

// freezerOf gives the file through which one enters the cgroup of a process.
func freezerOf(t *testing.T, pid int) string {
	t.Helper()
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := cgroup.Parse(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := cgroup.Paths(entries)
	if v1 != "" {
		return filepath.Join("/sys/fs/cgroup/freezer", v1, "cgroup.procs")
	}
	return filepath.Join("/sys/fs/cgroup", v2, "cgroup.procs")
}
