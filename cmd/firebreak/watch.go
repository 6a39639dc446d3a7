package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
)

// filter is what the watch wants to see.
type filter struct {
	arenas     []string
	severities []string
	namespaces []string
	all        bool          // heartbeats, ticks and usage too
	since      time.Duration // how far back to begin
}

func watchCommand(sh *shell) *cobra.Command {
	var f filter
	cmd := &cobra.Command{
		Use: "watch", Short: "See events and decisions as they happen", Args: noArgs,
		Long: `See events and decisions as they happen, until interrupted.

A severity is a playbook's, so --severity shows incidents alone; an arena or a
namespace is an event's or that of an incident's trigger.`,
		Example: `  firebreak watch
  firebreak watch --severity high,critical
  firebreak watch --arena runtime --namespace shop --json | jq .type`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			people, done, err := sh.people(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			return sh.watch(cmd.Context(), people, f)
		},
	}
	cmd.Flags().StringSliceVar(&f.arenas, "arena", nil, "only these: registry, runtime, host, cluster, system")
	cmd.Flags().StringSliceVar(&f.severities, "severity", nil, "only incidents of these: low, medium, high, critical")
	cmd.Flags().StringSliceVar(&f.namespaces, "namespace", nil, "only what is of these Kubernetes namespaces")
	cmd.Flags().BoolVar(&f.all, "all", false, "heartbeats, ticks and usage samples too")
	cmd.Flags().DurationVar(&f.since, "since", 0, "begin that long ago instead of now")
	return cmd
}

func (f filter) check() error {
	for _, c := range []struct {
		flag           string
		given, allowed []string
	}{
		{"--arena", f.arenas, []string{"registry", "runtime", "host", "cluster", "system", "foreign"}},
		{"--severity", f.severities, []string{"low", "medium", "high", "critical"}},
	} {
		for _, g := range c.given {
			if !slices.Contains(c.allowed, g) {
				return usagef("%s %q: it can be %s", c.flag, visible(g), strings.Join(c.allowed, ", "))
			}
		}
	}
	return nil
}

// watcher shows the two logs as one.
type watcher struct {
	sh        *shell
	filter    filter
	from      time.Time
	mu        sync.Mutex
	incidents map[string]*about
}

// about is what the filters know an incident by.
type about struct{ severity, arena, namespace string }

// follower is what the watch needs of the bus.
type follower interface {
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
}

func (sh *shell) watch(ctx context.Context, people follower, f filter) error {
	w := &watcher{sh: sh, filter: f, from: time.Now().Add(-f.since), incidents: map[string]*about{}}
	if !sh.json {
		fmt.Fprintln(sh.err, "watching; Ctrl-C ends it")
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return people.FollowLedger(ctx, 0, w.record, nil) })
	if len(f.severities) == 0 {
		group.Go(func() error { return people.FollowEvents(ctx, 0, w.event, nil) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// quiet are the types that only --all shows.
var quiet = []string{schemas.Heartbeat, schemas.Tick, schemas.ContainerUsage}

func (w *watcher) event(e schemas.Event) error {
	if e.Stored.Before(w.from) || !w.filter.all && slices.Contains(quiet, e.Type) {
		return nil
	}
	var data schemas.Entities
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return nil //nolint:nilerr // an event whose data are not ours: nothing to show of it
	}
	if !w.wants(e.Arena(), namespaceOf(data)) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.sh.json {
		w.sh.say("%s  %-12s %s", e.Stored.Local().Format("15:04:05.000"), "event", visible(eventDetail(e, data)))
		return nil
	}
	ce, err := e.CloudEvent()
	if err != nil {
		return nil //nolint:nilerr // stored by a writer of another version; not for this output
	}
	return w.sh.line(ce)
}

func (w *watcher) wants(arena, namespace string) bool {
	return (len(w.filter.arenas) == 0 || slices.Contains(w.filter.arenas, arena)) &&
		(len(w.filter.namespaces) == 0 || slices.Contains(w.filter.namespaces, namespace))
}

func namespaceOf(e schemas.Entities) string {
	if e.K8s == nil || e.K8s.Namespace == nil {
		return ""
	}
	return e.K8s.Namespace.Name
}

func eventDetail(e schemas.Event, d schemas.Entities) string {
	parts := []string{e.ShortType()}
	if d.Host != nil {
		parts = append(parts, "host="+d.Host.Name)
	}
	if n := namespaceOf(d); n != "" {
		parts = append(parts, "namespace="+n)
	}
	if d.K8s != nil && d.K8s.Pod != nil {
		parts = append(parts, "pod="+d.K8s.Pod.Name)
	}
	if d.Container != nil {
		parts = append(parts, "container="+short(d.Container.ID))
	}
	if d.Process != nil && d.Process.Executable != nil {
		parts = append(parts, "origin="+d.Process.Executable.Origin, d.Process.Executable.Path, strings.Join(d.Process.CommandArgs, " "))
	}
	if e.Arena() == "system" {
		if e.Writer != "" { // whoever has a key may claim what the core alone can know
			parts = append(parts, "by="+e.Writer)
		}
		parts = append(parts, string(e.Data))
	}
	return strings.Join(parts, " ")
}

func (w *watcher) record(r schemas.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.incidents[r.Incident]
	if r.Kind == schemas.KindOpened {
		a = aboutOf(r)
		w.incidents[r.Incident] = a
	}
	if r.Stored.Before(w.from) {
		return nil
	}
	if a == nil {
		a = &about{}
	}
	hold := r.Incident == schemas.IncidentHold // concerns everyone
	if !hold && (!w.wants(a.arena, a.namespace) || len(w.filter.severities) > 0 && !slices.Contains(w.filter.severities, a.severity)) {
		return nil
	}
	if w.sh.json {
		return w.sh.line(viewRecord(r))
	}
	w.sh.say("%s", recordLine(r))
	return nil
}

func aboutOf(r schemas.Record) *about {
	var o schemas.Opened
	if json.Unmarshal(r.Data, &o) != nil {
		return &about{}
	}
	a := &about{severity: o.Playbook.Severity, arena: o.Playbook.Arena}
	for _, s := range o.Signals {
		var e schemas.Entities
		if json.Unmarshal(s.Data, &e) == nil && namespaceOf(e) != "" {
			a.namespace = namespaceOf(e)
		}
	}
	return a
}
