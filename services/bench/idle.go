package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"firebreak/services/lab"
)

// Idle measures what a pipeline costs that has nothing to do, the bus
// included: N sleeping containers, for a time.
type Idle struct {
	N        int
	For      time.Duration
	Lab      *lab.Lab
	PID      int // the pipeline's process
	Progress Progress
}

// IdleResult is the last line of `firebreak bench idle`.
type IdleResult struct {
	Containers int     `json:"containers"`
	Seconds    float64 `json:"seconds"`
	ResidentMB float64 `json:"resident_mb"` // 10^6 bytes, the highest seen
	CPUPercent float64 `json:"cpu_percent"` // of one core
}

// Run takes the measurement.
func (i Idle) Run(ctx context.Context) (result IdleResult, err error) {
	for n := range i.N {
		run, err := i.Lab.Run(ctx, lab.Container{ID: "idle-" + strconv.Itoa(n), Args: []string{"/bin/sleep", "1000000"}})
		if err != nil {
			return result, fmt.Errorf("bench idle: %w", err)
		}
		defer func() { err = errors.Join(err, run.End(context.WithoutCancel(ctx))) }()
	}
	if err := pause(ctx, 5*time.Second); err != nil { // what their starts caused is not idleness
		return result, err
	}
	before, err := cpuTime(i.PID)
	if err != nil {
		return result, err
	}
	start := time.Now()
	peak := 0.0
	for time.Since(start) < i.For {
		if err := pause(ctx, time.Second); err != nil {
			return result, err
		}
		now, err := resident(i.PID)
		if err != nil {
			return result, err
		}
		peak = max(peak, now)
		if i.Progress != nil {
			i.Progress(int(time.Since(start).Seconds()), int(i.For.Seconds()))
		}
	}
	after, err := cpuTime(i.PID)
	if err != nil {
		return result, err
	}
	took := time.Since(start)
	round := func(v float64) float64 { return math.Round(v*100) / 100 }
	return IdleResult{
		Containers: i.N, Seconds: round(took.Seconds()),
		ResidentMB: round(peak / 1e6), CPUPercent: round(100 * float64(after-before) / float64(took)),
	}, nil
}

// cpuTime is what a process used so far, of user and system time; the kernel
// counts in hundredths of a second.
func cpuTime(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("bench idle: the pipeline ended: %w", err)
	}
	_, rest, found := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("bench idle: /proc/%d/stat is not as proc(5) says", pid)
	}
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, fmt.Errorf("bench idle: /proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// resident is VmRSS in bytes.
func resident(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("bench idle: the pipeline ended: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				return 0, fmt.Errorf("bench idle: VmRSS: %w", err)
			}
			return float64(kb) * 1024, nil
		}
	}
	return 0, errors.New("bench idle: no VmRSS in /proc status")
}
