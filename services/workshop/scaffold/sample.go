package scaffold

import (
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"
)

// sample is an event that is worth waiting for, and one like it that is not.
type sample struct {
	typ  string // as playbooks write it
	when string
	fire map[string]any
	calm map[string]any
}

// known are samples of the types that playbooks begin with most often.
func known() []sample {
	return []sample{
		{
			"runtime.process.started", `has(container.id) && has(process.executable.name) && process.executable.name == "nc"`,
			object("container.id", "c1", "process.executable.name", "nc"), object("container.id", "c1", "process.executable.name", "nginx"),
		},
		{
			"runtime.exec.started", `has(container.id) && has(process.executable.name) && process.executable.name == "bash"`,
			object("container.id", "c1", "process.executable.name", "bash"), object("container.id", "c1", "process.executable.name", "pg_isready"),
		},
		{
			"runtime.connection.opened", `has(container.id) && has(destination.port) && destination.port == 4444`,
			object("container.id", "c1", "destination.port", 4444), object("container.id", "c1", "destination.port", 443),
		},
		{
			"runtime.container.usage", `has(container.cpu) && container.cpu.utilization > 0.9`,
			object("container.id", "c1", "container.cpu.utilization", 0.97), object("container.id", "c1", "container.cpu.utilization", 0.05),
		},
		{
			"host.login.failed", `has(user.name) && has(login.service) && login.service == "sshd"`,
			object("user.name", "root", "login.service", "sshd"), object("user.name", "root", "login.service", "sudo"),
		},
		{
			"host.login.succeeded", `has(user.name) && has(login.method) && login.method == "password"`,
			object("user.name", "root", "login.method", "password"), object("user.name", "root", "login.method", "publickey"),
		},
		{
			"host.file.changed", `has(file.kind) && file.kind == "ssh_key"`,
			object("file.path", "/root/.ssh/authorized_keys", "file.kind", "ssh_key"), object("file.path", "/var/log/app.log", "file.kind", "log"),
		},
		{
			"cluster.api.called", `has(user.name) && audit.verb == "delete"`,
			object("user.name", "alice", "audit.verb", "delete"), object("user.name", "alice", "audit.verb", "list"),
		},
		{
			"registry.image.pushed", `has(image.digest) && has(image.tag) && image.tag == "latest"`,
			object("image.digest", "sha256:1", "image.tag", "latest"), object("image.digest", "sha256:1", "image.tag", "1.4.2"),
		},
		{
			"registry.image.verified", `has(image.digest) && signature.verdict == "unsigned"`,
			object("image.digest", "sha256:1", "signature.verdict", "unsigned"), object("image.digest", "sha256:1", "signature.verdict", "verified"),
		},
	}
}

// beginnings are the type, and the one to join it with, that an arena's
// playbooks begin with when the author names none.
func beginnings(arena string) (first, second string) {
	switch arena {
	case "host":
		return "host.login.failed", "host.login.succeeded"
	case "cluster":
		return "cluster.api.called", "cluster.rbac.changed"
	case "registry":
		return "registry.image.pushed", "registry.image.verified"
	default:
		return "runtime.process.started", "runtime.connection.opened"
	}
}

// Fields by which events belong together, the most telling first; and those of
// which a group can see several values; and those that hold a measure.
var (
	groups   = []string{"container.id", "k8s.pod.uid", "user.name", "image.digest", "service.name", "policy.name", "workload.name", "k8s.namespace.name", "host.name", "registry.name", "image.name"}
	several  = []string{"process.executable.name", "destination.address", "client.address", "host.name", "user.name", "file.path", "image.name", "module.name", "k8s.pod.name", "k8s.namespace.name", "workload.name"}
	measures = []string{"container.cpu.utilization", "container.memory.usage", "scan.critical", "image.size", "file.size"}
)

// preferred are the fields of groups, those first that a sample of the type names.
func preferred(typ string) []string {
	var named []string
	for _, s := range known() {
		for _, f := range groups {
			if s.typ == typ && look(s.fire, f) != nil {
				named = append(named, f)
			}
		}
	}
	return append(named, groups...)
}

// first gives the first of the fields that all of the types can have.
func first(fields []string, except string, types ...string) string {
	for _, f := range fields {
		all := f != except
		for _, t := range types {
			full, _ := schemas.FullType(t)
			all = all && expr.Gives(full, f)
		}
		if all {
			return f
		}
	}
	return ""
}

// sampleOf gives a sample of a type whose events name the field.
func sampleOf(typ, by string) sample {
	for _, s := range known() {
		if s.typ == typ {
			put(s.fire, by, valueOf(by, s.fire))
			put(s.calm, by, valueOf(by, s.fire))
			if !strings.Contains(s.when, by) {
				s.when = "has(" + by + ") && " + s.when
			}
			return s
		}
	}
	return sample{typ, "has(" + by + ") && " + by + ` != "expected"`, object(by, "first"), object(by, "expected")}
}

// placed says where the events were, if their type does not ask for it: a
// container can be reached only where its node is known.
func (s *sample) placed() {
	full, _ := schemas.FullType(s.typ)
	if p, err := expr.Condition(`host.name == "x"`, full); err == nil && len(p.Warnings()) > 0 {
		put(s.fire, "host.name", "node-1")
		put(s.calm, "host.name", "node-1")
	}
}

// valueOf keeps what a sample says of a field, or gives one.
func valueOf(field string, data map[string]any) any {
	if v := look(data, field); v != nil {
		return v
	}
	return "first"
}

func look(data map[string]any, path string) any {
	var v any = data
	for _, name := range strings.Split(path, ".") {
		object, is := v.(map[string]any)
		if !is {
			return nil
		}
		v = object[name]
	}
	return v
}

// object makes data of paths and values in turn.
func object(pairs ...any) map[string]any {
	out := map[string]any{}
	for n := 0; n+1 < len(pairs); n += 2 {
		path, _ := pairs[n].(string)
		put(out, path, pairs[n+1])
	}
	return out
}

func put(data map[string]any, path string, v any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		below, is := data[name].(map[string]any)
		if !is {
			below = map[string]any{}
			data[name] = below
		}
		data = below
	}
	data[names[len(names)-1]] = v
}

// with is a copy of data with another value of a field.
func with(data map[string]any, path string, v any) map[string]any {
	out := copied(data)
	put(out, path, v)
	return out
}

func copied(data map[string]any) map[string]any {
	out := make(map[string]any, len(data))
	for name, v := range data {
		if object, is := v.(map[string]any); is {
			v = copied(object)
		}
		out[name] = v
	}
	return out
}
