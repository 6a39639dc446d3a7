package decode

// Exec is one successful exec as the kernel saw it, before the program's first
// instruction. All ids are those of the host.
type Exec struct {
	Time  uint64 // CLOCK_BOOTTIME in ns
	Start uint64 // of the process, same clock

	PID         int
	UID         uint32 // effective
	Args        []string
	ArgsCut     bool // there were more, or the last one was longer
	ArgsMissing bool // they could not be read

	Filename string // as given to execve: relative, a link, a script
	Path     string // of the program, in the mount namespace it was found in
	PathCut  bool   // the beginning of Path is missing
	File     File

	Parent Parent

	Cgroups    Cgroups
	RootDevice uint32 // of the file system at the process's root
	MountNS    uint32
	HostMount  uint32 // mount namespace of the host's process 1
}

// File holds the kernel's facts about an executable.
type File struct {
	Device  uint32 // as the kernel numbers it: major<<20 | minor
	Inode   uint64
	Size    uint64
	Magic   uint32 // of its file system
	Links   uint32 // names that lead to it
	MountNS uint32 // that its mount belongs to; 0 when it belongs to none

	Upper        bool // an overlay has it in its upper layer
	LayerUnknown bool // it could not be told whether it has; never so with BPF
	KernelMount  bool // it lies on a mount of the kernel's own
	TopMount     bool // its mount is the one at / of a mount namespace
	UserMount    bool // its file system was mounted in a user namespace
}

// Parent is the process that the new one is a child of at the moment.
type Parent struct {
	PID     int
	Start   uint64
	Path    string
	PathCut bool
	Device  uint32 // of its executable
	Inode   uint64
	Size    uint64
	MountNS uint32
	Cgroups Cgroups
}

// Cgroups are the paths of a process's control groups.
type Cgroups struct {
	V1 string // in a version 1 hierarchy; "" where there is none, or at its root
	V2 string // in the unified hierarchy; "" at its root
	ID uint64 // in the unified hierarchy
}

// Magic numbers of file systems.
const (
	MagicOverlay = 0x794c7630
	MagicTmpfs   = 0x01021994
	MagicRamfs   = 0x858458f6
	MagicHuge    = 0x958458f6
)
