package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/collector"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/cgroup"
	containerdsource "firebreak/services/collector/runtime/containerd"
	"firebreak/services/collector/runtime/exec"
	"firebreak/services/collector/runtime/usage"
	"firebreak/services/conductor"
	"firebreak/services/conductor/decide"
	"firebreak/services/correlator"
	"firebreak/services/lease"
	"firebreak/services/responder"
	"firebreak/services/responder/action"
	"firebreak/services/responder/guardrail"
)

// wiring is what the parts of one process share.
type wiring struct {
	cfg    config
	log    *slog.Logger
	server *bus.Server         // nil: the bus is elsewhere
	at     func(string)        // see responder.Config.At; nil outside tests
	newLog atomic.Bool         // the log of events is to be read from its start, once
	ready  *readiness          // who is at work
	known  *runtime.Known      // the collector's table of containers, when it runs in this process
	hints  chan schemas.Target // from the collector to the responder; nil where they run apart
}

// part is one service, ready to run until its context ends.
type part func(ctx context.Context) error

// connect gives a client of its own to each part: each has its own key.
func (w *wiring) connect(ctx context.Context, user bus.User) (*bus.Client, error) {
	if w.server != nil {
		return w.server.Connect(ctx, user)
	}
	return dial(ctx, w.cfg, user, true, w.log)
}

// startBus starts the embedded server, unless the bus is elsewhere.
func (w *wiring) startBus(ctx context.Context) (stop func(), err error) {
	if w.cfg.Bus.URL != "" {
		return func() {}, nil
	}
	w.server, err = bus.Start(ctx, bus.ServerConfig{
		DataDir: w.cfg.DataDir, Listen: w.cfg.Bus.Listen, Cluster: w.cfg.ClusterName, Nodes: []string{w.cfg.NodeName},
		Cert: w.cfg.Bus.TLS.Cert, Key: w.cfg.Bus.TLS.Key, Sync: w.cfg.Bus.Sync, Log: w.log.With("part", "bus"),
	})
	if err != nil {
		return nil, err
	}
	return func() {
		if err := w.server.Stop(context.WithoutCancel(ctx)); err != nil {
			w.log.Warn("the bus did not stop as it should", "error", err)
		}
	}, nil
}

// collector puts the sources of this node together.
func (w *wiring) collector() (part, error) {
	node, cluster := w.cfg.NodeName, w.cfg.ClusterName
	w.known, w.hints = runtime.NewKnown(), make(chan schemas.Target, 256)
	log := w.log.With("part", "collector")
	return func(ctx context.Context) error {
		client, err := w.connect(ctx, bus.Collector(node))
		if err != nil {
			return err
		}
		defer client.Close()
		containers, err := containerdsource.New(containerdsource.Config{
			Address: w.cfg.Runtime.Containerd.Address, Namespaces: w.cfg.Runtime.Containerd.Namespaces,
			Node: node, Cluster: cluster, Owner: bus.Collector(node).Writer(), Inventory: client, Known: w.known, Log: log,
		})
		if err != nil {
			return err
		}
		use, err := usage.New(usage.Config{Node: node, Cluster: cluster, Known: w.known, Log: log})
		if err != nil {
			return err
		}
		sources := []collector.Source{hinting{containers, schemas.NodePlace(node), w.hints}, use}
		if w.cfg.Runtime.Exec != "off" {
			sensor, err := exec.New(exec.Config{Cluster: cluster, Node: node, Lookup: containers, Log: log, Mode: execMode(w.cfg.Runtime.Exec)})
			if err != nil {
				return err
			}
			sources = append(sources, sensor)
		}
		for _, s := range sources {
			w.ready.wait("source " + s.Name())
		}
		w.ready.done("collector")
		return collector.Run(ctx, collector.Config{
			Node: node, Cluster: cluster, Bus: client, Sources: sources, Log: log,
			Live: func(source string) { w.ready.done("source " + source) }, SpoolDir: filepath.Join(w.cfg.DataDir, "spool"),
		})
	}, nil
}

