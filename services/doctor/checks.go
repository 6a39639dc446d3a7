package doctor

import "context"

// Config says what to look at. What is left zero is not looked at.
type Config struct {
	DataDir    string // where the logs and keys lie
	Containerd string // path of containerd's socket

	// ExecProbe asks the exec sensor how it would work here; it leaves nothing behind.
	ExecProbe func() Sensor

	// Playbooks lints what is configured.
	Playbooks func(ctx context.Context) (Lint, error)
}

// Lint counts what lint found.
type Lint struct {
	Playbooks int
	Errors    int
	Warnings  int
	First     string // the first error, or else the first warning
}

// Checks gives the list for a host. It is plain data: cut it, add to it.
func Checks(c Config) []Check {
	checks := []Check{
		{"privileges", func(context.Context) Result { return privileges(procSelf) }},
		{"kernel", func(context.Context) Result { return kernel(btfPath) }},
	}
	if c.ExecProbe != nil {
		checks = append(checks, Check{"exec sensor", func(context.Context) Result { return sensor(c.ExecProbe) }})
	}
	checks = append(checks, Check{"cgroups", func(ctx context.Context) Result { return cgroups(ctx, mountinfoPath) }})
	if c.Containerd != "" {
		checks = append(checks, Check{"containerd", func(ctx context.Context) Result { return daemon(ctx, c.Containerd) }})
	}
	checks = append(checks, Check{"runc", func(ctx context.Context) Result { return runc(ctx, "runc") }})
	if c.DataDir != "" {
		checks = append(checks,
			Check{"data folder", func(context.Context) Result { return folder(c.DataDir) }},
			Check{"disk space", func(context.Context) Result { return space(c.DataDir) }},
			Check{"running", func(context.Context) Result { return instance(c.DataDir, locksPath) }})
	}
	checks = append(checks,
		Check{"clock", func(context.Context) Result { return clock(c.DataDir) }},
		Check{"limits", func(context.Context) Result { return limits() }})
	if c.Playbooks != nil {
		checks = append(checks, Check{"playbooks", func(ctx context.Context) Result { return playbooks(ctx, c.Playbooks) }})
	}
	return checks
}

// Where a Linux host keeps what the checks read; tests name other places.
const (
	procSelf      = "/proc/self"
	mountinfoPath = "/proc/self/mountinfo"
	btfPath       = "/sys/kernel/btf/vmlinux"
	locksPath     = "/proc/locks"
)

func playbooks(ctx context.Context, lint func(context.Context) (Lint, error)) Result {
	l, err := lint(ctx)
	const remedy = "`firebreak playbook lint` shows each finding with its place and its mending."
	switch {
	case err != nil:
		return fail(remedy, "cannot be read: %v", err)
	case l.Errors > 0:
		return fail(remedy, "%d errors, %d warnings in the playbooks; a set with an error is not put in force: %s", l.Errors, l.Warnings, l.First)
	case l.Playbooks == 0:
		return warn("Set library to observe or enforce, or name folders under playbooks.", "no playbook is configured, so nothing is ever contained")
	case l.Warnings > 0:
		return warn(remedy, "%d playbooks, %d warnings: %s", l.Playbooks, l.Warnings, l.First)
	default:
		return ok("%d playbooks, no finding", l.Playbooks)
	}
}
