package exec

import (
	"errors"
	"fmt"
)

// connectorLoses is what the connector cannot do.
const connectorLoses = "processes that end within milliseconds are lost, and what a process changes about itself right after its start is believed"

// Ability says what the sensor can do on this host.
type Ability struct {
	Mode   Mode   // that would be used; Auto when none works
	Lost   string // what is lost in that mode; "" for nothing
	Why    error  // why it is not BPF
	Remedy string
}

// Probe tries the modes in turn, leaving nothing behind. It is for people who
// ask what this host can do; [Source.Probe] is for a source that runs.
func Probe() Ability {
	f, mode, why, err := open(Auto, probeBuffer)
	if err != nil {
		return Ability{Lost: "every exec in a container", Why: err, Remedy: remedy}
	}
	a := Ability{Mode: mode, Why: errors.Join(why, f.close())}
	if mode == Connector {
		a.Lost, a.Remedy = connectorLoses, remedy
	}
	return a
}

const probeBuffer = 1 << 16

const remedy = "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE, on Linux 5.8 or later with BTF (/sys/kernel/btf/vmlinux)"

// open gives a feed of the mode; with Auto the connector stands in for BPF, and
// why says what was the matter with that.
func open(mode Mode, buffer uint32) (f feed, used Mode, why, err error) {
	var errBPF, errConnector error
	if mode != Connector {
		if f, errBPF = openKernel(buffer); errBPF == nil {
			return f, BPF, nil, nil
		}
	}
	if mode != BPF {
		if f, errConnector = openConnector(); errConnector == nil {
			return f, Connector, errBPF, nil
		}
	}
	return nil, Auto, nil, fmt.Errorf("exec sensor: no way to hear of an exec: %w; %s", errors.Join(errBPF, errConnector), remedy)
}
