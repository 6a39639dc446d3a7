package decode

import (
	"encoding/binary"
	"fmt"

	"firebreak/schemas"
)

// Layout of a message of the proc connector: struct nlmsghdr, struct cn_msg,
// struct proc_event.
const (
	netlinkHeader   = 16
	connectorHeader = 20
	connectorEvent  = netlinkHeader + connectorHeader
	connectorExec   = 2 // PROC_EVENT_EXEC
	connectorLength = connectorEvent + 16 + 8
)

// WhatOffset is where a message says what happened; a socket filter looks there.
const WhatOffset = connectorEvent

// WhatExec is what it says of an exec.
const WhatExec = connectorExec

// Connector takes a message of the proc connector apart: the process that
// executed a program, and when by CLOCK_MONOTONIC. It is false for messages
// about anything else.
func Connector(raw []byte) (pid int, monotonic uint64, exec bool, err error) {
	if len(raw) < connectorEvent+4 {
		return 0, 0, false, fmt.Errorf("message of the proc connector of %d bytes: %w: too short", len(raw), schemas.ErrInvalid)
	}
	if binary.NativeEndian.Uint32(raw[connectorEvent:]) != connectorExec {
		return 0, 0, false, nil
	}
	if len(raw) < connectorLength {
		return 0, 0, false, fmt.Errorf("exec message of the proc connector of %d bytes: %w: want %d", len(raw), schemas.ErrInvalid, connectorLength)
	}
	event := raw[connectorEvent:]
	return int(binary.NativeEndian.Uint32(event[20:])), binary.NativeEndian.Uint64(event[8:]), true, nil
}
