package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"firebreak/schemas"
)

// Flags of struct event.
const (
	flagArgsCut = 1 << iota
	flagArgsMissing
	flagPathCut
	flagParentPathCut
	flagCgroupCut
	flagUpper
	flagKernelMount
	flagTopMount
	flagUserMount
	flagParentCgroups
)

// Sections of struct event's data.
const (
	sectionArgs = iota
	sectionFilename
	sectionPath
	sectionParentPath
	sectionV1
	sectionV2
	sectionParentV1
	sectionParentV2
	sections
)

// header is the fixed part of struct event: 8 numbers of 64 bits, 14 of 32,
// and the sections' lengths.
const header = 8*8 + 14*4 + sections*2

// Decode takes one raw event apart. It keeps nothing of raw.
func Decode(raw []byte) (Exec, error) {
	if len(raw) < header {
		return Exec{}, fmt.Errorf("exec event of %d bytes: %w: shorter than its header of %d", len(raw), schemas.ErrInvalid, header)
	}
	parts, err := split(raw)
	if err != nil {
		return Exec{}, err
	}
	u64 := func(i int) uint64 { return binary.LittleEndian.Uint64(raw[i*8:]) }
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(raw[64+i*4:]) }
	flags := u32(3)
	is := func(f uint32) bool { return flags&f != 0 }
	e := Exec{
		Time: u64(0), Start: u64(1), PID: int(u32(0)), UID: u32(2),
		Args: args(parts[sectionArgs]), ArgsCut: is(flagArgsCut), ArgsMissing: is(flagArgsMissing),
		Filename: text(parts[sectionFilename]),
		Path:     climb(parts[sectionPath]), PathCut: is(flagPathCut),
		File: File{
			Device: u32(4), Inode: u64(4), Size: u64(5), Magic: u32(5), Links: u32(6), MountNS: u32(12),
			Upper: is(flagUpper), KernelMount: is(flagKernelMount), TopMount: is(flagTopMount), UserMount: is(flagUserMount),
		},
		Parent: Parent{
			PID: int(u32(1)), Start: u64(2), Path: climb(parts[sectionParentPath]), PathCut: is(flagParentPathCut),
			Device: u32(8), Inode: u64(6), Size: u64(7), MountNS: u32(10),
			Cgroups: Cgroups{V1: climb(parts[sectionParentV1]), V2: climb(parts[sectionParentV2])},
		},
		Cgroups:    Cgroups{V1: climb(parts[sectionV1]), V2: climb(parts[sectionV2]), ID: u64(3)},
		RootDevice: u32(7), MountNS: u32(9), HostMount: u32(11),
	}
	if is(flagParentCgroups) {
		e.Parent.Cgroups = e.Cgroups
	}
	return e, nil
}

// split cuts the data into its sections.
func split(raw []byte) (parts [sections][]byte, err error) {
	data := raw[header:]
	for i := range parts {
		n := int(binary.LittleEndian.Uint16(raw[header-2*sections+2*i:]))
		if n > len(data) {
			return parts, fmt.Errorf("exec event: %w: section %d of %d bytes is longer than what is left (%d)", schemas.ErrInvalid, i, n, len(data))
		}
		parts[i], data = data[:n], data[n:]
	}
	return parts, nil
}

// args are texts that each end in a NUL; the last one of a cut list may not.
func args(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
}

func text(b []byte) string { return string(bytes.TrimSuffix(b, []byte{0})) }

// climb makes a path of names that were gathered on the way up: each ends in a
// NUL, the last element comes first.
func climb(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	var path strings.Builder
	path.Grow(len(b))
	for b = bytes.TrimSuffix(b, []byte{0}); ; {
		i := bytes.LastIndexByte(b, 0)
		path.WriteByte('/')
		path.Write(b[i+1:])
		if i < 0 {
			return path.String()
		}
		b = b[:i]
	}
}
