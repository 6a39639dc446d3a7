package usage

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/decode"
	"firebreak/services/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMounts(t *testing.T) {
	for name, tc := range map[string]struct {
		info   string
		want   mounts
		layout string
	}{
		"v2": {
			"30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			mounts{unified: "/sys/fs/cgroup", v1: map[string]string{}},
			"v2",
		},
		"hybrid": {
			"1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"2 0 0:2 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"3 0 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			mounts{unified: "/sys/fs/cgroup/unified", v1: map[string]string{
				"memory": "/sys/fs/cgroup/memory", "cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "rw": "/sys/fs/cgroup/memory",
			}},
			"hybrid",
		},
		"a part of a hierarchy, and garbage": {
			"1 0 0:1 /docker/x /elsewhere rw - cgroup2 cgroup2 rw\nnonsense\n - \n", mounts{v1: map[string]string{}}, "v2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := parseMounts(tc.info)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(mounts{})); diff != "" {
				t.Error(diff)
			}
			if got.layout() != tc.layout {
				t.Errorf("layout %s, want %s", got.layout(), tc.layout)
			}
		})
	}
}

// The files of each layout, as the kernel writes them.
func TestSamplesOfEveryLayout(t *testing.T) {
	for name, tc := range map[string]struct {
		groups string
		mounts func(dir string) mounts
		files  map[string]string
		more   map[string]string // half a second of CPU later
		want   use
	}{
		"v2": {
			"0::/pod/web\n", func(d string) mounts { return mounts{unified: d} },
			map[string]string{
				"pod/web/cpu.stat": "usage_usec 1000000\nuser_usec 1\n", "pod/web/memory.current": "4096\n",
				"pod/web/memory.max": "max\n", "pod/web/pids.current": "3\n",
			},
			map[string]string{"pod/web/cpu.stat": "usage_usec 1500000\nuser_usec 1\n"},
			use{memory: &schemas.Memory{Usage: 4096}, pids: &schemas.Pids{Count: 3}},
		},
		"v1": {
			"4:memory:/pod/web\n3:cpuacct:/pod/web\n2:pids:/pod/web\n", func(d string) mounts {
				return mounts{v1: map[string]string{"memory": d + "/m", "cpuacct": d + "/c", "pids": d + "/p"}}
			},
			map[string]string{
				"c/pod/web/cpuacct.usage": "1000000000\n", "m/pod/web/memory.usage_in_bytes": "4096\n",
				"m/pod/web/memory.limit_in_bytes": "8192\n", "p/pod/web/pids.current": "3\n",
			},
			map[string]string{"c/pod/web/cpuacct.usage": "1500000000\n"},
			use{memory: &schemas.Memory{Usage: 4096, Limit: 8192}, pids: &schemas.Pids{Count: 3}},
		},
		"hybrid with pids in v2, v1 without a limit": {
			"4:memory:/pod/web\n3:cpuacct:/pod/web\n0::/pod/web\n", func(d string) mounts {
				return mounts{unified: d + "/u", v1: map[string]string{"memory": d + "/m", "cpuacct": d + "/c"}}
			},
			map[string]string{
				"c/pod/web/cpuacct.usage": "1000000000\n", "m/pod/web/memory.usage_in_bytes": "4096\n",
				"m/pod/web/memory.limit_in_bytes": "9223372036854771712\n", "u/pod/web/pids.current": "3\n",
			},
			map[string]string{"c/pod/web/cpuacct.usage": "1500000000\n"},
			use{memory: &schemas.Memory{Usage: 4096}, pids: &schemas.Pids{Count: 3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, tc.files)
			m := tc.mounts(dir)
			f := runtime.Facts{Container: schemas.Container{ID: "web", PID: 1}}
			s := newSampler(m)
			s.lasts[lastKey{"", "web", 1}] = &last{
				place: m.place(decode.ParseCgroups([]byte(tc.groups))), cpu: time.Second, at: time.Now().Add(-10 * time.Second),
			}
			write(t, dir, tc.more)
			got, _, err := s.sample(f)
			if err != nil {
				t.Fatal(err)
			}
			// Half a second in ten, or a little more since the clock was read.
			if got.cpu == nil || got.cpu.Utilization <= 0 || got.cpu.Utilization > 0.05 {
				t.Errorf("CPU share %+v, want 0.05", got.cpu)
			}
			got.cpu = nil
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(use{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// table is a list of containers that never changes.
type table []runtime.Facts

func (t table) All() []runtime.Facts { return t }

func TestARealContainerThatBurnsCPU(t *testing.T) {
	l := lab.Temp(t)
	busy := run(t, l, lab.Container{ID: "busy", Args: []string{"/bin/sh", "-c", "while :; do :; done"}})
	idle := run(t, l, lab.Container{ID: "idle"})
	ended := idle
	ended.State = runtime.Exited
	ended.Container.ID = "ended"
	foreign := idle // its pid belongs to another container's cgroup by now
	foreign.Container.ID, foreign.Container.Cgroup = "foreign", "/elsewhere/foreign"

	s, err := New(Config{
		Node: "n", Cluster: "c", Known: table{busy, idle, ended, foreign}, Interval: 500 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]schemas.ContainerEvent{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = s.Run(ctx, func(_ context.Context, e schemas.Event) error {
		var d schemas.ContainerEvent
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		if e.Type != schemas.ContainerUsage || e.Subject != d.Container.ID || d.Host.Name != "n" {
			t.Errorf("event %s of %s: %s", e.Type, e.Subject, e.Data)
		}
		last[d.Container.ID] = d
		if c := last["busy"].Container; c != nil && c.CPU != nil && c.CPU.Utilization > 0.05 && last["idle"].Container.CPU != nil {
			cancel()
		}
		return nil
	})
	if ctx.Err() == context.DeadlineExceeded {
		t.Fatalf("no CPU share seen within 30 s: %v, last %+v", err, last)
	}
	if len(last) != 2 {
		t.Errorf("samples of %d containers, want busy and idle alone: %v", len(last), last)
	}
	for id, d := range last {
		if d.Container.Memory == nil || d.Container.Memory.Usage == 0 || d.Container.Pids == nil || d.Container.Pids.Count == 0 {
			t.Errorf("%s: memory %+v, pids %+v", id, d.Container.Memory, d.Container.Pids)
		}
	}
	if share := last["idle"].Container.CPU.Utilization; share > 0.5 {
		t.Errorf("a sleeping container uses %g of a core", share)
	}
	if s.Detail() == "" {
		t.Error("the source cannot say how it works")
	}
}

func run(t *testing.T, l *lab.Lab, c lab.Container) runtime.Facts {
	t.Helper()
	r, err := l.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(int(r.PID)) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	return runtime.Facts{State: runtime.Running, Container: schemas.Container{
		ID: r.ID, Namespace: r.Namespace, PID: int(r.PID), Cgroup: decode.ParseCgroups(raw).Container(),
	}}
}

// Fifty containers every ten seconds must cost next to nothing: see ns/op.
func BenchmarkFiftyContainers(b *testing.B) {
	m, err := findMounts()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		b.Fatal(err)
	}
	var all table
	for i := range 50 {
		all = append(all, runtime.Facts{State: runtime.Running, Container: schemas.Container{
			ID: strconv.Itoa(i), PID: os.Getpid(), Cgroup: decode.ParseCgroups(raw).Container(),
		}})
	}
	s := &Source{cfg: Config{Node: "n", Known: all, Log: slog.New(slog.DiscardHandler)}}
	sampler := newSampler(m)
	for b.Loop() {
		if err := s.round(b.Context(), sampler, func(context.Context, schemas.Event) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
