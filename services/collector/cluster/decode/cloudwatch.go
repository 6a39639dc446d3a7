package decode

import (
	"fmt"
	"strings"

	"firebreak/schemas"
)

// auditStream is how the streams of EKS begin that hold the audit log; those of
// the other components lie beside them in the same group.
const auditStream = "kube-apiserver-audit"

// cloudWatch tells whether a document is of CloudWatch.
func (d *document) cloudWatch() bool {
	w := &d.wrap
	return w[message] != nil || w[logEvents] != nil || w[messageType] != nil ||
		w[cloudWatchEvents] != nil || w[results] != nil || w[insightsMessage] != nil
}

// eks takes what CloudWatch makes of the audit log.
func (r *reader) eks(d *document, at place) {
	w := &d.wrap
	if stream := w[logStream].string(); stream != "" && !strings.HasPrefix(stream, auditStream) {
		return
	}
	for _, group := range []raw{w[logGroup], w[insightsLog]} {
		if name := eksCluster(group.string()); name != "" {
			at.cluster = quoted(name)
		}
	}
	switch {
	case w[insightsMessage] != nil:
		r.form(w[insightsMessage], at.member("@message"))
	case w[message] != nil:
		r.form(w[message], at.member("message"))
	case w[logEvents] != nil:
		// CloudWatch tries a new subscription with a message of its own.
		if !w[messageType].is("CONTROL_MESSAGE") {
			r.list(w[logEvents], "logEvents", at)
		}
	case w[cloudWatchEvents] != nil:
		r.list(w[cloudWatchEvents], "events", at)
	case w[results] != nil:
		n := 0
		items(w[results], func(row raw) {
			r.row(row, at.item("results", n))
			n++
		})
	case !w[messageType].is("CONTROL_MESSAGE"):
		r.fail(at, fmt.Errorf("a delivery of CloudWatch without logEvents: %w", schemas.ErrInvalid))
	}
}

// row takes a result of Logs Insights: a list of fields and their values.
func (r *reader) row(row raw, at place) {
	var d document
	items(row, func(field raw) {
		name := get(field, "field").string()
		if w := wrapperOf([]byte(name)); w >= 0 && strings.HasPrefix(name, "@") {
			d.wrap[w] = get(field, "value")
		}
	})
	if d.wrap[insightsMessage] == nil {
		r.fail(at, fmt.Errorf("no @message: ask Logs Insights for it (fields @message): %w", schemas.ErrInvalid))
		return
	}
	r.eks(&d, at)
}

// eksCluster finds the cluster's name in that of its log group:
// /aws/eks/<name>/cluster, in Logs Insights behind the account and a colon.
func eksCluster(group string) string {
	_, path, found := strings.Cut(group, "/aws/eks/")
	if !found {
		return ""
	}
	name, found := strings.CutSuffix(path, "/cluster")
	if !found {
		return ""
	}
	return name
}