func execMode(word string) exec.Mode {
	switch word {
	case "bpf":
		return exec.BPF
	case "proc":
		return exec.Connector
	default:
		return exec.Auto
	}
}

// core is the correlator, the conductor and the responder of the place core.
// Each holds its lease: there is one of it, on however many machines it is started.
func (w *wiring) core(lib *library) part {
	return func(ctx context.Context) error {
		client, err := w.connect(ctx, bus.Core)
		if err != nil {
			return err
		}
		defer client.Close()
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return lib.watch(ctx, w.log.With("part", "playbooks")) })
		group.Go(func() error { return storesStand(ctx, client) })
		group.Go(func() error {
			return w.underLease(ctx, client, "lease.core", func(ctx context.Context, revision uint64) error {
				return w.runCore(ctx, client, lib, revision)
			})
		})
		return group.Wait()
	}
}

func (w *wiring) runCore(ctx context.Context, client *bus.Client, lib *library, revision uint64) error {
	actions, err := action.All(schemas.PlaceCore, action.Deps{Log: w.log.With("part", "notify")})
	if err != nil {
		return err
	}
	conductorKey, err := w.conductorKey(bus.Core)
	if err != nil {
		return err
	}
	own, err := ownContainer()
	if err != nil {
		return err
	}
	con := conductor.New(conductor.Config{
		Bus: client, Items: client, Specs: action.Specs(), Protected: decide.Protected{Containers: own}, Cluster: w.cfg.ClusterName, Lease: revision, Log: w.log.With("part", "conductor"),
	})
	set := lib.current()
	con.Warm(set)
	cor := correlator.New(correlator.Config{
		Bus: client, Blobs: client, Set: set, Sets: lib.changes(), Cluster: w.cfg.ClusterName, Writer: bus.Core.Writer(),
		Log: w.log.With("part", "correlator"), Live: func() { w.ready.done("correlator") },
		Sources: lib.sources, Compile: compileSet, Anew: w.newLog.Swap(false),
		Fatal: func(err error) bool { return errors.Is(err, bus.ErrNoStore) },
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return cor.Run(ctx) })
	group.Go(func() error { return con.Run(ctx) })
	group.Go(func() error {
		return responder.Run(ctx, responder.Config{
			Place: schemas.PlaceCore, Ledger: client, State: client, Actions: actions, Log: w.log.With("part", "responder core"),
			Conductor: func(writer string) bool { return writer == conductorKey }, Live: func() { w.ready.done("responder core") }, At: w.points("core"),
		})
	})
	return group.Wait()
}

// node is the responder of this node.
func (w *wiring) node() (part, error) {
	rail := guardrail.Default()
	if w.cfg.Guardrail != "" {
		loaded, err := guardrail.Load(w.cfg.Guardrail)
		if err != nil {
			return nil, usageError{err}
		}
		rail = loaded
	}
	own, err := ownContainer()
	if err != nil {
		return nil, err
	}
	rail.Protect(own...)
	return func(ctx context.Context) error {
		client, err := w.connect(ctx, bus.Responder(w.cfg.NodeName))
		if err != nil {
			return err
		}
		defer client.Close()
		daemon, err := containerd.New(w.cfg.Runtime.Containerd.Address, containerd.WithTimeout(0))
		if err != nil {
			return fmt.Errorf("containerd at %s: %w", w.cfg.Runtime.Containerd.Address, err)
		}
		defer daemon.Close()
		deps := action.Deps{
			Containerd: daemon, Namespaces: w.cfg.Runtime.Containerd.Namespaces, Blobs: client, Log: w.log.With("part", "action"),
		}
		if w.known != nil {
			deps.Known = memory{w.known}
		}
		conductorKey, err := w.conductorKey(bus.Responder(w.cfg.NodeName))
		if err != nil {
			return err
		}
		place := schemas.NodePlace(w.cfg.NodeName)
		actions, err := action.All(place, deps)
		if err != nil {
			return err
		}
		return w.underLease(ctx, client, place+".lease", func(ctx context.Context, _ uint64) error {
			return responder.Run(ctx, responder.Config{
				Place: place, Ledger: client, State: client, Actions: actions, Guard: rail, Hints: w.hints, Log: w.log.With("part", "responder node"),
				Conductor: func(writer string) bool { return writer == conductorKey }, Live: func() { w.ready.done("responder node") }, At: w.points("node"),
			})
		})
	}, nil
}

