package decode

import (
	"fmt"
	"strings"

	"firebreak/schemas"
)

// aks takes resource logs of Azure: one record, or a list of them.
func (r *reader) aks(d *document, at place) {
	w := &d.wrap
	if w[records] != nil {
		r.list(w[records], "records", at)
		return
	}
	// kube-audit-admin is the same log without what only reads.
	if w[category] != nil && !oneOf(w[category], "kube-audit", "kube-audit-admin") {
		return
	}
	if id := w[resourceID].string(); strings.Contains(strings.ToLower(id), "/managedclusters/") {
		at.cluster = quoted(id[strings.LastIndexByte(id, '/')+1:])
		if at.cluster.is("") {
			at.cluster = nil
		}
	}
	of, at := w[properties], at.member("properties")
	if of.text() { // as some exports write it
		of = plain(of)
		if err := (&scanner{data: of}).whole(); err != nil {
			r.fail(at, err)
			return
		}
	}
	log := get(of, "log")
	if log == nil {
		r.fail(at, fmt.Errorf("no log in it: want a record of the category kube-audit: %w", schemas.ErrInvalid))
		return
	}
	r.form(log, at.member("log"))
}
