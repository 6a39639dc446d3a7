package doctor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firebreak/services/lab"
)

// within gives a check little time, so that what hangs shows soon; enough on a
// busy machine for all that does not hang.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantFail(t *testing.T, got Result, detail, remedy string) {
	t.Helper()
	if got.State != Fail || !strings.Contains(got.Detail, detail) || !strings.Contains(got.Remedy, remedy) {
		t.Errorf("%+v, want a failure with %q and the remedy %q", got, detail, remedy)
	}
}

func TestDaemonFaults(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }

	t.Run("missing", func(t *testing.T) {
		wantFail(t, daemon(within(t), at("gone")), "no such file", "install containerd")
	})
	t.Run("a named pipe", func(t *testing.T) {
		if err := unix.Mkfifo(at("pipe"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFail(t, daemon(within(t), at("pipe")), "a named pipe, not a socket", "Start containerd")
	})
	t.Run("a folder", func(t *testing.T) {
		wantFail(t, daemon(within(t), dir), "a folder, not a socket", "Start containerd")
	})
	t.Run("a dead socket", func(t *testing.T) {
		l := listen(t, at("dead"))
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wantFail(t, daemon(within(t), at("dead")), "connection refused", "Start containerd")
	})
	t.Run("one that never answers", func(t *testing.T) {
		l := listen(t, at("mute"))
		defer l.Close()
		wantFail(t, daemon(within(t), "unix://"+at("mute")), "does not say its version", "does not answer as containerd")
	})
	t.Run("one that is something else", func(t *testing.T) {
		l := listen(t, at("other"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, werr := conn.Write([]byte("SSH-2.0-other\r\n"))
				if cerr := conn.Close(); werr != nil || cerr != nil {
					continue // the client was faster to leave
				}
			}
		}()
		wantFail(t, daemon(within(t), at("other")), "does not say its version", "does not answer as containerd")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	t.Run("one that may not be opened", func(t *testing.T) {
		l := listen(t, at("locked"))
		defer l.Close()
		if err := os.Chmod(at("locked"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{filepath.Dir(dir), dir} { // so that the other user comes as far as the socket
			if err := os.Chmod(p, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		wantFail(t, asNobody(t, func() Result { return daemon(within(t), at("locked")) }), "permission denied", "Run as root")
	})
}

func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// asNobody runs f on a thread that has no rights to other users' files. The
// thread ends with its goroutine, which never gives it back.
func asNobody(t *testing.T, f func() Result) Result {
	t.Helper()
	done := make(chan Result)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			done <- Result{Detail: err.Error()}
			return
		}
		done <- f()
	}()
	return <-done
}

func TestDaemon(t *testing.T) {
	l := lab.Temp(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := daemon(ctx, l.Address())
	if got.State != OK || !strings.Contains(got.Detail, l.Address()) {
		t.Errorf("%+v", got)
	}
}

func TestRunc(t *testing.T) {
	script := func(t *testing.T, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "runc")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name, text string
		want       State
	}{
		{"current", "echo runc version 1.1.5+ds1", OK},
		{"next major", "echo runc version 2.0.0", OK},
		{"old", "echo runc version 1.0.3", Warn},
		{"broken", "exit 3", Warn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if got := runc(ctx, script(t, tt.text)); got.State != tt.want {
				t.Errorf("%+v, want %s", got, tt.want)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		if got := runc(within(t), script(t, "exec sleep 60")); got.State != Warn {
			t.Errorf("%+v", got)
		}
	})
	t.Run("missing", func(t *testing.T) {
		if got := runc(within(t), filepath.Join(t.TempDir(), "runc")); got.State != Warn || !strings.Contains(got.Remedy, "Install") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a named pipe", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "runc")
		if err := unix.Mkfifo(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if got := runc(within(t), path); got.State != Warn {
			t.Errorf("%+v", got)
		}
	})
}