// storesStand ends when a store of the bus is gone for good: deleted, or made
// anew by somebody. The parts would wait for it for ever; a process that ends
// says why, and what a restart can set up again is set up again.
func storesStand(ctx context.Context, client *bus.Client) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		_, _, stateErr := client.GetState(ctx, "lease.core")
		_, ledgerErr := client.Last(ctx, schemas.IncidentHold, schemas.TaskIncident, schemas.PlacePeople)
		if err := errors.Join(stateErr, ledgerErr); errors.Is(err, bus.ErrNoStore) {
			return err
		}
	}
}

// points hands the named points of a responder on, with its place before them.
func (w *wiring) points(place string) func(string) {
	if w.at == nil {
		return nil
	}
	return func(point string) { w.at(place + " " + point) }
}

// ownContainer gives the id of the container that this process runs in, if it
// runs in one: it must never contain itself.
func ownContainer() ([]string, error) {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("own cgroup: %w", err)
	}
	entries, err := cgroup.Parse(string(raw))
	if err != nil {
		return nil, fmt.Errorf("own cgroup: %w", err)
	}
	var ids []string
	for _, path := range entries {
		for _, c := range cgroup.Candidates(path.Path) {
			if c.Hex && !slices.Contains(ids, c.ID) {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids, nil
}

// conductorKey is whose requests a responder carries out.
func (w *wiring) conductorKey(self bus.User) (string, error) {
	roster := bus.Roster{}
	if w.server != nil {
		roster = w.server.Roster()
	} else {
		d, err := dialConfig(w.cfg, self)
		if err != nil {
			return "", err
		}
		roster = d.Roster
	}
	key := roster.Public(bus.Core)
	if key == "" {
		return "", errors.New("the roster of keys names no core: nobody could ask this responder for anything; copy the roster that `firebreak bus users` made")
	}
	return key, nil
}

// underLease runs something while this process holds a lease, and again
// whenever it gets it back.
func (w *wiring) underLease(ctx context.Context, st lease.State, key string, run func(ctx context.Context, revision uint64) error) error {
	self, err := lease.Self()
	if err != nil {
		return err
	}
	loop := rand.Text()
	for {
		revision, lost, stop, err := lease.Hold(ctx, st, lease.Config{Key: key, Holder: self, Nonce: loop, Log: w.log.With("part", "lease")})
		if err != nil {
			return err
		}
		inner, cancel := context.WithCancel(ctx)
		var watching sync.WaitGroup
		watching.Go(func() {
			select {
			case <-lost:
				cancel()
			case <-inner.Done():
			}
		})
		err = run(inner, revision)
		gone := isClosed(lost)
		cancel()
		watching.Wait()
		stop()
		if ctx.Err() != nil || !gone {
			return err
		}
		w.log.Warn("another process may hold the lease now; waiting for it", "lease", key, "error", err)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// runParts runs the parts until one fails or the context ends. Being told to
// stop is no failure.
func (w *wiring) runParts(ctx context.Context, parts []part) error {
	group, inner := errgroup.WithContext(ctx)
	for _, p := range parts {
		group.Go(func() error { return p(inner) })
	}
	if w.server != nil {
		group.Go(func() error {
			select {
			case <-inner.Done():
				return inner.Err()
			case err := <-w.server.Failed():
				return err
			}
		})
	}
	w.ready.armed(func() { w.log.Info("firebreak is at work", "node", w.cfg.NodeName, "cluster", w.cfg.ClusterName) })
	err := group.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		w.log.Info("stopped as asked")
		return nil
	}
	return err
}
