package containerd

import (
	"context"
	"os"
	"path"
	"strconv"
	"strings"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/decode"
)

// exec emits that a process was put into a container through containerd. What
// the process is comes from /proc while it lives; the exec sensor knows better.
func (x *session) exec(ctx context.Context, f decode.Fact) error {
	facts := x.find(ctx, f)
	p, user := process(f.PID, facts)
	e, err := schemas.NewEvent(schemas.ExecStarted, x.ce, f.ID, f.Container, f.At, schemas.ProcessEvent{
		Host: &schemas.Host{Name: x.cfg.Node}, K8s: facts.K8s, Container: &facts.Container, Process: p, User: user,
	})
	if err != nil {
		return err
	}
	return x.emit(ctx, e)
}

// process reads /proc of a process that is in the container's cgroup; one that
// is not has taken over the pid of one that ended.
func process(pid int, f runtime.Facts) (*schemas.Process, *schemas.User) {
	p := &schemas.Process{PID: pid}
	dir := "/proc/" + strconv.Itoa(pid)
	groups, err := os.ReadFile(dir + "/cgroup") //nolint:gosec // a process of the kernel's list
	if err != nil || !decode.Within(decode.ParseCgroups(groups).Container(), f.Container.Cgroup) {
		return p, nil
	}
	exe, err := os.Readlink(dir + "/exe")
	if err != nil || strings.Contains(exe, "runc") { // it has not executed its own program yet
		return p, nil
	}
	p.Executable = &schemas.Executable{Name: path.Base(exe), Path: exe}
	if raw, err := os.ReadFile(dir + "/cmdline"); err == nil { //nolint:gosec // see above
		p.CommandArgs = decode.Cmdline(raw)
	}
	raw, err := os.ReadFile(dir + "/status") //nolint:gosec // see above
	if err != nil {
		return p, nil
	}
	status := decode.ParseStatus(raw)
	if status.PPID > 0 {
		p.Parent = &schemas.Parent{PID: status.PPID}
	}
	if status.UID == "" {
		return p, nil
	}
	return p, &schemas.User{ID: status.UID}
}
