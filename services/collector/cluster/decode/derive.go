package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"firebreak/schemas"
)

// entryLimits are tried one after the other until a derived event is small
// enough: how many entries its lists may have.
var entryLimits = [...]int{1000, 100, 10}

// derive adds what a successful write changed.
func (r *reader) derive(c *call) error {
	change := c.change()
	if change == "" || c.ref.resource == nil {
		return nil
	}
	group, resource := c.ref.group(), c.ref.resource.string()
	if kind := rbacKind(group, resource); kind != "" && (c.plainObject() || c.audit[verb].is("deletecollection")) {
		return r.rbac(c, kind, change)
	}
	if kind := workloadKind(group, resource); kind != "" && c.changesWorkload() {
		return r.workload(c, kind, change)
	}
	if kind := serviceKind(group, resource); kind != "" && c.plainObject() {
		return r.service(c, kind, change)
	}
	if kind := policyKind(group, resource); kind != "" && !c.ref.subresource.is("status") {
		return r.policy(c, kind, change)
	}
	return nil
}

// change says what a call did, "" when it changed nothing.
func (c *call) change() string {
	if !c.succeeded() || !c.audit[stage].is("ResponseComplete") || c.ref.subresource.is("status") || c.dryRun() {
		return ""
	}
	switch c.audit[verb].string() {
	case "create":
		return "created"
	case "update", "patch":
		if c.code == 201 { // as an apply does to what is not there
			return "created"
		}
		return "modified"
	case "delete", "deletecollection":
		return "deleted"
	}
	return ""
}

// dryRun tells whether the caller asked for nothing to be done.
func (c *call) dryRun() bool {
	if bytes.Contains(c.audit[requestURI], []byte("dryRun=All")) {
		return true
	}
	options := c.audit[requestObject]
	return strings.HasPrefix(c.audit[verb].string(), "delete") && get(options, "kind").is("DeleteOptions") && first(get(options, "dryRun")).is("All")
}

// named gives the name of what was changed; "*" for a whole collection, "" if
// nothing tells.
func (c *call) named() string {
	if c.audit[verb].is("deletecollection") {
		return "*"
	}
	name := c.name().string()
	if name == "" {
		name = get(c.audit[requestObject], "metadata", "name").string()
	}
	return clipped(name)
}

// bodies are the objects that tell what was changed: the answer if it is of the
// kind, or else what was asked. Of a JSON patch there is one for each operation.
func (c *call) bodies(kinds ...string) []raw {
	if answer := c.audit[responseObject]; answer.object() && ofKind(answer, kinds) {
		return []raw{answer}
	}
	asked := c.audit[requestObject]
	switch {
	case strings.HasPrefix(c.audit[verb].string(), "delete"):
		return nil
	case asked.array() && c.audit[verb].is("patch"):
		return operations(asked)
	case asked.object() && (get(asked, "kind") == nil && c.audit[verb].is("patch") || ofKind(asked, kinds)):
		return []raw{asked}
	}
	return nil
}

// ofKind tells whether an object is of one of the kinds; without kinds, whether
// it is an object of its own at all.
func ofKind(v raw, kinds []string) bool {
	kind := get(v, "kind")
	if len(kinds) == 0 {
		return kind != nil && !oneOf(kind, "Status", "DeleteOptions", "Table", "PartialObjectMetadata")
	}
	return oneOf(kind, kinds...)
}

const (
	// Operations of a JSON patch that are looked at; the API server takes 10,000.
	maxOperations = 10_000
	// Steps of a path that are followed; nothing that is told lies deeper.
	maxSteps = 16
)

// operations turns a JSON patch into what the same as merge patches would be:
// "add" and "replace" at a path become the value at that path, "remove" becomes
// null. An index becomes an array of one. What "move" and "copy" carry is not in
// the patch.
func operations(patch raw) []raw {
	var all []raw
	items(patch, func(op raw) {
		value, path := get(op, "value"), get(op, "path").string()
		switch get(op, "op").string() {
		case "add", "replace":
		case "remove":
			value = raw("null")
		default:
			return
		}
		if value == nil || len(all) >= maxOperations || strings.Count(path, "/") > maxSteps {
			return
		}
		steps := strings.Split(path, "/")
		for i := len(steps) - 1; i > 0; i-- {
			if index(steps[i]) {
				value = append(append([]byte{'['}, value...), ']')
				continue
			}
			name := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i])
			value = append(member([]byte{'{'}, name, value), '}')
		}
		all = append(all, value)
	})
	return all
}

func index(step string) bool {
	if step == "-" {
		return true
	}
	return step != "" && strings.Trim(step, "0123456789") == ""
}

// about is the k8s block of a derived event.
func (c *call) about() *schemas.K8s {
	of := &c.around
	if !of.any() {
		return nil
	}
	var k schemas.K8s
	if of.namespace != nil {
		k.Namespace = &schemas.Namespace{Name: clipped(of.namespace.string())}
	}
	if of.pod != nil {
		k.Pod = &schemas.Pod{Name: clipped(of.pod.string()), UID: clipped(of.uid.string())}
	}
	if of.cluster != nil {
		k.Cluster = &schemas.Cluster{Name: clipped(of.cluster.string())}
	}
	return &k
}

// emit adds a derived event. data is asked for one that is smaller as long as it
// is too large.
func (r *reader) emit(c *call, typ, suffix string, data func(entries int) any) error {
	size := 0
	for _, entries := range entryLimits {
		b, err := json.Marshal(data(entries))
		if err != nil {
			return fmt.Errorf("data of %s: %w", typ, err)
		}
		if size = len(b); size <= r.options.MaxData {
			r.events = append(r.events, schemas.Event{
				ID: c.id + "#" + suffix, Source: r.options.Source, Type: typ, Subject: c.subject(), Time: c.time, Data: b,
			})
			return nil
		}
	}
	return c.wrong(fmt.Sprintf("%s would have %d bytes of data, and %d are the most", typ, size, r.options.MaxData))
}

// cutTo gives at most n entries of a list.
func cutTo[T any](list []T, n int) []T { return list[:min(n, len(list))] }
