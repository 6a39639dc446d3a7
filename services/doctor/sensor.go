package doctor

// Sensor is what the exec sensor's own probe found on this host.
type Sensor struct {
	Mode   string // how it would work; "" or "auto": not at all
	Lost   string // what is lost that way; "" for nothing
	Why    error  // why not by eBPF
	Remedy string
}

func sensor(probe func() Sensor) Result {
	s := probe()
	switch {
	case s.Mode == "" || s.Mode == "auto":
		return fail(s.Remedy, "no process can be seen to start: %v", s.Why)
	case s.Lost != "":
		return warn(s.Remedy, "by %s only: %s; eBPF: %v", s.Mode, s.Lost, s.Why)
	default:
		return ok("by %s", s.Mode)
	}
}
