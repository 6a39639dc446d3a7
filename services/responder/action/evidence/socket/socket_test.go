package socket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"firebreak/services/responder/action/evidence/process"
	"firebreak/services/responder/action/evidence/text"
)

const roleOf = "FIREBREAK_TEST_SOCKETS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(roleOf); dir != "" {
		if err := listen(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// forged is a line as the kernel writes it into /proc/net/unix, in a path.
const forged = "s\n0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/forged"

// listen is the child: it opens sockets and waits until its input ends.
func listen(dir string) error {
	if err := os.Chdir(dir); err != nil { // a socket's path is short
		return err
	}
	// A slash would lead into a folder: the name that is bound is a path.
	if err := os.MkdirAll(filepath.Dir(forged), 0o700); err != nil {
		return err
	}
	var all []io.Closer
	for _, name := range []string{forged, "@no file"} {
		l, err := net.Listen("unix", name)
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	l, err := net.Listen("tcp4", "0.0.0.0:8080")
	if err != nil {
		return err
	}
	all = append(all, l)
	u, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 53})
	if err != nil {
		return err
	}
	all = append(all, u)
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	for _, c := range all {
		err = errors.Join(err, c.Close())
	}
	return err
}

// child runs it, in a network namespace of its own or in ours.
func child(t *testing.T, flags uintptr) process.Process {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleOf+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	if first, err := bufio.NewReader(out).ReadString('\n'); first != "ready\n" {
		t.Fatalf("%q, %v", first, err)
	}
	list, err := process.Read(t.Context(), []int{cmd.Process.Pid}, func(int) bool { return true })
	if err != nil || len(list.Processes) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	return list.Processes[0]
}

// TestNamespace: all sockets of a namespace of its own, and none that a name forges.
func TestNamespace(t *testing.T) {
	p := child(t, syscall.CLONE_NEWNET)
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Read(t.Context(), []process.Process{p})
	if err != nil || len(list.Spaces) != 1 || len(list.Cut) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	s := list.Spaces[0]
	if s.Host || s.Others != 0 || s.Namespace != p.Net || p.Net == before {
		t.Errorf("namespace %+v", s)
	}
	pids := []int{p.PID}
	want := []Socket{
		{Protocol: "tcp", State: "listen", Local: "0.0.0.0:8080", Remote: "0.0.0.0:0", PIDs: pids},
		{Protocol: "udp", State: "unconnected", Local: "0.0.0.0:53", Remote: "0.0.0.0:0", PIDs: pids},
		{Protocol: "unix", State: "listen", Path: "no file", Abstract: true, PIDs: pids},
		{Protocol: "unix", State: "listen", Path: text.Text(forged), PIDs: pids},
	}
	for i := range s.Sockets {
		if s.Sockets[i].Inode == 0 {
			t.Errorf("no inode: %+v", s.Sockets[i])
		}
		s.Sockets[i].Inode = 0
	}
	slices.SortFunc(s.Sockets, func(a, b Socket) int {
		return strings.Compare(a.Protocol+string(a.Path), b.Protocol+string(b.Path))
	})
	if diff := cmp.Diff(want, s.Sockets); diff != "" {
		t.Error(diff)
	}
	// No thread of ours has stayed there.
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, th := range threads {
		if now, err := os.Readlink(th); err == nil && now != before {
			t.Errorf("%s is in %s", th, now)
		}
	}
}

// TestGone: of a namespace without a process nothing is known, and that is told.
func TestGone(t *testing.T) {
	list, err := Read(t.Context(), []process.Process{{PID: 1<<22 + 1, Net: "net:[1]"}, {PID: os.Getpid(), Net: "net:[1]"}})
	if err != nil || len(list.Spaces) != 1 || len(list.Spaces[0].Sockets) != 0 || len(list.Cut) != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	many := make([]process.Process, maxSpaces+2)
	for i := range many {
		many[i] = process.Process{PID: 1<<22 + 1, Net: fmt.Sprintf("net:[%d]", i)}
	}
	list, err = Read(t.Context(), many)
	if last := list.Cut[len(list.Cut)-1]; err != nil || len(list.Spaces) != maxSpaces || !strings.HasPrefix(last, "and ") {
		t.Errorf("%d, %q, %v", len(list.Spaces), last, err)
	}
}

// TestHost: in a namespace that others share, theirs are counted and not kept.
func TestHost(t *testing.T) {
	_, err := os.Readlink("/proc/1/ns/net")
	t.Logf("process 1 can be asked: %v", err == nil)
	l, err := net.Listen("unix", "@firebreak-test-"+fmt.Sprint(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	list, err := Read(t.Context(), []process.Process{{PID: os.Getpid(), Net: mustNet(t)}})
	if err != nil || len(list.Spaces) != 1 || !list.Spaces[0].Host || list.Spaces[0].Others == 0 || len(list.Spaces[0].Sockets) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func mustNet(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestBound(t *testing.T) {
	told := &told{}
	s := &Space{Namespace: "net:[1]", Sockets: make([]Socket, maxSockets)}
	if told.keep(s, Socket{Protocol: "unix"}) || len(s.Sockets) != maxSockets || len(told.cuts.List()) != 1 {
		t.Errorf("%d sockets, %q", len(s.Sockets), told.cuts.List())
	}
	s = &Space{Namespace: "net:[1]"}
	if err := s.lines(t.Context(), strings.NewReader("heading\nnonsense\n"), "tcp", told); err != nil || len(s.Sockets) != 0 || len(told.cuts.List()) != 2 {
		t.Errorf("%v, %+v, %q", err, s.Sockets, told.cuts.List())
	}
}
