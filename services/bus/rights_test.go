package bus_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// raw is a connection with a user's key and nothing of our client between.
func raw(t *testing.T, dataDir string, u bus.User) *nats.Conn {
	t.Helper()
	p, err := bus.Find(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	return rawAt(t, p.Address, p.Keyfile(u))
}

func rawAt(t *testing.T, url, keyfile string) *nats.Conn {
	t.Helper()
	opt, err := nats.NkeyOptionFromSeed(keyfile)
	if err != nil {
		t.Fatal(err)
	}
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	nc, err := nats.Connect(url, opt, quiet, nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// external runs a nats-server from a configuration file as an operator would.
func external(t *testing.T, users string, port int) *server.Server {
	t.Helper()
	dir := t.TempDir()
	return externalIn(t, dir, users, port)
}

func externalIn(t *testing.T, dir, users string, port int) *server.Server {
	t.Helper()
	file := filepath.Join(dir, "nats.conf")
	conf := fmt.Sprintf("listen: \"127.0.0.1:%d\"\njetstream {store_dir: %q}\n%s", port, dir, users)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
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
		t.Fatal("the server did not come up")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

// states are the streams as the administrator sees them.
func states(t *testing.T, admin *nats.Conn) map[string]string {
	t.Helper()
	js, err := jetstream.New(admin)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	list := js.ListStreams(t.Context(), jetstream.WithStreamListSubject(">"))
	for info := range list.Info() {
		raw, err := json.Marshal(info.Config)
		if err != nil {
			t.Fatal(err)
		}
		got[info.Config.Name] = fmt.Sprintf("%s %d..%d %d messages %d consumers", raw, info.State.FirstSeq, info.State.LastSeq, info.State.Msgs, info.State.Consumers)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

// forbidden are subjects that the user must not reach, as any kind of request.
func forbidden(u bus.User) []string {
	var all []string
	for _, s := range []string{"EVENTS", "LEDGER", "KV_INVENTORY", "KV_STATE", "OBJ_BLOBS"} {
		for _, prefix := range []string{"$JS.API.", "FIREBREAK.JS.API.", "$JS.FIREBREAK.API."} {
			for _, call := range []string{
				"STREAM.PURGE.%s", "STREAM.DELETE.%s", "STREAM.UPDATE.%s", "STREAM.CREATE.%s", "STREAM.MSG.DELETE.%s", "STREAM.MSG.GET.%s",
				"STREAM.SNAPSHOT.%s", "STREAM.RESTORE.%s", "STREAM.INFO.%s", "CONSUMER.CREATE.%s", "CONSUMER.CREATE.%s.evil", "CONSUMER.CREATE.%s.evil.firebreak.>",
				"CONSUMER.DURABLE.CREATE.%s.evil", "CONSUMER.DELETE.%s.responder-a", "CONSUMER.PAUSE.%s.responder-a", "CONSUMER.LIST.%s",
				"CONSUMER.MSG.NEXT.%s.responder-b=2Eexample", "CONSUMER.RESET.%s.responder-b=2Eexample",
				"CONSUMER.MSG.NEXT.%s.collector-b=2Eexample", "CONSUMER.RESET.%s.collector-b=2Eexample",
			} {
				all = append(all, prefix+fmt.Sprintf(call, s))
			}
			if u != bus.Core && u != bus.People {
				all = append(all, prefix+"DIRECT.GET."+s, prefix+"DIRECT.GET."+s+".>", prefix+"DIRECT.GET."+s+".firebreak.ledger.*.*.node-b=2Eexample.>",
					prefix+"DIRECT.GET."+s+".$KV.STATE.node-b=2Eexample.lease", prefix+"DIRECT.GET."+s+".$KV.STATE.core.lease")
			}
		}
	}
	all = append(all,
		"$JS.API.STREAM.NAMES", "$JS.API.INFO", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.FIREBREAK.INFO",
		"firebreak.events.local.node-b=2Eexample.runtime.exec.started", "firebreak.events.other.node-a.x", "firebreak.events.local.people.x",
		"firebreak.ledger.i.t.node-b=2Eexample.planned", "firebreak.ledger.i.t.node-a.opened", "firebreak.ledger.i.t.node-a.held",
		"firebreak.live.ledger.i.t.node-a.planned", "firebreak.live.space",
		"$KV.INVENTORY.container.c.node-b=2Eexample", "$KV.INVENTORY.container.c.people", "$KV.STATE.node-b=2Eexample.lease",
		"$O.BLOBS.C.node-b=2Eexample.x", "$O.BLOBS.M.node-b=2Eexample.x", "$O.BLOBS.M.people.x",
	)
	if u != bus.Core {
		all = append(all, "firebreak.events.local.core.system.tick", "firebreak.ledger.i.t.core.opened", "firebreak.ledger.i.t.core.applied",
			"firebreak.ledger.i.t.node-a.requested", "firebreak.ledger.i.t.node-a.release", "$KV.STATE.core.lease", "$KV.INVENTORY.container.c.core", "$O.BLOBS.M.core.x")
	}
	if u != bus.People {
		all = append(all, "firebreak.ledger.hold.-.people.held", "firebreak.ledger.i.-.people.release-asked", "$KV.STATE.people.hold")
	}
	if u != bus.Responder("a") {
		all = append(all, "firebreak.ledger.i.t.node-a.planned", "firebreak.ledger.i.t.node-a.applied", "$O.BLOBS.C.node-a.x", "$O.BLOBS.M.node-a.x")
	}
	if u != bus.Collector("a") {
		all = append(all, "firebreak.events.local.node-a.runtime.exec.started", "$KV.INVENTORY.container.c.node-a")
	}
	return all
}

var users = []bus.User{bus.Core, bus.People, bus.Collector("a"), bus.Responder("a")}

// No key but the administrator's reaches beyond its rights: with the
// permissions of the user, and by the borders of its account alone.
func TestRights(t *testing.T) {
	for _, mode := range []string{"accounts and permissions", "accounts alone"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			roster, err := bus.EnsureKeys(dir, "a", "b.example")
			if err != nil {
				t.Fatal(err)
			}
			conf, err := bus.Users("local", roster)
			if err != nil {
				t.Fatal(err)
			}
			if mode == "accounts alone" {
				conf = regexp.MustCompile(`(?s), permissions: \{.*?\]\}\n    \}\}\]`).ReplaceAllString(conf, "}]")
				if strings.Contains(conf, "permissions") {
					t.Fatal("the permissions are still there")
				}
			}
			url := external(t, conf, -1).ClientURL()
			testRights(t, dir, url, roster)
		})
	}
}

func testRights(t *testing.T, dir, url string, roster bus.Roster) {
	dial := func(u bus.User) bus.DialConfig {
		return bus.DialConfig{URL: url, Keyfile: keyfile(dir, u), Roster: roster, Log: logger(t)}
	}
	if err := bus.Migrate(soon(t), bus.MigrateConfig{Dial: dial(bus.Admin)}); err != nil {
		t.Fatal(err)
	}
	core, err := bus.Dial(soon(t), dial(bus.Core))
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	if _, err := core.Append(soon(t), record(t, "i", "t", schemas.NodePlace("b.example"), schemas.KindRequested, 0), schemas.Head{}); err != nil {
		t.Fatal(err)
	}
	admin := rawAt(t, url, keyfile(dir, bus.Admin))
	before := states(t, admin)
	for _, u := range users {
		nc := rawAt(t, url, keyfile(dir, u))
		inbox := nc.NewInbox()
		answers, err := nc.SubscribeSync(inbox)
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range forbidden(u) {
			if err := nc.PublishRequest(subject, inbox, []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		fence(t, nc)
		for {
			m, err := answers.NextMsg(time.Millisecond)
			if err != nil {
				break
			}
			// "no responders", and the own account's "JetStream not enabled".
			if m.Header.Get("Status") != "503" && !strings.Contains(string(m.Data), `"err_code":10039`) {
				t.Errorf("%s was answered: %v %s", u, m.Header, m.Data)
			}
		}
	}
	tryReplies(t, dir, url)
	if d := cmp.Diff(before, states(t, admin)); d != "" {
		t.Errorf("a stream was changed:\n%s", d)
	}
}

// tryReplies asks what a user may ask, and names as the place for the answer
// what it may not reach: the server answers with its own rights.
func tryReplies(t *testing.T, dir, url string) {
	t.Helper()
	ask := map[bus.User][]string{
		bus.Core:           {"FIREBREAK.JS.API.DIRECT.GET.LEDGER"},
		bus.People:         {"FIREBREAK.JS.API.DIRECT.GET.LEDGER"},
		bus.Collector("a"): {"FIREBREAK.JS.API.CONSUMER.RESET.KV_INVENTORY.collector-a", "FIREBREAK.JS.API.CONSUMER.MSG.NEXT.KV_INVENTORY.collector-a"},
		bus.Responder("a"): {"FIREBREAK.JS.API.CONSUMER.RESET.LEDGER.responder-a", "FIREBREAK.JS.API.CONSUMER.MSG.NEXT.LEDGER.responder-a", "FIREBREAK.JS.API.DIRECT.GET.LEDGER.firebreak.ledger.*.*.node-a.>"},
	}
	for _, u := range users {
		nc := rawAt(t, url, keyfile(dir, u))
		for _, subject := range append(ask[u], "FIREBREAK.JS.API.STREAM.NAMES") {
			for _, reply := range forbidden(u) {
				// A server that refuses such replies closes nothing; older ones take them.
				if err := nc.PublishRequest(subject, reply, []byte(`{"seq":1}`)); err != nil {
					t.Fatal(err)
				}
			}
		}
		fence(t, nc)
	}
}

// fence waits until the server has dealt with all that was sent.
func fence(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for range 2 {
		if err := nc.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // answers of the API come by goroutines of their own
	}
}

func keyfile(dir string, u bus.User) string {
	name := strings.ReplaceAll(strings.ReplaceAll(string(u), "@", "-"), ".", "=2E")
	return filepath.Join(dir, "bus", "keys", name+".nk")
}

// A node hears nothing of another node, whatever it subscribes to.
func TestNodesHearNothingOfOthers(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	core, other := client(t, s, bus.Core), client(t, s, bus.Responder("b.example"))
	eyes := client(t, s, bus.Collector("b.example"))
	for _, u := range []bus.User{bus.Collector("a"), bus.Responder("a")} {
		nc := raw(t, cfg.DataDir, u)
		var subs []*nats.Subscription
		for _, subject := range []string{
			">", "firebreak.>", "firebreak.live.>", "firebreak.live.ledger.>", "firebreak.live.ledger.*.*.node-b=2Eexample.>",
			"firebreak.live.events.>", "firebreak.live.state.>", "firebreak.live.inventory.>", "$KV.>", "$O.>", "$JS.>", "_R_.>", "_INBOX.>",
		} {
			sub, err := nc.SubscribeSync(subject)
			if err != nil {
				t.Fatal(err)
			}
			subs = append(subs, sub)
		}
		fence(t, nc)
		ctx, n := soon(t), string(u.Role())
		asked, err := core.Append(ctx, record(t, n, "t", schemas.NodePlace("b.example"), schemas.KindRequested, 0), schemas.Head{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Append(ctx, record(t, n, "t", schemas.NodePlace("b.example"), schemas.KindPlanned, 0), asked.Head()); err != nil {
			t.Fatal(err)
		}
		if _, err := eyes.Publish(ctx, event(t, n)); err != nil {
			t.Fatal(err)
		}
		if err := eyes.PutItem(ctx, schemas.Item{Kind: "container", ID: n}); err != nil {
			t.Fatal(err)
		}
		if _, err := eyes.PutState(ctx, "node-b.example.cursor-"+n, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		fence(t, nc)
		for _, sub := range subs {
			if m, err := sub.NextMsg(time.Millisecond); err == nil {
				t.Errorf("%s heard on %s: %s %s", u, sub.Subject, m.Subject, m.Data)
			}
		}
	}
	items, err := client(t, s, bus.Responder("a")).Items(soon(t), "container")
	if err != nil || len(items) != 0 {
		t.Errorf("items of another node: %v, %v", items, err)
	}
}
