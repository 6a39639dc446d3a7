package decode

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"firebreak/schemas"
)

// gke takes an entry of Cloud Logging. It is not the API server's event but
// what Google's audit log has of it, so the event is put together anew.
func (r *reader) gke(entry *document, at place) {
	proto := entry.wrap[protoPayload]
	if service := get(proto, "serviceName"); service != nil && !service.is("k8s.io") {
		r.fail(at, fmt.Errorf("an entry of %.64q: want one of k8s.io, what Kubernetes itself was asked: %w", service.string(), schemas.ErrInvalid))
		return
	}
	of, err := parseMethod(get(proto, "methodName").string(), get(proto, "resourceName").string())
	if err != nil {
		r.fail(at, err)
		return
	}
	if name := get(entry.wrap[resource], "labels", "cluster_name"); name.text() && !name.is("") {
		at.cluster = clean(name)
	}
	b := entry.gkeWho(proto)
	b = member(b, "verb", quoted(of.verb))
	b = of.write(b)
	b = gkeObjects(b, proto)
	code, denied := gkeStatus(proto)
	b = append(member(opened(b, "responseStatus"), "code", raw(fmt.Sprint(code))), denied...)
	b = append(b, '}')
	if of := entry.wrap[labels]; of.object() {
		b = member(b, "annotations", of)
	}
	var d document
	if err := d.scan(append(b, '}'), &r.room); err != nil {
		r.fail(at, err)
		return
	}
	r.call(&d, at)
}

// gkeWho writes what the entry says of the call's identity, its caller and its time.
func (d *document) gkeWho(proto raw) []byte {
	b := []byte{'{'}
	id := get(d.wrap[operation], "id") // the audit id
	if !id.text() || id.is("") {
		id = d.wrap[insertID]
	}
	b = member(b, memberNames[auditID], id)
	// Of what lasts, a first entry tells the beginning and a last one the end.
	stage := "ResponseComplete"
	if told(get(d.wrap[operation], "first")) && !told(get(d.wrap[operation], "last")) {
		stage = "ResponseStarted"
	}
	b = member(b, "stage", quoted(stage))
	b = member(b, memberNames[stageTimestamp], d.audit[timestamp])
	if name := get(proto, "authenticationInfo", "principalEmail"); name.text() {
		b = append(member(opened(b, memberNames[user]), "username", name), '}')
	}
	meta := get(proto, "requestMetadata")
	if address := get(meta, "callerIp"); address.text() && !address.is("") {
		b = member(b, memberNames[sourceIPs], slices.Concat(raw{'['}, address, raw{']'}))
	}
	if agent := get(meta, "callerSuppliedUserAgent"); agent.text() {
		b = member(b, memberNames[userAgent], agent)
	}
	return b
}

// told reads a flag, which some exports write as a text.
func told(v raw) bool { return v.yes() || v.is("true") }

func gkeObjects(b []byte, proto raw) []byte {
	request, response := get(proto, "request"), get(proto, "response")
	if request.null() {
		request = nil
	}
	if response.null() {
		response = nil
	}
	level := "Metadata"
	switch {
	case response != nil:
		level = "RequestResponse"
	case request != nil:
		level = "Request"
	}
	b = member(b, "level", quoted(level))
	b = member(b, memberNames[requestObject], request)
	return member(b, memberNames[responseObject], response)
}

// gkeStatus gives the HTTP status, and what more is known of a refusal as
// members. A refusal's response is the Status of Kubernetes, which says it best.
func gkeStatus(proto raw) (int, []byte) {
	status, answer := get(proto, "status"), get(proto, "response")
	grpc, _ := get(status, "code").number()
	code, text := httpStatus(grpc), get(status, "message")
	var more []byte
	if get(answer, "kind").is("Status") || get(answer, "@type").is("core.k8s.io/v1.Status") {
		if said, is := get(answer, "code").number(); is && said >= 100 {
			code = said
		}
		if reason := get(answer, "reason"); reason.text() {
			more = append(append(more, `,"reason":`...), reason...)
		}
		if said := get(answer, "message"); said.text() {
			text = said
		}
	}
	if text.text() && !text.is("") {
		more = append(append(more, `,"message":`...), text...)
	}
	return code, more
}

// httpStatus says in HTTP what a code of gRPC means.
func httpStatus(grpc int) int {
	switch grpc {
	case 0: // OK
		return 200
	case 1: // CANCELLED
		return 499
	case 3, 9, 11: // INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
		return 400
	case 4: // DEADLINE_EXCEEDED
		return 504
	case 5: // NOT_FOUND
		return 404
	case 6, 10: // ALREADY_EXISTS, ABORTED
		return 409
	case 7: // PERMISSION_DENIED
		return 403
	case 8: // RESOURCE_EXHAUSTED
		return 429
	case 12: // UNIMPLEMENTED
		return 501
	case 14: // UNAVAILABLE
		return 503
	case 16: // UNAUTHENTICATED
		return 401
	}
	if grpc >= 100 && grpc < 600 {
		return grpc // it is one of HTTP already
	}
	return 500 // UNKNOWN, INTERNAL, DATA_LOSS and what there may be more
}

// method is what the names of Cloud Logging say of a call.
type method struct {
	verb, uri             string
	group, version        string
	resource, subresource string
	namespace, name       string
}

var versionSegment = regexp.MustCompile(`^v\d+((alpha|beta)\d+)?$`)

// parseMethod reads methodName, "io.k8s.core.v1.pods.exec.create", together
// with resourceName, "core/v1/namespaces/default/pods/web/exec". The first tells
// resource and subresource apart, the second has the group as it is spelled.
func parseMethod(methodName, resourceName string) (m method, err error) {
	parts := strings.Split(methodName, ".")
	m.verb = parts[len(parts)-1]
	at := slices.IndexFunc(parts, versionSegment.MatchString)
	if at < 0 || at+1 >= len(parts)-1 {
		if len(parts) == 3 && strings.HasPrefix(methodName, "io.k8s.") && m.verb != "" {
			m.uri = "/" + resourceName // no resource: io.k8s.get on healthz
			return m, nil
		}
		return m, fmt.Errorf("methodName %.64q is no call of Kubernetes: want one such as io.k8s.core.v1.pods.create: %w", methodName, schemas.ErrInvalid)
	}
	m.version, m.resource = parts[at], parts[at+1]
	m.subresource = strings.Join(parts[at+2:len(parts)-1], "/")
	path := strings.Split(resourceName, "/")
	if len(path) < 2 {
		return m, nil
	}
	if m.group = path[0]; m.group == "core" {
		m.group = ""
	}
	path = path[2:]
	if len(path) >= 2 && path[0] == "namespaces" {
		m.namespace = path[1]
		if m.resource != "namespaces" {
			path = path[2:]
		}
	}
	if len(path) >= 2 && path[0] == m.resource {
		m.name = path[1]
	}
	return m, nil
}

func (m *method) write(b []byte) []byte {
	if m.resource == "" {
		return member(b, memberNames[requestURI], quoted(m.uri))
	}
	b = opened(b, memberNames[objectRef])
	add := func(name, value string) {
		if value != "" {
			b = member(b, name, quoted(value))
		}
	}
	add("resource", m.resource)
	add("subresource", m.subresource)
	add("namespace", m.namespace)
	add("name", m.name)
	add("apiGroup", m.group)
	add("apiVersion", m.version)
	return append(b, '}')
}
