package action

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/lab"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/evidence"
	"firebreak/services/responder/action/notify"
	"firebreak/services/responder/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cases say how each listed action is tried on the real world.
func cases() map[string]func(*testing.T) conformance.Case {
	return map[string]func(*testing.T) conformance.Case{
		"container.pause":  pausing,
		"evidence.capture": capturing,
		"notify.log":       notifying,
	}
}

func TestConformance(t *testing.T) {
	all := cases()
	for _, s := range Specs() {
		if all[s.Name] == nil {
			t.Errorf("no case for action %s", s.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { conformance.Run(t, all[name](t)) })
	}
}

// notices keeps what was told. The same line twice is the same notice: a
// reader knows it by its incident and task.
type notices struct {
	mu   sync.Mutex
	told map[notify.Notice]bool
}

func (n *notices) Notify(_ context.Context, one notify.Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told[one] = true
	return nil
}

func notifying(*testing.T) conformance.Case {
	sink := &notices{told: map[notify.Notice]bool{}}
	n := 0
	return conformance.Case{
		New: func(conformance.T) responder.Action { return notify.New(slog.New(slog.DiscardHandler), sink) },
		Target: func(conformance.T) schemas.Target {
			n++
			return schemas.Target{Kind: "incident", ID: fmt.Sprintf("incident%d", n), Place: schemas.PlaceCore}
		},
		With:  json.RawMessage(`{"text":"contained","to":"soc"}`),
		Stays: true,
		Snapshot: func(conformance.T, schemas.Target) any {
			sink.mu.Lock()
			defer sink.mu.Unlock()
			return maps.Clone(sink.told)
		},
	}
}

// stage is real containers in a real containerd.
type stage struct {
	lab  *lab.Lab
	host halt.Host
	n    int
	mu   sync.Mutex
	pods map[string][]*lab.Running // by the target's id
}

// beating is a workload that shows from outside whether it runs.
var beating = []string{"/bin/sh", "-c", "while :; do echo >> /beat; sleep 0.02; done"}

func newStage(t *testing.T) *stage {
	t.Helper()
	host, err := halt.Find()
	if err != nil {
		t.Fatal(err)
	}
	return &stage{lab: lab.Temp(t), host: host, pods: map[string][]*lab.Running{}}
}

func (s *stage) target(t conformance.T) schemas.Target {
	s.mu.Lock()
	s.n++
	uid := fmt.Sprintf("00000000-0000-4000-8000-%012d", s.n)
	s.mu.Unlock()
	pod := &lab.Pod{UID: uid, Name: "web-1", Namespace: "shop"}
	var all []*lab.Running
	for _, name := range []string{"web-", "sidecar-"} {
		r, err := s.lab.Run(t.Context(), lab.Container{ID: name + uid, Pod: pod, Args: beating})
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.Cleanup(func() {
			if err := r.End(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("%v", err)
			}
		})
		all = append(all, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods[all[0].ID] = all
	return describe(all[0], uid)
}

func describe(r *lab.Running, uid string) schemas.Target {
	t := schemas.Target{Kind: "container", ID: r.ID, Place: schemas.NodePlace("n1")}
	t.Container = &schemas.Container{ID: r.ID, Namespace: r.Namespace, Runtime: "containerd"}
	t.K8s = &schemas.K8s{Pod: &schemas.Pod{UID: uid}, Namespace: &schemas.Namespace{Name: "shop"}}
	return t
}

func (s *stage) of(id string) []*lab.Running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[id]
}

// contained says whether the pod's workloads stand still, whatever anyone says.
// A machine so busy that a beat is late for long would be taken for contained:
// that can hide a fault in one run, and never makes a good action fail.
func (s *stage) contained(t conformance.T, target schemas.Target) bool {
	t.Helper()
	size := func() (sum int64) {
		for _, r := range s.of(target.ID) {
			if info, err := os.Stat(filepath.Join(r.Rootfs(), "beat")); err == nil {
				sum += info.Size()
			}
		}
		return sum
	}
	start := size()
	for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if size() != start {
			return false
		}
	}
	return true
}

// snapshot is what containerd says of each container, and what the kernel's
// freezers do. Whether it runs is the business of contained.
func (s *stage) snapshot(t conformance.T, target schemas.Target) any {
	t.Helper()
	var out []string
	for _, r := range s.of(target.ID) {
		status, err := r.Status(t.Context())
		if err != nil {
			t.Fatalf("%v", err)
		}
		at := s.place(t, r)
		for what, c := range map[string]halt.Cgroup{"own": s.host.Own(at), "side": s.host.Side(at), "parent": s.host.Parent(at, target.K8s.Pod.UID)} {
			frozen := false
			if !c.Zero() && c.Exists() {
				if frozen, err = c.SelfFrozen(); err != nil {
					t.Fatalf("%v", err)
				}
			}
			out = append(out, fmt.Sprintf("%s %s frozen: %v", r.ID, what, frozen))
		}
		out = append(out, fmt.Sprintf("%s %s", r.ID, status))
	}
	slices.Sort(out)
	return out
}

func (s *stage) place(t conformance.T, r *lab.Running) halt.Place {
	t.Helper()
	at, err := s.host.Locate(int(r.PID), r.ID)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return at
}

// breakOut lets one container run again by every means that root has.
func (s *stage) breakOut(t conformance.T, target schemas.Target, r *lab.Running) {
	t.Helper()
	if status, err := r.Status(t.Context()); err != nil || status == containerd.Paused {
		if err := r.Task.Resume(r.In(t.Context())); err != nil {
			t.Fatalf("resume %s: %v", r.ID, err)
		}
	}
	at := s.place(t, r)
	own := s.host.Own(at)
	for _, c := range []halt.Cgroup{s.host.Parent(at, target.K8s.Pod.UID), s.host.Side(at), own} {
		if c.Zero() || !c.Exists() {
			continue
		}
		if err := c.Thaw(); err != nil {
			t.Fatalf("thaw: %v", err)
		}
	}
	// It may run already, and its short-lived programs vanish while they are listed.
	for tries := 1; ; tries++ {
		_, err := own.Signal(unix.SIGCONT, nil)
		if err == nil {
			return
		}
		if tries == 100 {
			t.Fatalf("SIGCONT: %v", err)
		}
	}
}

// remove kills the target's pod.
func (s *stage) remove(t conformance.T, target schemas.Target) {
	for _, r := range s.of(target.ID) {
		gone, err := r.Task.Wait(r.In(t.Context()))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := r.Task.Kill(r.In(t.Context()), unix.SIGKILL); err != nil {
			t.Fatalf("%v", err)
		}
		<-gone
	}
}

func pausing(t *testing.T) conformance.Case {
	t.Helper()
	s := newStage(t)
	return conformance.Case{
		New: func(t conformance.T) responder.Action {
			a, err := container.New(container.Config{Client: s.lab.Client(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatalf("%v", err)
			}
			return a
		},
		Target: s.target,
		Sibling: func(_ conformance.T, target schemas.Target) schemas.Target {
			return describe(s.of(target.ID)[1], target.K8s.Pod.UID)
		},
		Snapshot:  s.snapshot,
		Contained: s.contained,
		Break: map[string]func(conformance.T, schemas.Target){
			"resuming the container":   func(t conformance.T, target schemas.Target) { s.breakOut(t, target, s.of(target.ID)[0]) },
			"resuming its pod's other": func(t conformance.T, target schemas.Target) { s.breakOut(t, target, s.of(target.ID)[1]) },
		},
		Foreign: func(t conformance.T, target schemas.Target) {
			for _, r := range s.of(target.ID) {
				if err := r.Task.Pause(r.In(t.Context())); err != nil {
					t.Fatalf("%v", err)
				}
			}
		},
		Remove: s.remove,
	}
}

// store counts what was captured, and keeps none of it.
type store struct{ n atomic.Int64 }

func (s *store) PutBlob(_ context.Context, r io.Reader) (string, int64, error) {
	sum := sha256.New()
	size, err := io.Copy(sum, r)
	s.n.Add(1)
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), size, err
}

// capturing: what is captured stays; the container must run on as it ran.
func capturing(t *testing.T) conformance.Case {
	t.Helper()
	s := newStage(t)
	blobs := &store{}
	return conformance.Case{
		New: func(t conformance.T) responder.Action {
			a, err := evidence.New(evidence.Config{Client: s.lab.Client(), Blobs: blobs, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatalf("%v", err)
			}
			return a
		},
		Target: func(t conformance.T) schemas.Target {
			blobs.n.Store(0)
			return s.target(t)
		},
		Snapshot: func(t conformance.T, target schemas.Target) any {
			return []any{s.snapshot(t, target), blobs.n.Load() > 0}
		},
		Stays: true,
		Rest: func(t conformance.T, target schemas.Target) any {
			return []any{s.snapshot(t, target), s.contained(t, target)}
		},
		Remove: s.remove,
	}
}
