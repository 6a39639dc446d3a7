package exec

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bootID names this boot of the kernel.
func bootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("exec source: id of this boot: %w; is /proc mounted?", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// clock turns CLOCK_BOOTTIME, which the kernel stamps events with, into wall
// time. The difference changes when the wall clock is set, so it is measured
// anew when the last measurement is a second older than the event.
type clock struct {
	offset   int64  // wall - boot, ns
	measured uint64 // boot
}

const remeasure = uint64(time.Second)

func (c *clock) wall(boot uint64) time.Time {
	if c.measured == 0 || boot > c.measured+remeasure {
		if err := c.measure(); err != nil && c.measured == 0 {
			return time.Now()
		}
	}
	return time.Unix(0, int64(boot)+c.offset).UTC() //nolint:gosec // boot time in ns fits for 292 years
}

// measure reads the wall clock between two readings of the other; of a few
// tries it takes the one that was disturbed least.
func (c *clock) measure() error {
	best := int64(-1)
	for range 3 {
		before, err := nanos(unix.CLOCK_BOOTTIME)
		if err != nil {
			return err
		}
		wall := time.Now().UnixNano()
		after, err := nanos(unix.CLOCK_BOOTTIME)
		if err != nil {
			return err
		}
		if took := after - before; best < 0 || took < best {
			best = took
			c.offset = wall - before - took/2
			c.measured = uint64(after) //nolint:gosec // never negative
		}
	}
	return nil
}

func nanos(id int32) (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, fmt.Errorf("read clock %d: %w", id, err)
	}
	return ts.Nano(), nil
}
