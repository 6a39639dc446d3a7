package decode

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

// raw lays an event out as the BPF program does: numbers count up, so that each
// one is known by its place.
func raw(flags uint32, parts [sections]string) []byte {
	var b []byte
	for i := range 8 {
		b = binary.LittleEndian.AppendUint64(b, uint64(1000+i))
	}
	for i := range 14 {
		n := uint32(i + 1)
		if i == 3 {
			n = flags
		}
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(p)))
	}
	return append(b, strings.Join(parts[:], "")...)
}

var sample = [sections]string{
	"/bin/sh\x00-c\x00\x00", "./sh\x00", "busybox\x00bin\x00", "runc\x00sbin\x00usr\x00",
	"one\x00default\x00", "", "two\x00", "three\x00",
}

func TestDecode(t *testing.T) {
	full := Exec{
		Time: 1000, Start: 1001, PID: 1, UID: 3,
		Args: []string{"/bin/sh", "-c", ""}, Filename: "./sh", Path: "/bin/busybox",
		File:       File{Device: 5, Inode: 1004, Size: 1005, Magic: 6, Links: 7, MountNS: 13},
		RootDevice: 8, MountNS: 10, HostMount: 12,
		Cgroups: Cgroups{V1: "/default/one", ID: 1003},
		Parent: Parent{
			PID: 2, Start: 1002, Path: "/usr/sbin/runc", Device: 9, Inode: 1006, Size: 1007, MountNS: 11,
			Cgroups: Cgroups{V1: "/two", V2: "/three"},
		},
	}
	same := full
	same.Parent.Cgroups = same.Cgroups
	flagged := full
	flagged.ArgsCut, flagged.ArgsMissing, flagged.PathCut, flagged.Parent.PathCut = true, true, true, true
	flagged.File.Upper, flagged.File.KernelMount, flagged.File.TopMount, flagged.File.UserMount = true, true, true, true
	tests := map[string]struct {
		raw  []byte
		want Exec
		err  error
	}{
		"all":             {raw: raw(0, sample), want: full},
		"parent's groups": {raw: raw(flagParentCgroups, sample), want: same},
		"flags":           {raw: raw(flagParentCgroups-1, sample), want: flagged},
		"rest is ignored": {raw: append(raw(0, sample), "padding"...), want: full},
		"empty":           {raw: nil, err: schemas.ErrInvalid},
		"header cut":      {raw: raw(0, sample)[:header-1], err: schemas.ErrInvalid},
		"data cut":        {raw: raw(0, sample)[:header+30], err: schemas.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(test.raw)
			if !errors.Is(err, test.err) {
				t.Fatalf("error: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(raw(0, sample))
	f.Add(raw(^uint32(0), [sections]string{}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := Decode(raw)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("class of %v", err)
			}
			return
		}
		n := 0
		for _, a := range e.Args {
			n += len(a) + 1
		}
		if n > len(raw) {
			t.Errorf("%d bytes of arguments out of %d", n, len(raw))
		}
		for _, p := range []string{e.Path, e.Parent.Path, e.Cgroups.V1, e.Cgroups.V2} {
			if p != "" && p[0] != '/' {
				t.Errorf("path %q", p)
			}
		}
	})
}

func message(what uint32, length int) []byte {
	b := make([]byte, length)
	binary.NativeEndian.PutUint32(b[connectorEvent:], what)
	if length >= connectorLength {
		binary.NativeEndian.PutUint64(b[connectorEvent+8:], 77)
		binary.NativeEndian.PutUint32(b[connectorEvent+16:], 5) // the thread
		binary.NativeEndian.PutUint32(b[connectorEvent+20:], 4)
	}
	return b
}

func TestConnector(t *testing.T) {
	tests := map[string]struct {
		raw  []byte
		pid  int
		at   uint64
		exec bool
		err  error
	}{
		"exec":     {raw: message(connectorExec, connectorLength), pid: 4, at: 77, exec: true},
		"fork":     {raw: message(1, connectorLength)},
		"cut exec": {raw: message(connectorExec, connectorLength-1), err: schemas.ErrInvalid},
		"nothing":  {raw: nil, err: schemas.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pid, at, exec, err := Connector(test.raw)
			if pid != test.pid || at != test.at || exec != test.exec || !errors.Is(err, test.err) {
				t.Errorf("got %d, %d, %t, %v", pid, at, exec, err)
			}
		})
	}
}

func FuzzConnector(f *testing.F) {
	f.Add(message(connectorExec, connectorLength))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, _, exec, err := Connector(raw); err != nil && (exec || !errors.Is(err, schemas.ErrInvalid)) {
			t.Errorf("exec %t with error %v", exec, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	event := raw(0, sample)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(event); err != nil {
			b.Fatal(err)
		}
	}
}
