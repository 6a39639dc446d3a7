package usage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/decode"
)

// errOther is for a pid that belongs to another cgroup than the container's by now.
var errOther = errors.New("its process has ended and the pid is another's")

// use is one sample. What the kernel does not count is nil.
type use struct {
	cpu    *schemas.CPU
	memory *schemas.Memory
	pids   *schemas.Pids
}

// place is where a container's counters lie.
type place struct {
	cpu, memory, memoryLimit, pids string
	cpuStat                        bool // cpu is v2's cpu.stat, in microseconds
}

// last is what the sample before saw.
type last struct {
	place place
	cpu   time.Duration
	at    time.Time // monotonic
	round uint64
}

type lastKey struct {
	namespace, id string
	pid           int
}

type sampler struct {
	mounts mounts
	round  uint64
	lasts  map[lastKey]*last
}

func newSampler(m mounts) *sampler { return &sampler{mounts: m, lasts: map[lastKey]*last{}} }

func (s *sampler) begin() { s.round++ }

// end forgets the containers that were not sampled in this round.
func (s *sampler) end() {
	for k, l := range s.lasts {
		if l.round != s.round {
			delete(s.lasts, k)
		}
	}
}

// sample reads the counters. The first sample of a container has no CPU share.
func (s *sampler) sample(f runtime.Facts) (use, time.Time, error) {
	k := lastKey{f.Container.Namespace, f.Container.ID, f.Container.PID}
	l, seen := s.lasts[k]
	if !seen {
		p, err := s.find(f)
		if err != nil {
			return use{}, time.Time{}, err
		}
		l = &last{place: p}
	}
	used, err := l.place.readCPU()
	now := time.Now()
	if errors.Is(err, os.ErrNotExist) && l.place.cpu != "" {
		return use{}, now, fmt.Errorf("container %s: %w", f.Container.ID, err)
	}
	var u use
	if seen && err == nil && now.After(l.at) && used >= l.cpu {
		u.cpu = &schemas.CPU{Utilization: float64(used-l.cpu) / float64(now.Sub(l.at))}
	}
	if n, ok := readNumber(l.place.memory); ok {
		u.memory = &schemas.Memory{Usage: n}
		if limit, ok := readNumber(l.place.memoryLimit); ok && limit < 1<<60 { // v1 writes "no limit" as a huge number
			u.memory.Limit = limit
		}
	}
	if n, ok := readNumber(l.place.pids); ok {
		u.pids = &schemas.Pids{Count: n}
	}
	l.cpu, l.at, l.round = used, now, s.round
	s.lasts[k] = l
	return u, now, nil
}

// find goes from the container's process to its counters.
func (s *sampler) find(f runtime.Facts) (place, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(f.Container.PID) + "/cgroup")
	if err != nil {
		return place{}, fmt.Errorf("container %s: %w", f.Container.ID, err)
	}
	groups := decode.ParseCgroups(raw)
	if f.Container.Cgroup == "" {
		return s.mounts.place(groups), nil
	}
	if !decode.Within(groups.Container(), f.Container.Cgroup) {
		return place{}, fmt.Errorf("container %s: %w", f.Container.ID, errOther)
	}
	return s.mounts.place(groups.Up(f.Container.Cgroup)), nil
}

// place prefers v1's file of a controller: on hybrid hosts the unified
// hierarchy has no such controller.
func (m mounts) place(g decode.Cgroups) place {
	var p place
	unified := ""
	if m.unified != "" && g.Unified != "" {
		unified = filepath.Join(m.unified, g.Unified)
	}
	in := func(controller, v1, v2 string) string {
		if at, group := m.v1[controller], g.V1[controller]; at != "" && group != "" {
			return filepath.Join(at, group, v1)
		}
		if unified == "" {
			return ""
		}
		return filepath.Join(unified, v2)
	}
	p.cpu = in("cpuacct", "cpuacct.usage", "cpu.stat")
	p.cpuStat = filepath.Base(p.cpu) == "cpu.stat"
	p.memory = in("memory", "memory.usage_in_bytes", "memory.current")
	p.memoryLimit = in("memory", "memory.limit_in_bytes", "memory.max")
	p.pids = in("pids", "pids.current", "pids.current")
	return p
}

func (p place) readCPU() (time.Duration, error) {
	raw, err := os.ReadFile(p.cpu)
	if err != nil {
		return 0, err
	}
	if p.cpuStat {
		_, rest, ok := bytes.Cut(raw, []byte("usage_usec "))
		if !ok {
			return 0, fmt.Errorf("%s: %w: no usage_usec", p.cpu, schemas.ErrInvalid)
		}
		raw, _, _ = bytes.Cut(rest, []byte("\n"))
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return time.Duration(n) * time.Microsecond, err
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(raw)), 10, 64)
	return time.Duration(n), err
}

// readNumber reads a counter; "max" and a file that is not there are none.
func readNumber(path string) (uint64, bool) {
	if path == "" {
		return 0, false
	}
	raw, err := os.ReadFile(path) //nolint:gosec // a file of the kernel
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(raw)), 10, 64)
	return n, err == nil
}
