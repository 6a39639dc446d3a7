package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"firebreak/schemas"
)

// What intake takes of one event's data, less what stands around the objects.
const (
	maxKeys  = 9_900
	maxDepth = 60
)

// maxAttribute is the longest CloudEvents attribute.
const maxAttribute = 1024

// call gives the events of one audit event.
func (r *reader) call(d *document, at place) {
	c := &call{document: d, cluster: at.cluster}
	if err := c.read(); err != nil {
		r.fail(at, err)
		return
	}
	c.around = c.surroundings()
	id := attribute(c.audit[auditID].string(), maxAttribute/2)
	c.id = id + "/" + c.audit[stage].string() + "/" + c.print()
	data, err := c.data(r.options.MaxData)
	if err != nil {
		r.fail(at, err)
		return
	}
	r.events = append(r.events, schemas.Event{
		ID: c.id, Source: r.options.Source, Type: schemas.APICalled, Subject: c.subject(), Time: c.time, Data: data,
	})
	if err := r.derive(c); err != nil {
		r.fail(at, err)
	}
}

// print tells calls apart that were given the same auditID: whoever calls may
// choose it (by the header Audit-ID), and a call that is taken for a copy of
// another would be seen by nobody.
func (c *call) print() string {
	h := sha256.New()
	for _, m := range []int{stageTimestamp, requestReceivedTimestamp, timestamp, verb, requestURI} {
		h.Write(c.audit[m])
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// subject names what the call was about, "pods/<namespace>/<name>"; without a
// name there is none.
func (c *call) subject() string {
	name := c.name()
	if c.ref.resource == nil || name == nil {
		return ""
	}
	s := c.ref.resource.string() + "/"
	if c.ref.namespace != nil && s != "namespaces/" {
		s += c.ref.namespace.string() + "/"
	}
	s += name.string()
	if len(s) > maxAttribute || !printable(s) {
		return ""
	}
	return s
}

// data writes the event's data, within what intake takes. The objects are left
// out first, then all that is long is cut short.
func (c *call) data(limit int) ([]byte, error) {
	request, response := c.audit[requestObject], c.audit[responseObject]
	// What is derived is read from the objects all the same.
	defer func() { c.audit[requestObject], c.audit[responseObject] = request, response }()
	c.leaveOut(requestObject, !c.request.fits())
	c.leaveOut(responseObject, !c.response.fits())
	if c.rest.keys+c.request.keys+c.response.keys > maxKeys {
		c.leaveOut(requestObject, true)
		c.leaveOut(responseObject, true)
	}
	if c.rest.fits() {
		if data := c.write(); len(data) <= limit {
			return data, nil
		}
		c.leaveOut(requestObject, true)
		c.leaveOut(responseObject, true)
		if data := c.write(); len(data) <= limit {
			return data, nil
		}
	}
	c.leaveOut(requestObject, true)
	c.leaveOut(responseObject, true)
	if err := c.shorten(); err != nil {
		return nil, err
	}
	data := c.write()
	if len(data) > limit {
		return nil, c.wrong(fmt.Sprintf("%d bytes even without its objects and with all that is long cut short, and %d are the most", len(data), limit))
	}
	return data, nil
}

func (s *shape) fits() bool {
	return s.twice == nil && !s.odd && s.depth <= maxDepth && s.keys <= maxKeys
}

func (c *call) leaveOut(m int, when bool) {
	// AKS writes a text in place of an object that it found too large.
	if v := c.audit[m]; v != nil && (when || v.text()) {
		c.audit[m], c.cut = nil, true
	}
}

func (c *call) write() []byte {
	size := 512
	for m := range written {
		size += len(c.audit[m]) + len(memberNames[m]) + 4
	}
	b := append(make([]byte, 0, size), '{')
	if c.around.any() {
		b = c.around.write(b)
	}
	b = append(b, `"user":{`...)
	b = member(b, "id", c.by.uid)
	b = member(b, "name", c.by.username)
	b = append(member(b, "groups", c.by.groups), '}', ',')
	if address := first(c.audit[sourceIPs]); address != nil {
		b = append(append(append(b, `"client":{"address":`...), address...), '}', ',')
	}
	if agent := c.audit[userAgent]; agent != nil && !agent.is("") {
		b = append(append(append(b, `"user_agent":{"original":`...), agent...), '}', ',')
	}
	b = c.caller(b)
	b = append(b, `"audit":{`...)
	for m := range written {
		b = c.writeMember(b, m)
	}
	if c.cut {
		b = member(b, "cut", raw("true"))
	}
	return append(b, '}', '}')
}

func (c *call) writeMember(b []byte, m int) []byte {
	if c.audit[m] == nil {
		return b
	}
	switch m {
	case user:
		return c.by.write(opened(b, memberNames[m]))
	case impersonatedUser:
		return c.as.write(opened(b, memberNames[m]))
	case objectRef:
		return c.ref.write(opened(b, memberNames[m]))
	case responseStatus:
		return c.writeStatus(opened(b, memberNames[m]))
	}
	return member(b, memberNames[m], c.audit[m])
}

func (a *account) write(b []byte) []byte {
	b = member(b, "username", a.username)
	b = member(b, "uid", a.uid)
	b = member(b, "groups", a.groups)
	if a.extra != nil {
		b = opened(b, "extra")
		each(a.extra, func(key []byte, v raw) {
			if !v.null() {
				b = keyed(b, key, v)
			}
		})
		b = append(b, '}')
	}
	return append(b, '}')
}

func (r *reference) write(b []byte) []byte {
	b = member(b, "resource", r.resource)
	b = member(b, "subresource", r.subresource)
	b = member(b, "namespace", r.namespace)
	b = member(b, "name", r.name)
	b = member(b, "uid", r.uid)
	b = member(b, "apiGroup", r.apiGroup)
	b = member(b, "apiVersion", r.apiVersion)
	return append(member(b, "resourceVersion", r.resourceVersion), '}')
}

func (c *call) writeStatus(b []byte) []byte {
	each(c.audit[responseStatus], func(key []byte, v raw) {
		switch string(key) {
		case "metadata", "details": // of any shape
			if c.brief {
				return
			}
		case "code", "status", "reason", "message":
		default:
			return
		}
		if !v.null() {
			b = keyed(b, key, v)
		}
	})
	return append(b, '}')
}

// keyed is member for a name that is bytes; most need no escapes, and no copy.
func keyed(b, name []byte, v raw) []byte {
	for _, c := range name {
		if special(c) {
			return member(b, string(name), v)
		}
	}
	b = append(append(comma(b), '"'), name...)
	return append(append(b, '"', ':'), v...)
}

// member writes a member, if it is there, with the comma that it needs.
func member(b []byte, name string, v raw) []byte {
	if v == nil {
		return b
	}
	return append(append(appendQuoted(comma(b), name), ':'), v...)
}

func opened(b []byte, name string) []byte {
	return append(appendQuoted(comma(b), name), ':', '{')
}

func comma(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == ',' {
		return b
	}
	return append(b, ',')
}

// first is the first element of an array.
func first(v raw) (element raw) {
	items(v, func(of raw) {
		if element == nil {
			element = of
		}
	})
	if element.is("") || bytes.Equal(element, []byte("null")) {
		return nil
	}
	return element
}
