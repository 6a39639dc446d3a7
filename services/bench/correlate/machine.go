package correlate

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where figures were taken, and what else it had to do.
type Machine struct {
	Cores int     `json:"cores"`
	Go    string  `json:"go"`
	Load1 float64 `json:"load_1m"` // before the run
}

// ThisMachine looks at the machine.
func ThisMachine() (Machine, error) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return Machine{}, fmt.Errorf("load of this machine: %w", err)
	}
	first, _, _ := strings.Cut(string(raw), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return Machine{}, fmt.Errorf("load of this machine: %w", err)
	}
	return Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Load1: load}, nil
}

// Rate is how many events were done in a second: of the clock, and of what the
// process had of the processors. What others do on the machine moves the second
// less.
type Rate struct {
	PerSecond    float64 `json:"events_per_second"`
	PerCPUSecond float64 `json:"events_per_cpu_second"`
}

// watch is a running measurement.
type watch struct {
	wall time.Time
	cpu  time.Duration
}

func start() (watch, error) {
	cpu, err := cpuTime()
	return watch{time.Now(), cpu}, err
}

// rate ends it.
func (w watch) rate(events int) (Rate, error) {
	var m meter
	if err := m.add(w); err != nil {
		return Rate{}, err
	}
	return m.rate(events), nil
}

// meter sums up measurements with pauses between.
type meter struct{ wall, cpu time.Duration }

// add ends a measurement.
func (m *meter) add(w watch) error {
	m.wall += time.Since(w.wall)
	now, err := cpuTime()
	m.cpu += now - w.cpu
	return err
}

func (m *meter) rate(events int) Rate {
	per := func(d time.Duration) float64 { return float64(events) / max(d, time.Microsecond).Seconds() }
	return Rate{per(m.wall), per(m.cpu)}
}

func cpuTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("processor time of this process: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// middle gives the medians of several measurements of the same.
func middle(rates []Rate) Rate {
	var wall, cpu []float64
	for _, r := range rates {
		wall, cpu = append(wall, r.PerSecond), append(cpu, r.PerCPUSecond)
	}
	return Rate{math.Round(median(wall)), math.Round(median(cpu))}
}

// median is the lower one of the two in the middle when there are two.
func median(of []float64) float64 { return quantile(of, 0.5) }

// quantile is by nearest rank: the smallest that the share q does not exceed.
func quantile(of []float64, q float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func mean(of []float64) float64 {
	sum := 0.0
	for _, v := range of {
		sum += v
	}
	return sum / float64(max(len(of), 1))
}

// ratios gives the median of the ratios of each round, so that what disturbs a
// whole round disturbs both sides.
func ratios(of, baseline []Rate, figure func(Rate) float64) float64 {
	var all []float64
	for i := range of {
		if base := figure(baseline[i]); base > 0 {
			all = append(all, figure(of[i])/base)
		}
	}
	return round(median(all), 3)
}

// The two figures of a rate. What one core does is compared by its own time;
// what waits for others, by the clock.
func byClock(r Rate) float64 { return r.PerSecond }
func byCPU(r Rate) float64   { return r.PerCPUSecond }

// spent gives how much of a processor something took that starts no goroutine,
// in microseconds. The runtime's own work in the background is left out: it
// falls on whatever happens to run.
func spent(do func()) (float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before); err != nil {
		return 0, fmt.Errorf("processor time of this thread: %w", err)
	}
	do()
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after); err != nil {
		return 0, fmt.Errorf("processor time of this thread: %w", err)
	}
	return float64(after.Nano()-before.Nano()) / 1e3, nil
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

// oneCore lets the runtime use one processor until it is given back.
func oneCore() (back func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}

// heap is what the runtime holds of objects, after what is not needed is gone.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what the first one finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse)
}

// errNothing keeps a figure of nothing from being told as one of something.
var errNothing = errors.New("nothing was measured")
