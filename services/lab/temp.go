package lab

import (
	"context"
	"os"
	"time"
)

// TB is what Temp needs of a testing.TB; the package does not import testing,
// for the demo uses it too.
type TB interface {
	Helper()
	Cleanup(func())
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Temp starts a lab that ends with the test. Where a lab cannot run, the test fails.
func Temp(t TB) *Lab {
	t.Helper()
	return temp(t, Config{})
}

// TempV2 is [Temp] with containers that live in cgroup v2 alone.
func TempV2(t TB) *Lab {
	t.Helper()
	return temp(t, Config{V2: true})
}

func temp(t TB, cfg Config) *Lab {
	t.Helper()
	// t.TempDir is too long a name for a socket's path.
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatalf("folder of the lab: %v", err)
	}
	cfg.Dir = dir
	l, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start the lab: %v (folder %s left for inspection)", err, dir)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
		defer cancel()
		if err := l.Stop(ctx); err != nil {
			t.Errorf("stop the lab: %v", err)
			return // removing the folder could reach through a mount that is left
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the lab's folder: %v", err)
		}
	})
	return l
}
