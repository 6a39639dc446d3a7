package responder

import (
	"slices"

	"firebreak/schemas"
)

// name tells one target from another. Two of the runtime's namespaces may use
// the same id for different containers.
type name struct{ namespace, id string }

func nameOf(t schemas.Target) name {
	n := name{id: t.ID}
	if t.Container != nil {
		n.namespace = t.Container.Namespace
	}
	return n
}

// namesIn are the targets a plan reaches, its own among them. The request may
// not have known the namespace of the target, where the members say it.
func namesIn(p schemas.Plan) []name {
	out := make([]name, 0, len(p.Members)+1)
	own := nameOf(p.Target)
	out = append(out, own)
	for _, m := range p.Members {
		switch n := nameOf(m); {
		case n == own:
		case n.id == own.id && own.namespace == "":
			own, out[0] = n, n
		default:
			out = append(out, n)
		}
	}
	return out
}

// laneKey names what a target belongs to: its pod when it has one.
func (b *book) laneKey(t schemas.Target) string {
	if t.K8s != nil && t.K8s.Pod != nil && t.K8s.Pod.UID != "" {
		return "pod/" + t.K8s.Pod.UID
	}
	n := nameOf(t)
	key := t.Kind + "/" + n.namespace + "/" + n.id
	for _, a := range b.alias[n.id] {
		if a.namespace == n.namespace {
			return a.lane
		}
		// Of two that bear the id, one with its namespace and one without, nobody
		// knows yet whether they are the same: they must not be worked on at once.
		if t.Kind == "container" && (a.namespace == "" || n.namespace == "") {
			key = a.lane
		}
	}
	return key
}

// alias leads from a target to the key of its lane.
type alias struct{ namespace, lane string }

// learn notes that targets belong to a lane. What was learnt before stays
// while its lane does.
func (b *book) learn(l *lane, names ...name) {
	for _, n := range names {
		a := alias{n.namespace, l.key}
		if !slices.Contains(b.alias[n.id], a) {
			b.alias[n.id] = append(b.alias[n.id], a)
			l.aliases = append(l.aliases, n)
		}
	}
}

// unlearn takes out what leads to a lane that is no more.
func (b *book) unlearn(l *lane) {
	for _, n := range l.aliases {
		left := slices.DeleteFunc(b.alias[n.id], func(a alias) bool { return a.lane == l.key })
		if b.alias[n.id] = left; len(left) == 0 {
			delete(b.alias, n.id)
		}
	}
}
