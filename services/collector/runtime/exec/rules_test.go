package exec

import (
	"testing"

	"firebreak/services/collector/runtime/cgroup"
	"firebreak/services/collector/runtime/exec/decode"
)

// Numbers of the facts in the tables below.
const (
	hostNS, containerNS, otherNS = 1, 2, 3
	rootDevice, otherDevice      = 11, 12
)

func TestOrigin(t *testing.T) {
	image := decode.File{Magic: decode.MagicOverlay, Device: rootDevice, MountNS: containerNS, TopMount: true, Links: 1}
	with := func(change func(f *decode.File)) decode.File {
		f := image
		change(&f)
		return f
	}
	tests := map[string]struct {
		file decode.File
		want string
	}{
		"image":                     {image, originImage},
		"upper":                     {with(func(f *decode.File) { f.Upper = true }), originUpper},
		"layer out of sight":        {with(func(f *decode.File) { f.LayerUnknown = true }), originUnknown},
		"root bound elsewhere":      {with(func(f *decode.File) { f.TopMount, f.Upper = false, true }), originUpper},
		"another overlay":           {with(func(f *decode.File) { f.Device, f.TopMount = otherDevice, false }), originVolume},
		"another overlay at /":      {with(func(f *decode.File) { f.Device = otherDevice }), originVolume},
		"overlay by a user":         {with(func(f *decode.File) { f.UserMount, f.TopMount = true, false }), originVolume},
		"overlay by a user at /":    {with(func(f *decode.File) { f.UserMount = true }), originUnknown},
		"volume":                    {decode.File{Magic: 0xef53, Device: otherDevice, MountNS: containerNS}, originVolume},
		"root without layers":       {decode.File{Magic: 0xef53, Device: rootDevice, MountNS: containerNS, TopMount: true}, originUnknown},
		"volume on the root's disk": {decode.File{Magic: 0xef53, Device: rootDevice, MountNS: containerNS}, originVolume},
		"tmpfs":                     {decode.File{Magic: decode.MagicTmpfs, Device: otherDevice, MountNS: containerNS, Links: 1}, originTmpfs},
		"tmpfs file without a name": {decode.File{Magic: decode.MagicTmpfs, Device: otherDevice, MountNS: containerNS}, originTmpfs},
		"memfd":                     {decode.File{Magic: decode.MagicTmpfs, KernelMount: true}, originMemfd},
		"memfd of huge pages":       {decode.File{Magic: decode.MagicHuge, KernelMount: true}, originMemfd},
		"ramfs":                     {decode.File{Magic: decode.MagicRamfs, MountNS: containerNS}, originTmpfs},
		"host":                      {decode.File{Magic: 0xef53, Device: otherDevice, MountNS: hostNS}, originHost},
		"another container's":       {decode.File{Magic: decode.MagicOverlay, Device: otherDevice, MountNS: otherNS}, originUnknown},
		"unmounted volume":          {decode.File{Magic: 0xef53, Device: otherDevice}, originUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := decode.Exec{File: test.file, MountNS: containerNS, HostMount: hostNS}
			if got := origin(&e, rootDevice); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestHostOrigin(t *testing.T) {
	for want, file := range map[string]decode.File{
		originHost:  {Magic: 0xef53, MountNS: otherNS}, // a service with mounts of its own
		originTmpfs: {Magic: decode.MagicTmpfs, MountNS: hostNS, Links: 1},
		originMemfd: {Magic: decode.MagicTmpfs, KernelMount: true},
	} {
		if got := hostOrigin(&decode.Exec{File: file, MountNS: otherNS, HostMount: hostNS}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSetUp(t *testing.T) {
	const container = "/kubepods/pod1/c1"
	runc := func(change func(e *decode.Exec)) decode.Exec {
		e := decode.Exec{
			MountNS: hostNS, HostMount: hostNS, Cgroups: decode.Cgroups{V1: container},
			File: decode.File{Device: 7, Inode: 8, Size: 9, MountNS: hostNS},
			Parent: decode.Parent{
				PID: 50, Start: 60, Path: "/usr/sbin/runc", MountNS: hostNS, Device: 7, Inode: 8, Size: 9,
				Cgroups: decode.Cgroups{V1: "/system.slice/containerd.service"},
			},
		}
		change(&e)
		return e
	}
	memfd := func(e *decode.Exec) { e.File = decode.File{Inode: 1000, Size: 9, KernelMount: true} }
	tests := map[string]struct {
		exec decode.Exec
		want bool
	}{
		"runc itself":                         {runc(func(*decode.Exec) {}), true},
		"its memfd":                           {runc(memfd), true},
		"unified only":                        {runc(func(e *decode.Exec) { e.Cgroups = decode.Cgroups{V2: container} }), true},
		"another file":                        {runc(func(e *decode.Exec) { e.File.Inode++ }), false},
		"a larger memfd":                      {runc(func(e *decode.Exec) { memfd(e); e.File.Size++ }), false},
		"a file with the same size at a path": {runc(func(e *decode.Exec) { e.File.Inode++; e.File.MountNS = hostNS }), false},
		"inside already":                      {runc(func(e *decode.Exec) { e.MountNS = containerNS }), false},
		"born inside":                         {runc(func(e *decode.Exec) { e.Parent.Cgroups = e.Cgroups }), false},
		"born below":                          {runc(func(e *decode.Exec) { e.Parent.Cgroups.V1 = container + "/nested" }), false},
		"a neighbour":                         {runc(func(e *decode.Exec) { e.Parent.Cgroups.V1 = container + "2" }), true},
		"adopted by 1":                        {runc(func(e *decode.Exec) { e.Parent.PID = 1 }), false},
		"adopted by shim":                     {runc(func(e *decode.Exec) { e.Parent.Path = "/usr/bin/containerd-shim-runc-v2" }), false},
		"adopted before":                      {runc(func(e *decode.Exec) { e.Parent.PID = 99 }), false},
		"a later process with that pid":       {runc(func(e *decode.Exec) { e.Parent.PID, e.Parent.Start = 99, 1 }), true},
		"no parent":                           {runc(func(e *decode.Exec) { e.Parent = decode.Parent{} }), false},
	}
	in := cgroup.Candidate{ID: "c1", Path: container}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := adopters{}
			a.note(&decode.Exec{ // a program of the container, adopted by 99
				MountNS: containerNS, Cgroups: decode.Cgroups{V1: container},
				Parent: decode.Parent{PID: 99, Start: 60, MountNS: hostNS, Cgroups: decode.Cgroups{V1: "/"}},
			}, in)
			if got := a.setUp(&test.exec, in); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestBears(t *testing.T) {
	tests := map[string]struct {
		told, path string
		want       bool
	}{
		"not told":                {"", "/default/one", true},
		"systemd's form":          {"system.slice:docker:one", "/system.slice/docker-one.scope", true},
		"the same":                {"/default/one", "/default/one", true},
		"from a cgroup namespace": {"/default/one", "/docker/node/default/one", true},
		"moved further down":      {"/default/one/init", "/default/one", true},
		"a folder with that name": {"/default/default", "/default", false},
		"the one in the folder":   {"/default/default", "/default/default", true},
		"another place":           {"/other/one", "/default/one", false},
		"a name that only begins": {"/default/one2", "/default/one", false},
		"a scope":                 {"/a.slice/nerdctl-one.scope", "/a.slice/nerdctl-one.scope", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := bears(test.told, cgroup.Candidate{Path: test.path}); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
