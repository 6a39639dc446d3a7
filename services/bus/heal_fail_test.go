package bus

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// When starting it anew does not help, its owner is told, once.
func TestFailed(t *testing.T) {
	cases := map[string]struct {
		prepare func(t *testing.T, s *Server)
		text    string
	}{
		"it was tried often enough": {func(_ *testing.T, s *Server) { s.healer.tries = healTries }, "restart Firebreak"},
		"its port was taken": {func(t *testing.T, s *Server) {
			s.ns.Shutdown()
			s.ns.WaitForShutdown()
			l, err := net.Listen("tcp", strings.TrimPrefix(s.Address(), "nats://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
			s.patience = 300 * time.Millisecond
		}, "a restart of Firebreak heals it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, _ := testCore(t)
			s.space.stop() // the test looks instead
			c.prepare(t, s)
			s.said.complain("write " + filepath.Join("x", "y") + ": no space left on device")
			s.mend(t.Context(), 1<<40)
			select {
			case err := <-s.Failed():
				if !errors.Is(err, ErrUnavailable) && name == "it was tried often enough" || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v", err)
				}
			default:
				t.Fatal("the owner was not told")
			}
			s.mend(t.Context(), 1<<40)
			if len(s.failed) > 0 {
				t.Error("told twice")
			}
		})
	}
}
