package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
)

// daemon asks containerd for its version.
func daemon(ctx context.Context, address string) Result {
	path := strings.TrimPrefix(address, "unix://")
	if err := reachable(ctx, path); err != nil {
		return fail(socketRemedy(err), "%v", err)
	}
	const remedy = "Something listens there and does not answer as containerd: look at `systemctl status containerd` and its log."
	// The socket was just reached; the rest of the time is the answer's.
	client, err := containerd.New(path, containerd.WithTimeout(DefaultTimeout))
	if err != nil {
		return fail(remedy, "%s: %v", path, err)
	}
	version, err := client.Version(ctx)
	err = errors.Join(err, client.Close())
	if err != nil {
		return fail(remedy, "%s does not say its version: %v", path, err)
	}
	return ok("%s at %s", version.Version, path)
}

// reachable tells what stands in place of a socket before anything is sent to
// it: a client would only say "deadline exceeded".
func reachable(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("containerd's socket cannot be found: %w", err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is %s, not a socket", path, kindOf(info.Mode()))
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("containerd's socket: %w", err)
	}
	return conn.Close()
}

func socketRemedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "Run as root: who can use containerd's socket is root on this host anyway."
	case errors.Is(err, fs.ErrNotExist):
		return "Start containerd (apt-get install containerd, where it is missing), or set runtime.containerd.address to where its socket is."
	default:
		return "Start containerd (systemctl start containerd), or set runtime.containerd.address to where its socket is."
	}
}

// runc asks the low-level runtime for its version: containerd calls it to pause.
func runc(ctx context.Context, name string) Result {
	path, err := exec.LookPath(name)
	if err != nil {
		return warn("Install it (apt-get install runc), unless containerd uses another runtime.", "not found in PATH: %v", err)
	}
	cmd := exec.CommandContext(ctx, path, "--version") //nolint:gosec // from the operator's PATH
	cmd.WaitDelay = time.Second                        // a child of it may keep the pipe open
	out, err := cmd.Output()
	if err != nil {
		return warn("Mend or replace it: containerd cannot pause with it.", "%s does not say its version: %v", path, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	var major, minor int
	if n, err := fmt.Sscanf(first, "runc version %d.%d", &major, &minor); n == 2 && err == nil && major == 1 && minor < 1 {
		return warn("Use runc 1.1 or later.", "%s: on cgroup v1 a paused container cannot be ended by it", first)
	}
	return ok("%s at %s", first, path)
}
