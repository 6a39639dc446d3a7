package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"firebreak/services/lab"
)

// TestMain lets the test binary be firebreak itself, so that tests run whole
// processes that can be killed, and die at named points.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_FIREBREAK") != "" {
		os.Exit(asFirebreak())
	}
	code := m.Run()
	if err := labs.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the lab:", err)
		code = 1
	}
	os.Exit(code)
}

// asFirebreak runs one command line. TEST_CRASH_AT names the point at which
// the process ends itself by SIGKILL, such as "node after planned"; with "#2"
// behind it, when it comes there for the second time.
func asFirebreak() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sh := &shell{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	if at := os.Getenv("TEST_CRASH_AT"); at != "" {
		point, nth, _ := strings.Cut(at, "#")
		wanted := int64(1)
		if nth != "" {
			if _, err := fmt.Sscan(nth, &wanted); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return exitUsage
			}
		}
		var met atomic.Int64
		sh.at = func(p string) {
			if p == point && met.Add(1) == wanted {
				if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
				select {} // the signal is on its way
			}
		}
	}
	return sh.execute(ctx, os.Args[1:])
}

// labs is the one containerd that the tests of this package share; each test
// works in a namespace of its own.
var labs sharedLab

type sharedLab struct {
	lab *lab.Lab
	dir string
}

func (s *sharedLab) get(t *testing.T) *lab.Lab {
	t.Helper()
	if s.lab != nil {
		return s.lab
	}
	dir, err := os.MkdirTemp("", "fb-")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	s.lab, err = lab.Start(context.Background(), lab.Config{Dir: dir})
	if err != nil {
		s.lab = nil
		t.Fatalf("these tests need root, containerd, runc and a static busybox: %v", err)
	}
	return s.lab
}

func (s *sharedLab) stop() error {
	if s.lab == nil {
		return nil
	}
	if err := s.lab.Stop(context.Background()); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}
