package decode

import (
	"fmt"

	"firebreak/schemas"
)

// Members of an audit event, in the order in which they are written.
const (
	kind = iota
	apiVersion
	level
	auditID
	stage
	requestURI
	verb
	user
	impersonatedUser
	authenticationMetadata
	sourceIPs
	userAgent
	objectRef
	responseStatus
	requestObject
	responseObject
	requestReceivedTimestamp
	stageTimestamp
	annotations
	written   // how many are written
	timestamp = written
	members   = written + 1
)

var memberNames = [members]string{
	"kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser",
	"authenticationMetadata", "sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject",
	"responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations", "timestamp",
}

// Members of what wraps audit events.
const (
	protoPayload = iota // GKE
	resource
	operation
	labels
	insertID
	listItems // EventList
	records   // AKS
	properties
	category
	resourceID
	message // EKS
	logEvents
	messageType
	logGroup
	logStream
	cloudWatchEvents
	results
	insightsMessage
	insightsLog
	wrappers
)

// document is an object's members that any of the forms knows.
type document struct {
	audit [members]raw
	wrap  [wrappers]raw

	request, response shape // of the objects
	rest              shape // of all other members that are written
}

// scan reads an object. It takes room for keys and gives it back, so that one
// input needs it once.
func (d *document) scan(data []byte, room *[][]byte) error {
	if *room == nil {
		*room = make([][]byte, 0, fewKeys)
	}
	s := scanner{data: data, keys: *room}
	err := s.document(d.member)
	*room = s.keys[:0]
	return err
}

func (d *document) member(key, value []byte, of shape) error {
	m := memberOf(key)
	if m < 0 {
		if w := wrapperOf(key); w >= 0 {
			d.wrap[w] = value
		}
		return nil
	}
	if d.audit[m] != nil {
		return fmt.Errorf("%s is there twice: %w", memberNames[m], schemas.ErrInvalid)
	}
	if raw(value).null() {
		return nil
	}
	d.audit[m] = value
	switch m {
	case requestObject:
		d.request = of
	case responseObject:
		d.response = of
	case timestamp:
	default:
		d.rest.join(of)
	}
	return nil
}

func memberOf(key []byte) int {
	switch string(key) {
	case "kind":
		return kind
	case "apiVersion":
		return apiVersion
	case "level":
		return level
	case "auditID":
		return auditID
	case "stage":
		return stage
	case "requestURI":
		return requestURI
	case "verb":
		return verb
	case "user":
		return user
	case "impersonatedUser":
		return impersonatedUser
	case "authenticationMetadata":
		return authenticationMetadata
	case "sourceIPs":
		return sourceIPs
	case "userAgent":
		return userAgent
	case "objectRef":
		return objectRef
	case "responseStatus":
		return responseStatus
	case "requestObject":
		return requestObject
	case "responseObject":
		return responseObject
	case "requestReceivedTimestamp":
		return requestReceivedTimestamp
	case "stageTimestamp":
		return stageTimestamp
	case "annotations":
		return annotations
	case "timestamp":
		return timestamp
	}
	return -1
}

func wrapperOf(key []byte) int {
	switch string(key) {
	case "protoPayload":
		return protoPayload
	case "resource":
		return resource
	case "operation":
		return operation
	case "labels":
		return labels
	case "insertId":
		return insertID
	case "items":
		return listItems
	case "records":
		return records
	case "properties":
		return properties
	case "category":
		return category
	case "resourceId":
		return resourceID
	case "message":
		return message
	case "logEvents":
		return logEvents
	case "messageType":
		return messageType
	case "logGroup":
		return logGroup
	case "logStream", "logStreamName", "@logStream":
		return logStream
	case "events":
		return cloudWatchEvents
	case "results":
		return results
	case "@message":
		return insightsMessage
	case "@log":
		return insightsLog
	}
	return -1
}
