package socket

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// decode reads a line of a table of internet sockets; false when it is none.
func decode(protocol, line string) (Socket, bool) {
	f := strings.Fields(line)
	const local, remote, state, uid, inode = 1, 2, 3, 7, 9
	if len(f) <= inode {
		return Socket{}, false
	}
	s := Socket{Protocol: protocol}
	var ok1, ok2 bool
	s.Local, ok1 = address(f[local])
	s.Remote, ok2 = address(f[remote])
	st, err1 := strconv.ParseUint(f[state], 16, 8)
	var err2, err3 error
	s.UID, err2 = strconv.Atoi(f[uid])
	s.Inode, err3 = strconv.ParseUint(f[inode], 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || err3 != nil {
		return Socket{}, false
	}
	s.State = stateName(protocol, st)
	return s, true
}

func stateName(protocol string, n uint64) string {
	names := []string{
		1: "established", 2: "syn-sent", 3: "syn-received", 4: "fin-wait-1", 5: "fin-wait-2", 6: "time-wait",
		7: "close", 8: "close-wait", 9: "last-ack", 10: "listen", 11: "closing", 12: "new-syn-received",
	}
	if strings.HasPrefix(protocol, "udp") && n == 7 {
		return "unconnected"
	}
	if n < uint64(len(names)) && names[n] != "" {
		return names[n]
	}
	return strconv.FormatUint(n, 10)
}

// address reads "0100007F:1F90": words of 32 bits in the machine's own order.
func address(s string) (string, bool) {
	ip, port, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(ip)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return "", false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(n)).String(), ok
}
