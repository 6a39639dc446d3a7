package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"firebreak/schemas"
)

// TestExternalNATSStoppedFor30Seconds: a server set up by `bus users` and
// `bus migrate` alone, the parts as processes of their own. While the server
// is away for 30 s, 1,000 processes start and a miner strikes: each event is
// stored once, and the miner is contained.
func TestExternalNATSStoppedFor30Seconds(t *testing.T) {
	r := newRig(t, "")
	conf := filepath.Join(r.dir, "nats.conf")
	accounts, code := r.firebreak("bus", "users", "--node", "n1")
	if code != exitOK {
		t.Fatal(accounts)
	}
	port := freePort(t)
	text := fmt.Sprintf("listen: 127.0.0.1:%d\njetstream {store_dir: %q}\n%s", port, filepath.Join(r.dir, "nats"), accounts)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	external := startNATS(t, conf)
	keys := filepath.Join(r.dir, "data", "bus", "keys")
	with := func(name, key string) string { return r.variant(name, port, filepath.Join(keys, key)) }
	admin := with("admin", "admin.nk")
	if out, code := r.at(admin, "bus", "migrate"); code != exitOK {
		t.Fatal(out)
	}
	if out, code := r.at(with("stolen", "collector-n1.nk"), "bus", "migrate"); code == exitOK {
		t.Fatalf("a collector's key could migrate: %s", out)
	}
	core := r.command(nil, "correlate", "--config", with("core", "core.nk"))
	collect := r.command(nil, "collect", "runtime", "--config", with("collector", "collector-n1.nk"))
	respond := r.command(nil, "respond", "--at", "node", "--config", with("responder", "responder-n1.nk"))
	r.config = with("people", "people.nk")
	for _, p := range []*process{core, collect, respond} {
		p.atWork()
	}
	run := r.container("busy-" + r.namespace)
	miner := r.container("victim-" + r.namespace)
	r.trigger(miner, "warmup")

	external.Shutdown()
	external.WaitForShutdown()
	down := time.Now()
	out, err := run.Exec(t.Context(), "/bin/sh", "-c", "i=0; while [ $i -lt 1000 ]; do /bin/true mark-$i; i=$((i+1)); done")
	if err != nil {
		t.Fatalf("1,000 processes: %v: %s", err, out)
	}
	r.trigger(miner, "xmrig")
	time.Sleep(time.Until(down.Add(30 * time.Second)))
	startNATS(t, conf)

	r.until("miner", miner.ID, "enforced")
	if s := r.status(miner); s != "paused" {
		t.Errorf("containerd says %s", s)
	}
	var seen map[int]int
	wait(t, "the 1,000 events", func() bool {
		seen = r.marks(run.ID)
		return len(seen) == 1000
	})
	for mark, times := range seen {
		if times != 1 {
			t.Errorf("process %d is stored %d times", mark, times)
		}
	}
}

// variant is the rig's configuration for one process on the external server.
func (r *testRig) variant(name string, port int, key string) string {
	r.t.Helper()
	raw, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	roster := filepath.Join(r.dir, "data", "bus", "roster.json")
	base, _, _ := strings.Cut(string(raw), "\nbus:")
	text := strings.Replace(base, "data_dir: ./data", "data_dir: ./data-"+name, 1)
	text += fmt.Sprintf("\nnode_name: n1\nbus: {url: \"nats://127.0.0.1:%d\", nkey: %q, roster: %q}\n", port, key, roster)
	path := filepath.Join(r.dir, name+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// at runs a command with another configuration.
func (r *testRig) at(config string, args ...string) (string, int) {
	r.t.Helper()
	was := r.config
	r.config = config
	defer func() { r.config = was }()
	return r.firebreak(args...)
}

// marks counts the numbered processes of a container in EVENTS.
func (r *testRig) marks(container string) map[int]int {
	r.t.Helper()
	c := r.people()
	defer c.Close()
	seen := map[int]int{}
	err := c.FollowEvents(r.t.Context(), 0, func(e schemas.Event) error {
		var d schemas.ProcessEvent
		if e.Type != schemas.ProcessStarted || json.Unmarshal(e.Data, &d) != nil || d.Container == nil || d.Container.ID != container || len(d.Process.CommandArgs) < 2 {
			return nil
		}
		if n, ok := strings.CutPrefix(d.Process.CommandArgs[1], "mark-"); ok {
			if i, err := strconv.Atoi(n); err == nil {
				seen[i]++
			}
		}
		return nil
	}, func() error { return errAll })
	if !errors.Is(err, errAll) {
		r.t.Fatal(err)
	}
	return seen
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener has such an address
}

func startNATS(t *testing.T, conf string) *server.Server {
	t.Helper()
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not come up")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}
