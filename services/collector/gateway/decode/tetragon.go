package decode

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
)

// told is what is read of the value of an event of Tetragon, whatever its kind.
type told struct {
	Process *process `json:"process"`
	Parent  *process `json:"parent"`
}

// other kinds than process_… that Tetragon has.
var other = map[string]bool{"test": true, "rate_limit_info": true}

// Tetragon reads one line of Tetragon's JSON export.
//
// A process_exec is runtime.process.started, or host.process.started outside
// containers and pods. So is one that Tetragon tells of a process that was
// there before it (flag procFS); its time is that of the process. A connect
// (kprobes tcp_connect and security_socket_connect, the LSM hook socket_connect,
// process_connect) is runtime.connection.opened unless Tetragon says that it
// stopped it or that it failed; it tells of an attempt, since the hooks run
// before the peer answers. All else is tetragon.event.v1. The event stays whole
// under tetragon, unless that would be more than [Options.MaxData]: then the
// arguments that process.command_args holds are left out of tetragon.event, and
// if that is not enough, long texts are cut in the middle and
// process.command_args_cut says so of the arguments.
func Tetragon(data []byte, o Options) ([]schemas.Event, error) {
	return each("event of Tetragon", data, o.tetragon)
}

func (o Options) tetragon(raw []byte) (schemas.Event, error) {
	var line map[string]json.RawMessage
	if err := read(raw, &line); err != nil {
		return schemas.Event{}, err
	}
	kind, err := kindOf(line)
	if err != nil {
		return schemas.Event{}, err
	}
	var a about
	if err := a.read(line); err != nil {
		return schemas.Event{}, err
	}
	var t told
	event := schemas.Tetragon{Kind: kind}
	if err = read(line[kind], &event.Event); err == nil {
		err = read(line[kind], &t)
	}
	if err != nil {
		return schemas.Event{}, fmt.Errorf("%s: %w", kind, err)
	}
	if event.Event == nil {
		return schemas.Event{}, invalid("%s is null", kind)
	}
	d := schemas.TetragonData{Host: host(a.node), Tetragon: &event}
	if p := t.Process; p != nil {
		d.Container, d.K8s, d.User = p.container(), p.kubernetes(a.cluster), p.user()
		d.Process = p.process(t.Parent)
	}
	typ, data, err := typed(d, line[kind])
	if err != nil {
		return schemas.Event{}, fmt.Errorf("%s: %w", kind, err)
	}
	id := ""
	if kind == "process_exec" && t.Process.ExecID != "" {
		id = kind + "/" + t.Process.ExecID // one exec has one, on all nodes and at all times
	} else if id, err = fingerprint(event, a.node, a.time.UTC().Format(time.RFC3339Nano)); err != nil {
		return schemas.Event{}, err
	}
	return o.event(typ, id, subject(d.Container, d.K8s, d.Host), a.time, data, cutTetragon(d.Process, &event))
}

// about is what stands beside the event in its line.
type about struct {
	node, cluster string
	time          time.Time
}

func (a *about) read(line map[string]json.RawMessage) error {
	for _, m := range []struct {
		name string
		into any
	}{{"node_name", &a.node}, {"cluster_name", &a.cluster}, {"time", &a.time}} {
		if value, has := line[m.name]; has {
			if err := read(value, m.into); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	return nil
}

// kindOf finds the one member that is the event.
func kindOf(line map[string]json.RawMessage) (string, error) {
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(line)) {
		if strings.HasPrefix(name, "process_") || other[name] {
			kinds = append(kinds, name)
		}
	}
	switch len(kinds) {
	case 0:
		return "", invalid("it has no member such as process_exec")
	case 1:
		return kinds[0], nil
	}
	return "", invalid("it has both %s and %s", quote(kinds[0]), quote(kinds[1]))
}

// typed gives the event the type of ours that fits, or leaves it as it is.
func typed(d schemas.TetragonData, raw []byte) (typ string, data any, err error) {
	kind := d.Tetragon.Kind
	var c *connection
	if connects(kind, d.Tetragon.Event["function_name"]) {
		if c, err = connect(kind, raw); err != nil {
			return "", nil, err
		}
	}
	if kind != "process_exec" && c == nil {
		return schemas.TetragonEvent, d, nil
	}
	switch {
	case d.Host == nil:
		return "", nil, invalid("node_name is missing")
	case d.Process == nil:
		return "", nil, invalid("process.pid is missing")
	case c != nil:
		return schemas.ConnectionOpened, schemas.ConnectionEvent{
			Host: d.Host, K8s: d.K8s, Container: d.Container, Process: d.Process, User: d.User, Tetragon: d.Tetragon,
			Network: &c.network, Source: c.source, Destination: c.destination,
		}, nil
	}
	typ = schemas.ProcessStarted
	if d.Container == nil && d.K8s == nil {
		typ = schemas.HostProcessStarted
	}
	return typ, schemas.ProcessEvent(d), nil
}
