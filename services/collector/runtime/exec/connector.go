package exec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/collector/runtime/exec/decode"
)

// connector hears of execs from the kernel's proc connector and reads the rest
// from /proc, as long as it is there.
type connector struct {
	socket *os.File // non-blocking, so that deadlines and Close work on it
	buffer [4096]byte
	host   uint32 // the host's mount namespace

	mu      sync.Mutex
	closed  bool
	gone    uint64 // processes that had ended before they could be read
	dropped uint64 // by the kernel, when the socket was closed
}

// Numbers of the proc connector (linux/connector.h, linux/cn_proc.h).
const (
	connectorIndex  = 1
	connectorValue  = 1
	connectorListen = 1
	connectorIgnore = 2
	connectorBuffer = 4 << 20
)

// kthreadd is the parent of the kernel's threads, in the host's first
// namespaces. The connector speaks only to those who are in them, too, so the
// number is its own. Unlike process 1 it has nothing to hide.
const kthreadd = 2

func openConnector() (feed, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("socket of the proc connector: %w", err)
	}
	c := &connector{socket: os.NewFile(uintptr(fd), "proc connector")}
	err = c.listen(fd)
	if err == nil {
		c.host, err = proc(kthreadd).mountNS()
	}
	if err != nil {
		return nil, errors.Join(err, c.socket.Close())
	}
	return c, nil
}

func (c *connector) listen(fd int) error {
	// Beyond the limit for others; without the right to it the usual buffer has to do.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, connectorBuffer); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("buffer of the proc connector: %w", err)
	}
	if err := onlyExec(fd); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connectorIndex}); err != nil {
		return fmt.Errorf("bind to the proc connector: %w; it needs root in the host's network namespace", err)
	}
	return tell(fd, connectorListen)
}

func tell(fd int, op uint32) error {
	if err := unix.Sendto(fd, order(op), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("order %d to the proc connector: %w", op, err)
	}
	return nil
}

// onlyExec keeps forks, exits and all else from waking us.
func onlyExec(fd int) error {
	what := uint32(decode.WhatExec)
	var native [4]byte
	binary.NativeEndian.PutUint32(native[:], what)
	if native[0] != 0 { // a filter loads numbers in network order
		what = bits.ReverseBytes32(what)
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: decode.WhatOffset},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: what, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]} //nolint:gosec // four
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter); err != nil {
		return fmt.Errorf("filter of the proc connector: %w", err)
	}
	return nil
}

func order(op uint32) []byte {
	const length = 40
	b := make([]byte, length)
	e := binary.NativeEndian
	e.PutUint32(b[0:], length) // struct nlmsghdr
	e.PutUint16(b[4:], unix.NLMSG_DONE)
	e.PutUint32(b[16:], connectorIndex) // struct cn_msg
	e.PutUint32(b[20:], connectorValue)
	e.PutUint16(b[32:], 4)
	e.PutUint32(b[36:], op)
	return b
}

func (c *connector) next(until time.Time) (decode.Exec, error) {
	if err := c.socket.SetReadDeadline(until); err != nil {
		return decode.Exec{}, closedOr(err)
	}
	for {
		n, err := c.socket.Read(c.buffer[:])
		if errors.Is(err, unix.ENOBUFS) { // it dropped some; the kernel counts them
			continue
		}
		if err != nil {
			return decode.Exec{}, closedOr(err)
		}
		pid, at, isExec, err := decode.Connector(c.buffer[:n])
		if err != nil {
			return decode.Exec{}, err
		}
		if !isExec {
			continue
		}
		e, err := readExec(pid, c.host)
		if err != nil && !errors.Is(err, schemas.ErrInvalid) {
			c.count() // gone, or about to be: /proc has many words for it
			continue
		}
		if err == nil {
			e.Time, err = bootTime(at)
		}
		return e, err
	}
}

func closedOr(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return fmt.Errorf("read from the proc connector: %w", err)
}

// bootTime turns CLOCK_MONOTONIC, which stands still while the host sleeps,
// into CLOCK_BOOTTIME.
func bootTime(monotonic uint64) (uint64, error) {
	mono, err := nanos(unix.CLOCK_MONOTONIC)
	if err != nil {
		return 0, err
	}
	boot, err := nanos(unix.CLOCK_BOOTTIME)
	if err != nil {
		return 0, err
	}
	return monotonic + uint64(boot-mono), nil //nolint:gosec // boot is never behind
}

func (c *connector) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone++
}

func (c *connector) lost() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.gone + c.dropped, nil
	}
	dropped, err := c.drops()
	return c.gone + dropped, err
}

// drops asks the kernel how many messages did not fit the socket's buffer.
func (c *connector) drops() (uint64, error) {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("losses of the proc connector: %w", err)
	}
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0) //nolint:gosec // the call has no wrapper
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return 0, fmt.Errorf("losses of the proc connector: %w", err)
	}
	return uint64(info[unix.SK_MEMINFO_DROPS]), nil
}

func (c *connector) check() error {
	_, err := c.lost() // fails when the socket is gone
	return err
}

func (c *connector) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	dropped, err := c.drops()
	c.closed, c.dropped = true, dropped
	// Kernels before 6.6 go on making messages for a listener that just leaves.
	raw, err2 := c.socket.SyscallConn()
	if err2 == nil {
		var told error
		err2 = raw.Control(func(fd uintptr) { told = tell(int(fd), connectorIgnore) })
		err2 = errors.Join(err2, told)
	}
	return errors.Join(err, err2, c.socket.Close())
}
