package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness of the processes that contain. What they contain may use every
// core there is; containment must not queue behind it.
const niceness = -15

// raisePriority gives every thread of this process the niceness, and the
// session's autogroup too, without which niceness counts only inside the
// session. Threads made later take it from the thread that makes them.
func raisePriority() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list own threads: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return fmt.Errorf("own thread %q: %w", t.Name(), err)
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, niceness); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("raise priority to niceness %d: %w", niceness, err)
		}
	}
	err = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(niceness)), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("raise the session's priority: %w", err)
	}
	return nil
}
