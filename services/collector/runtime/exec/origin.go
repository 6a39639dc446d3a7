package exec

import "firebreak/services/collector/runtime/exec/decode"

// Origins of an executable, as schemas.Executable lists them.
const (
	originImage   = "image"
	originUpper   = "upper"
	originVolume  = "volume"
	originTmpfs   = "tmpfs"
	originMemfd   = "memfd"
	originHost    = "host"
	originUnknown = "unknown"
)

// origin says where the executable of a process in a container comes from.
// root is the device of the container's own root file system.
//
// An overlay counts as the image's layers only when it is that root and was
// mounted outside any user namespace: whoever may mount can put an overlay over
// a file of his own, and it would lie in a lower layer there.
//
// A file that was only touched (chmod, chown) is in the upper layer, too.
func origin(e *decode.Exec, root uint32) string {
	f := &e.File
	switch {
	case f.KernelMount && f.Links == 0 && (f.Magic == decode.MagicTmpfs || f.Magic == decode.MagicHuge):
		return originMemfd
	case f.Magic == decode.MagicTmpfs || f.Magic == decode.MagicRamfs:
		return originTmpfs
	case f.MountNS == e.HostMount && f.MountNS != 0:
		return originHost
	case f.Magic == decode.MagicOverlay && f.Device == root && !f.UserMount:
		return layer(f)
	case f.MountNS == 0 || f.MountNS != e.MountNS:
		return originUnknown // unmounted meanwhile, or another container's
	case f.Device == root && f.TopMount:
		return originUnknown // the root is no overlay: image and changes look the same
	default:
		return originVolume
	}
}

func layer(f *decode.File) string {
	switch {
	case f.LayerUnknown:
		return originUnknown
	case f.Upper:
		return originUpper
	default:
		return originImage
	}
}

// hostOrigin is the origin for a process outside any container.
func hostOrigin(e *decode.Exec) string {
	if o := origin(e, 0); o == originMemfd || o == originTmpfs {
		return o
	}
	return originHost
}
