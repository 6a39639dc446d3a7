package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"firebreak/services/responder/action/evidence/process"
	"firebreak/services/responder/action/evidence/text"
)

// Unix sockets are asked of the kernel by netlink (sock_diag(7)), as ss does.
// In the table of /proc a path is written as it is, line breaks and all: a
// program could give a socket a name that reads as another socket's line.

// What of unix_diag.h is needed.
const (
	showName, showUID = 1, 0x40
	nameOf, uidOf     = 0, 7
	requestSize       = 24
	messageSize       = 16
	stateConnected    = 1
	stateListen       = 10
)

var errCutShort = errors.New("the kernel's answer is cut short")

// unixTable reads the unix sockets through the first process that is still there.
func (s *Space) unixTable(ctx context.Context, procs []process.Process, t *told) error {
	err := errNobody
	for _, p := range procs {
		if p.Net != s.Namespace {
			continue
		}
		var fd int
		if fd, err = s.ask(p); err != nil {
			continue
		}
		err = s.answers(ctx, fd, t)
		if e := unix.Close(fd); err == nil {
			err = e
		}
		break
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sockets: %w", ctx.Err())
	}
	if err != nil {
		t.cuts.Add("table unix of %s: %v", s.Namespace, err)
	}
	return nil
}

// ask opens a netlink socket in the process's namespace, and sends the question.
func (s *Space) ask(p process.Process) (int, error) {
	space, err := unix.Open(p.Folder()+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", p.PID, err)
	}
	defer unix.Close(space) //nolint:errcheck // only a handle
	var st unix.Stat_t
	if err := unix.Fstat(space, &st); err != nil || s.Namespace != fmt.Sprintf("net:[%d]", st.Ino) {
		return 0, fmt.Errorf("process %d: %w: it has ended, or left the namespace", p.PID, errors.Join(process.ErrNotRead, err))
	}
	fd, err := within(space)
	if err != nil {
		return 0, err
	}
	limit := unix.Timeval{Sec: 5}
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.Sendto(fd, question(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		return 0, fmt.Errorf("ask the kernel: %w", errors.Join(err, unix.Close(fd)))
	}
	return fd, nil
}

// within opens a socket that belongs to another network namespace. One thread
// goes there and comes back; could it not, it ends with its goroutine.
func within(space int) (fd int, err error) {
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		var home *os.File
		if home, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			runtime.UnlockOSThread()
			return
		}
		defer home.Close() //nolint:errcheck // only a handle
		if err = unix.Setns(space, unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			return
		}
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	})
	wg.Wait()
	if err != nil {
		return 0, fmt.Errorf("enter the network namespace: %w", err)
	}
	return fd, nil
}

// question asks for all unix sockets, with their names and users.
func question() []byte {
	const size = unix.NLMSG_HDRLEN + requestSize
	b := make([]byte, size)
	order := binary.NativeEndian
	order.PutUint32(b[0:], size)
	order.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	r := b[unix.NLMSG_HDRLEN:]
	r[0] = unix.AF_UNIX
	order.PutUint32(r[4:], ^uint32(0)) // in every state
	order.PutUint32(r[12:], showName|showUID)
	return b
}

func (s *Space) answers(ctx context.Context, fd int, t *told) error {
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, flags, err := receive(fd, buf)
		if err != nil {
			return err
		}
		if flags&unix.MSG_TRUNC != 0 {
			return errCutShort
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return fmt.Errorf("the kernel's answer: %w", err)
		}
		for _, m := range messages {
			more, err := s.answer(m, t)
			if !more || err != nil {
				return err
			}
		}
	}
	return ctx.Err() //nolint:wrapcheck // the caller says what it was
}

// receive takes the next piece that comes from the kernel itself.
func receive(fd int, buf []byte) (n, flags int, err error) {
	for {
		n, _, flags, from, err := unix.Recvmsg(fd, buf, nil, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, 0, fmt.Errorf("the kernel's answer: %w", err)
		}
		if k, ok := from.(*unix.SockaddrNetlink); ok && k.Pid == 0 {
			return n, flags, nil
		}
	}
}

// answer takes one message; more says whether others follow.
func (s *Space) answer(m syscall.NetlinkMessage, t *told) (more bool, err error) {
	if m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 && t.changed != s.Namespace {
		t.changed = s.Namespace
		t.cuts.Add("table unix of %s: it changed while it was read", s.Namespace)
	}
	switch m.Header.Type {
	case unix.NLMSG_DONE, unix.NLMSG_ERROR:
		if len(m.Data) >= 4 {
			if n := int32(binary.NativeEndian.Uint32(m.Data)); n < 0 { //nolint:gosec // it is one
				return false, fmt.Errorf("the kernel does not list them (unix_diag): %w", unix.Errno(-n))
			}
		}
		return false, nil
	case unix.SOCK_DIAG_BY_FAMILY:
		one, ok := decodeUnix(m.Data)
		if !ok {
			return false, errCutShort
		}
		return t.keep(s, one), nil
	}
	return true, nil
}

// decodeUnix reads a struct unix_diag_msg and its attributes.
func decodeUnix(b []byte) (Socket, bool) {
	if len(b) < messageSize || b[0] != unix.AF_UNIX {
		return Socket{}, false
	}
	s := Socket{Protocol: "unix", Inode: uint64(binary.NativeEndian.Uint32(b[4:])), State: "unconnected"}
	switch b[2] {
	case stateConnected:
		s.State = "connected"
	case stateListen:
		s.State = "listen"
	}
	switch b[1] {
	case unix.SOCK_DGRAM:
		s.State += ", datagram"
	case unix.SOCK_SEQPACKET:
		s.State += ", packets"
	}
	const head = int(unsafe.Sizeof(unix.RtAttr{}))
	for b = b[messageSize:]; len(b) >= head; {
		size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if size < head || size > len(b) {
			return Socket{}, false
		}
		switch v := b[head:size]; {
		case kind == nameOf:
			s.Path, s.Abstract = nameIn(v)
		case kind == uidOf && len(v) == 4:
			s.UID = int(binary.NativeEndian.Uint32(v))
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return s, true
}

// nameIn reads a name: one of no file begins with a zero, one of a file ends with one.
func nameIn(v []byte) (name text.Text, abstract bool) {
	switch n := len(v); {
	case n > 0 && v[0] == 0:
		return text.Text(v[1:]), true
	case n > 0 && v[n-1] == 0:
		v = v[:n-1]
	}
	return text.Text(v), false
}
