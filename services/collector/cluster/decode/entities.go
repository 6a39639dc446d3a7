package decode

import (
	"bytes"
	"strings"

	"firebreak/schemas"
)

// surroundings are the k8s block of a call: what it was about.
type surroundings struct {
	cluster, namespace, pod, account raw
	uid                              raw // of the pod or the account
}

func (c *call) surroundings() (s surroundings) {
	s.cluster, s.namespace = c.cluster, c.ref.namespace
	switch {
	case c.ref.about("", "namespaces"):
		if s.namespace == nil {
			s.namespace = c.ref.name
		}
	case c.ref.about("", "pods"):
		s.pod, s.uid = c.name(), c.uid()
	case c.ref.about("", "serviceaccounts"):
		s.account, s.uid = c.name(), c.uid()
	}
	if s.namespace.is("") {
		s.namespace = nil
	}
	return s
}

func (s *surroundings) any() bool {
	return s.cluster != nil || s.namespace != nil || s.pod != nil || s.account != nil
}

func (s *surroundings) write(b []byte) []byte {
	b = append(b, `"k8s":{`...)
	if s.namespace != nil {
		b = append(member(opened(b, "namespace"), "name", s.namespace), '}')
	}
	if s.pod != nil {
		b = append(member(member(opened(b, "pod"), "name", s.pod), "uid", s.uid), '}')
	}
	if s.account != nil {
		b = append(member(member(opened(b, "service_account"), "name", s.account), "uid", s.uid), '}')
	}
	if s.cluster != nil {
		b = append(member(opened(b, "cluster"), "name", s.cluster), '}')
	}
	return append(b, '}', ',')
}

// name of what the call was about. Where the server makes it up
// (generateName), its answer tells.
func (c *call) name() raw {
	if c.ref.name != nil && !c.ref.name.is("") {
		return c.ref.name
	}
	if c.succeeded() && c.audit[verb].is("create") && c.plainObject() {
		if name := get(c.audit[responseObject], "metadata", "name"); name.text() && !name.is("") {
			return clean(name)
		}
	}
	return nil
}

// uid of what the call was about: only what the server said, or has compared.
// That of a dry run is nobody's.
func (c *call) uid() raw {
	if !c.succeeded() || c.dryRun() {
		return nil
	}
	if uid := c.answered(); uid.text() && !uid.is("") {
		return clean(uid)
	}
	compared := c.audit[verb].is("update") && c.plainObject() || c.audit[verb].is("create") && c.ref.subresource.is("binding")
	if compared && !c.ref.uid.is("") {
		return c.ref.uid
	}
	return nil
}

// answered is the UID that the server answered with.
func (c *call) answered() raw {
	answer := c.audit[responseObject]
	switch {
	case !c.plainObject():
		return nil
	case !get(answer, "kind").is("Status"):
		return get(answer, "metadata", "uid")
	case get(answer, "details", "kind").is(c.ref.resource.string()):
		return get(answer, "details", "uid") // how a deletion is answered
	}
	return nil
}

// plainObject tells whether the objects of the call are the resource itself,
// and not one that stands for an operation, such as an eviction.
func (c *call) plainObject() bool {
	if c.audit[verb].is("deletecollection") || c.audit[verb].is("list") || c.audit[verb].is("watch") {
		return false
	}
	return oneOf(c.ref.subresource, "status", "ephemeralcontainers", "resize") || c.ref.subresource == nil || c.ref.subresource.is("")
}

func (c *call) succeeded() bool { return c.code >= 200 && c.code < 300 }

const (
	accountPrefix = "system:serviceaccount:"
	nodePrefix    = "system:node:"
	extraPrefix   = "authentication.kubernetes.io/"
)

// caller writes where the credential that was used comes from.
func (c *call) caller(b []byte) []byte {
	var node, pod, podUID, credential, account, namespace raw
	each(c.by.extra, func(key []byte, v raw) {
		name, is := bytes.CutPrefix(key, []byte(extraPrefix))
		if !is {
			return
		}
		switch string(name) {
		case "pod-name":
			pod = first(v)
		case "pod-uid":
			podUID = first(v)
		case "node-name":
			node = first(v)
		case "credential-id":
			credential = first(v)
		}
	})
	user := c.by.username.string()
	if rest, is := strings.CutPrefix(user, accountPrefix); is {
		if in, of, two := strings.Cut(rest, ":"); two && in != "" && of != "" {
			namespace, account = quoted(in), quoted(of)
		}
	} else if of, is := strings.CutPrefix(user, nodePrefix); is && of != "" {
		node = quoted(of)
	}
	if node == nil && pod == nil && podUID == nil && credential == nil && account == nil {
		return b
	}
	b = member(append(b, `"caller":{`...), "namespace", namespace)
	if account != nil {
		uid := c.by.uid
		if uid.is("") {
			uid = nil
		}
		b = append(member(member(opened(b, "service_account"), "name", account), "uid", uid), '}')
	}
	if pod != nil || podUID != nil {
		b = append(member(member(opened(b, "pod"), "name", pod), "uid", podUID), '}')
	}
	if node != nil {
		b = append(member(opened(b, "host"), "name", node), '}')
	}
	return append(member(b, "credential", credential), '}', ',')
}

// who is the user block for events that are derived.
func (c *call) who() *schemas.User {
	u := schemas.User{ID: clipped(c.by.uid.string()), Name: clipped(c.by.username.string()), Groups: texts(c.by.groups)}
	if len(u.Groups) > maxList {
		u.Groups = u.Groups[:maxList]
	}
	if u.ID == "" && u.Name == "" && len(u.Groups) == 0 {
		return nil
	}
	return &u
}

func (c *call) client() *schemas.Client {
	if address := first(c.audit[sourceIPs]); address != nil {
		return &schemas.Client{Address: clipped(address.string())}
	}
	return nil
}
