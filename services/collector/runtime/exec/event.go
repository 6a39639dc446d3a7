package exec

import (
	"net/url"
	"path"
	"strconv"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/exec/decode"
)

func eventSource(cluster, node string) string {
	return "/" + url.PathEscape(cluster) + "/" + url.PathEscape(node) + "/exec"
}

// event makes our event of the kernel's. Its id is the same however often the
// exec is read: this boot, the process, and the kernel's time.
func (w *worker) event(e *decode.Exec, f found) (schemas.Event, error) {
	pid := strconv.Itoa(e.PID)
	data := schemas.ProcessEvent{
		Host: &schemas.Host{Name: w.c.Node},
		Process: &schemas.Process{
			PID:            e.PID,
			Executable:     &schemas.Executable{},
			CommandArgs:    e.Args,
			CommandArgsCut: e.ArgsCut || e.ArgsMissing,
		},
		User: user(e.UID),
	}
	if x := executable(pathOf(e.Path, e.PathCut, e.Filename)); x != nil {
		data.Process.Executable = x
	}
	if e.Parent.PID != 0 {
		data.Process.Parent = &schemas.Parent{
			PID: e.Parent.PID, Executable: executable(pathOf(e.Parent.Path, e.Parent.PathCut, "")),
		}
	}
	subject := w.c.Node
	if f.container.ID == "" {
		data.Process.Executable.Origin = hostOrigin(e)
	} else {
		subject = f.container.ID
		data.Container, data.K8s = &f.container, f.k8s
		data.Process.Executable.Origin = origin(e, w.roots.of(&f.container, e))
	}
	id := w.boot + "-" + pid + "-" + strconv.FormatUint(e.Time, 10)
	return schemas.NewEvent(schemas.ProcessStarted, w.source, id, subject, w.clock.wall(e.Time), data)
}

// pathOf marks a path whose beginning is missing, so that it is not taken for
// another one.
func pathOf(p string, cut bool, otherwise string) string {
	switch {
	case p == "":
		return otherwise
	case cut:
		return "…" + p
	default:
		return p
	}
}

func executable(p string) *schemas.Executable {
	if p == "" {
		return nil
	}
	return &schemas.Executable{Path: p, Name: path.Base(p)}
}

// user has a name for root alone: the other names are those of /etc/passwd,
// and a container has its own, which it may write.
func user(id uint32) *schemas.User {
	if id == 0 {
		return &schemas.User{ID: "0", Name: "root"}
	}
	return &schemas.User{ID: strconv.FormatUint(uint64(id), 10)}
}
