package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// A store whose server is away is waited for: the others of the cluster know
// that there is one.
func TestStoreWithoutLeader(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	roster, err := bus.EnsureKeys(keys, "a")
	if err != nil {
		t.Fatal(err)
	}
	conf, err := bus.Users("local", roster)
	if err != nil {
		t.Fatal(err)
	}
	ports, dirs, all := freePorts(t, 6), []string{t.TempDir(), t.TempDir(), t.TempDir()}, make([]*server.Server, 3)
	run := func(i int) {
		t.Helper()
		all[i] = clustered(t, i, ports, dirs[i], conf)
		t.Cleanup(func() { all[i].Shutdown(); all[i].WaitForShutdown() })
	}
	var urls []string
	for i := range all {
		run(i)
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	dial := func(u bus.User) bus.DialConfig {
		return bus.DialConfig{URL: strings.Join(urls, ","), Keyfile: keyfile(keys, u), User: u, Roster: roster, Wait: true}
	}
	until(t, "the cluster has a leader", func() bool {
		return slices.ContainsFunc(all, func(s *server.Server) bool { return s.JetStreamIsLeader() })
	})
	until(t, "the stores are made", func() bool {
		return bus.Migrate(soon(t), bus.MigrateConfig{Dial: dial(bus.Admin)}) == nil
	})
	core, err := bus.Dial(soon(t), dial(bus.Core))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(core.Close)
	if _, err := core.Append(soon(t), record(t, "i", "-", schemas.PlaceCore, schemas.KindOpened, 0), schemas.Head{}); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s *server.Server) bool { return s.JetStreamIsStreamLeader("FIREBREAK", "LEDGER") })
	if at < 0 {
		t.Fatal("nobody has the ledger")
	}
	all[at].Shutdown()
	all[at].WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	if _, err := core.Last(ctx, "i", "-", schemas.PlaceCore); !errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrNoStore) {
		t.Errorf("without its server: %v; want ErrUnavailable", err)
	}
	run(at)
	if r, err := core.Last(soon(t), "i", "-", schemas.PlaceCore); err != nil || r.Kind != schemas.KindOpened {
		t.Errorf("with it again: %+v, %v", r, err)
	}
}

func clustered(t *testing.T, i int, ports []int, dir, users string) *server.Server {
	t.Helper()
	file := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("server_name: n%d\nlisten: \"127.0.0.1:%d\"\njetstream {store_dir: %q}\ncluster {name: c, listen: \"127.0.0.1:%d\", routes: [\"nats://127.0.0.1:%d\", \"nats://127.0.0.1:%d\", \"nats://127.0.0.1:%d\"]}\n%s",
		i, ports[i], dir, ports[3+i], ports[3], ports[4], ports[5], users)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	ns, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(patience) {
		t.Fatal("a server of the cluster did not come up")
	}
	return ns
}

// freePorts are some that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to that: %s", what)
		}
	}
}
