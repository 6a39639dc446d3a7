package socket

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// word writes an address as this machine's kernel does.
func word(a, b, c, d byte) string {
	n := binary.NativeEndian.Uint32([]byte{a, b, c, d})
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for shift := 28; shift >= 0; shift -= 4 {
		out.WriteByte(hex[n>>shift&15])
	}
	return out.String()
}

func TestDecode(t *testing.T) {
	local, zero := word(127, 0, 0, 1), word(0, 0, 0, 0)
	rest := " 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0"
	for name, tc := range map[string]struct {
		protocol, line string
		want           Socket
	}{
		"listens":   {"tcp", "   0: " + local + ":1F90 " + zero + ":0000 0A" + rest, Socket{Protocol: "tcp", State: "listen", Local: "127.0.0.1:8080", Remote: "0.0.0.0:0", UID: 1000, Inode: 4242}},
		"connected": {"tcp", "   1: " + local + ":1F90 " + word(10, 1, 2, 3) + ":01BB 01" + rest, Socket{Protocol: "tcp", State: "established", Local: "127.0.0.1:8080", Remote: "10.1.2.3:443", UID: 1000, Inode: 4242}},
		"udp":       {"udp", " 999: " + local + ":0035 " + zero + ":0000 07" + rest, Socket{Protocol: "udp", State: "unconnected", Local: "127.0.0.1:53", Remote: "0.0.0.0:0", UID: 1000, Inode: 4242}},
		"v6": {
			"tcp6", "   0: " + zero + zero + zero + word(0, 0, 0, 1) + ":0050 " + zero + zero + zero + zero + ":0000 0A" + rest,
			Socket{Protocol: "tcp6", State: "listen", Local: "[::1]:80", Remote: "[::]:0", UID: 1000, Inode: 4242},
		},
		"a state to come": {"tcp", "   0: " + local + ":1F90 " + zero + ":0000 63" + rest, Socket{Protocol: "tcp", State: "99", Local: "127.0.0.1:8080", Remote: "0.0.0.0:0", UID: 1000, Inode: 4242}},
	} {
		got, ok := decode(tc.protocol, tc.line)
		if diff := cmp.Diff(tc.want, got); !ok || diff != "" {
			t.Errorf("%s: %v %s", name, ok, diff)
		}
	}
	for _, bad := range []string{"", "0: x", "0: 0100007F:1F90 00000000:0000 0A", "0: 01007F:1F90 00000000:0000 0A" + rest, "0: 0100007F 00000000:0000 0A" + rest, "0: 0100007F:1F90 00000000:10000 0A" + rest, "0: 0100007F:1F90 00000000:0000 XX" + rest} {
		if got, ok := decode("tcp", bad); ok {
			t.Errorf("%q: read as %+v", bad, got)
		}
	}
}

// message writes a struct unix_diag_msg with attributes.
func message(kind, state byte, inode uint32, attributes ...[]byte) []byte {
	b := make([]byte, messageSize)
	b[0], b[1], b[2] = unix.AF_UNIX, kind, state
	binary.NativeEndian.PutUint32(b[4:], inode)
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

func attribute(kind uint16, v string) []byte {
	b := make([]byte, 4, 4+len(v)+3)
	binary.NativeEndian.PutUint16(b, uint16(4+len(v)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	b = append(b, v...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func TestDecodeUnix(t *testing.T) {
	uid := make([]byte, 4)
	binary.NativeEndian.PutUint32(uid, 1000)
	for name, tc := range map[string]struct {
		b    []byte
		want Socket
	}{
		"listens": {message(unix.SOCK_STREAM, stateListen, 7, attribute(nameOf, "/run/a b\x00"), attribute(uidOf, string(uid))), Socket{Protocol: "unix", State: "listen", Path: "/run/a b", Inode: 7, UID: 1000}},
		"no file": {message(unix.SOCK_DGRAM, 7, 8, attribute(nameOf, "\x00x\x00y")), Socket{Protocol: "unix", State: "unconnected, datagram", Path: "x\x00y", Abstract: true, Inode: 8}},
		"unnamed": {message(unix.SOCK_SEQPACKET, stateConnected, 9), Socket{Protocol: "unix", State: "connected, packets", Inode: 9}},
		"unknown": {message(unix.SOCK_STREAM, 7, 9, attribute(99, "x"), attribute(uidOf, "x")), Socket{Protocol: "unix", State: "unconnected", Inode: 9}},
	} {
		got, ok := decodeUnix(tc.b)
		if diff := cmp.Diff(tc.want, got); !ok || diff != "" {
			t.Errorf("%s: %v %s", name, ok, diff)
		}
	}
	whole := message(unix.SOCK_STREAM, 7, 9, attribute(nameOf, "/long/path"))
	for _, bad := range [][]byte{nil, whole[:messageSize-1], whole[:len(whole)-4], append([]byte{unix.AF_INET}, whole[1:]...), append(message(1, 1, 1), 0, 0, 0, 0)} {
		if got, ok := decodeUnix(bad); ok {
			t.Errorf("%x: read as %+v", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("tcp", "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0")
	f.Add("udp6", "x")
	f.Fuzz(func(t *testing.T, protocol, line string) {
		if s, ok := decode(protocol, line); ok && (s.State == "" || s.Local == "" || s.Remote == "" || s.Path != "" || s.Protocol != protocol) {
			t.Errorf("%q: %+v", line, s)
		}
	})
}

func FuzzDecodeUnix(f *testing.F) {
	f.Add(message(1, 1, 1, attribute(nameOf, "/x\x00"), attribute(uidOf, "1234")))
	f.Add(message(2, 7, 1, attribute(nameOf, "\x00")))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := decodeUnix(b)
		if ok && (s.Protocol != "unix" || s.State == "" || s.Local != "" || len(s.Path) > len(b)) {
			t.Errorf("%x: %+v", b, s)
		}
	})
}
