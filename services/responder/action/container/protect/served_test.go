package protect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// served is a file system of one program, served by the test.
type served struct {
	fd    int
	body  []byte
	quiet atomic.Bool // it answers no more questions about files
}

const (
	opLookup, opGetattr, opOpen, opRead, opFlush, opRelease, opInit = 1, 3, 14, 15, 25, 18, 26
	folder, program1                                                = 1, 2
)

func (s *served) attr(node uint64) []byte {
	b := make([]byte, 88)
	binary.LittleEndian.PutUint64(b, node)
	mode := uint32(unix.S_IFDIR | 0o755)
	if node == program1 {
		binary.LittleEndian.PutUint64(b[8:], uint64(len(s.body)))
		mode = unix.S_IFREG | 0o755
	}
	binary.LittleEndian.PutUint32(b[60:], mode)
	binary.LittleEndian.PutUint32(b[64:], 1)
	return b
}

func (s *served) answer(op uint32, node uint64, in []byte) (out []byte, errno unix.Errno, silent bool) {
	switch op {
	case opInit:
		out = make([]byte, 64)
		binary.LittleEndian.PutUint32(out, 7)
		binary.LittleEndian.PutUint32(out[4:], 31)
		binary.LittleEndian.PutUint32(out[8:], 1<<16)
		binary.LittleEndian.PutUint32(out[20:], 1<<16)
		return out, 0, false
	case opLookup:
		out = make([]byte, 40)
		binary.LittleEndian.PutUint64(out, program1)
		binary.LittleEndian.PutUint64(out[16:], 3600) // the name may be remembered, what it names may not
		return append(out, s.attr(program1)...), 0, false
	case opGetattr:
		return append(make([]byte, 16), s.attr(node)...), 0, s.quiet.Load()
	case opOpen:
		return make([]byte, 16), 0, false
	case opRead:
		at := min(binary.LittleEndian.Uint64(in[8:]), uint64(len(s.body)))
		end := min(at+uint64(binary.LittleEndian.Uint32(in[16:])), uint64(len(s.body)))
		return s.body[at:end], 0, false
	case opFlush, opRelease:
		return nil, 0, false
	default:
		return nil, unix.ENOSYS, s.quiet.Load()
	}
}

func (s *served) serve() error {
	buf := make([]byte, 1<<17+4096)
	for {
		n, err := unix.Read(s.fd, buf)
		switch {
		case errors.Is(err, unix.ENODEV):
			return nil // unmounted
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOENT):
			continue
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
		in := buf[:n]
		out, errno, silent := s.answer(binary.LittleEndian.Uint32(in[4:]), binary.LittleEndian.Uint64(in[16:]), in[40:])
		if silent {
			continue
		}
		var reply bytes.Buffer
		head := make([]byte, 16)
		binary.LittleEndian.PutUint32(head, uint32(16+len(out)))
		binary.LittleEndian.PutUint32(head[4:], uint32(-int32(errno)))
		copy(head[8:], in[8:16])
		reply.Write(head)
		reply.Write(out)
		if _, err := unix.Write(s.fd, reply.Bytes()); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// TestServedByItself: a file system that a container serves must not hold up its containment.
func TestServedByItself(t *testing.T) {
	body, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{fd: fd, body: body}
	dir := t.TempDir()
	if err := unix.Mount("served", dir, "fuse.served", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serve() }()
	// By a shell: a process that starts a program cannot serve it at that moment.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `exec "$0" sleep 100000`, filepath.Join(dir, "busybox"))
	started := cmd.Start()
	t.Cleanup(func() {
		s.quiet.Store(false)
		if started == nil {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it ended by itself")
			}
		}
		if err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	if started != nil {
		t.Fatal(started)
	}
	exe := fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if to, err := os.Readlink(exe); err == nil && strings.HasSuffix(to, "/busybox") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the program does not start")
		}
	}
	s.quiet.Store(true)
	g, err := New([]string{"busybox"})
	if err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	go func() { found <- g.Find(os.Getpid(), []int{cmd.Process.Pid}) }()
	select {
	case reason := <-found:
		if !strings.Contains(reason, "busybox") { // it runs in the host's mounts here
			t.Errorf("reason %q", reason)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for a file system that does not answer")
	}
}
