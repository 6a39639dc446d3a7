// Package decode reads what a Kubernetes cluster tells of itself: pure
// functions from bytes to events, without a clock and without I/O. Replay, the
// author's tests and the collectors share it.
//
// It is not for receiving (a webhook, a log file, a cloud's log service) and
// not for joining what the inventory knows.
//
// # Forms
//
// [Audit] takes one JSON text in any of these forms, or an array of them:
//
//   - an audit Event, v1 or v1beta1, with or without kind and apiVersion; a
//     line of an audit log is one
//   - an EventList, as the audit webhook sends it; its items are split
//   - EKS: a CloudWatch log event (message), what a subscription delivers
//     (logEvents), what filter-log-events prints (events), and Logs Insights
//     (results, or rows with @message). Streams other than the audit log's give
//     nothing
//   - GKE: an entry of Cloud Logging with protoPayload
//   - AKS: a record with properties.log, as text or as an object, alone or in
//     records. Other categories than kube-audit give nothing. The cluster's name
//     is spelled as in the resource's id, which Azure often writes in capitals
//
// # What comes out
//
// Each item gives cluster.api.called first. A write that succeeded (a status of
// 2xx at ResponseComplete, and no dry run) gives at most one event more, about
// what it changed: cluster.rbac.changed, cluster.service.exposed,
// cluster.workload.changed or cluster.policy.changed, with the id of the first
// followed by #rbac, #service, #workload or #policy. It is read from
// responseObject, or else from requestObject; a patch then tells only what it
// holds: of a JSON patch what is added and replaced. Where the log carries no
// object, the event has the name and the kind alone; a service is not told of
// then. deletecollection is told with the name "*". consented is absent: which
// tenant a workload belongs to, and who may touch it, is configuration.
//
// audit is the API server's event, member by member as it was written. Members
// that audit.k8s.io/v1 does not have are left out (timestamp and metadata of
// v1beta1 among them), and so are nulls. Of a GKE entry it is put together from
// what Cloud Logging keeps: the status of gRPC as the one of HTTP that means it
// (200 for any success), the labels as annotations, no kind and no apiVersion.
//
// Objects that intake would not take (too large, too deep, a key twice, half of
// a surrogate pair) are left out of audit and audit.cut says so; what they change
// is told all the same. If
// that is not enough (a user agent can be a megabyte), long texts and lists are
// cut short too. Bytes that are not UTF-8 become U+FFFD. An id that is too long
// or not printable becomes its SHA-256: callers can choose it by a header.
//
// # What is believed
//
// user is who called, also when they acted as another: see
// audit.impersonatedUser. client.address is the first source address: where
// there are several, all but the last are the caller's own words. The UID of a
// pod is taken from the response; from objectRef only of an update or binding
// that succeeded, because the server compares it only there. A creation's
// objectRef.uid is what the caller wrote, and could name another pod. The audit
// id is the caller's to choose too (by the header Audit-ID), so an event's id
// carries a print of the call's times, verb and URI besides: a call must not
// pass for a copy of another.
package decode
