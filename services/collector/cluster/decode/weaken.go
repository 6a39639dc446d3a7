package decode

import "strings"

// podSecurityPrefix begins the labels by which a namespace sets its own bounds.
const podSecurityPrefix = "pod-security.kubernetes.io/"

// podSecurity tells whether a write of a namespace speaks of its pod security,
// and whether that lets more through: enforce is taken away or set to
// privileged. Of a patch what was asked counts, because the answer has all
// labels, changed or not. A replacement that leaves a label out looks like one of
// a namespace that never had it.
func (c *call) podSecurity() (told, weakened bool) {
	bodies := c.bodies(namespaceKind)
	if asked := c.audit[requestObject]; c.audit[verb].is("patch") {
		if bodies = operations(asked); asked.object() {
			bodies = []raw{asked}
		}
	}
	for _, body := range bodies {
		each(get(body, "metadata", "labels"), func(key []byte, v raw) {
			name, is := strings.CutPrefix(string(key), podSecurityPrefix)
			if !is {
				return
			}
			told = true
			if name == "enforce" && (v.null() || v.is("privileged")) {
				weakened = true
			}
		})
	}
	return told, weakened
}

// loosens tells whether what a policy says now lets more through, as far as that
// can be seen without knowing what it said before. What is created adds bounds,
// however wide; only an allow rule of a network policy opens by being there.
func loosens(kind, change string, body raw) bool {
	spec := get(body, "spec")
	if kind == "NetworkPolicy" {
		return allowsAll(get(spec, "ingress")) || allowsAll(get(spec, "egress"))
	}
	if change != "modified" {
		return false
	}
	if get(spec, "failurePolicy").is("Ignore") || onlyTells(spec) {
		return true
	}
	webhooks := get(body, "webhooks")
	weak := webhooks.array() && first(webhooks) == nil
	items(webhooks, func(hook raw) { weak = weak || get(hook, "failurePolicy").is("Ignore") })
	return weak
}

// allowsAll finds a rule without conditions, which lets everything pass.
func allowsAll(rules raw) (all bool) {
	items(rules, func(rule raw) {
		if !rule.object() {
			return
		}
		empty := true
		each(rule, func([]byte, raw) { empty = false })
		all = all || empty
	})
	return all
}

// onlyTells finds a policy that says what breaks it and lets it pass: a binding
// without Deny, a policy of Kyverno that audits, a constraint of Gatekeeper in a
// dry run.
func onlyTells(spec raw) bool {
	if actions := get(spec, "validationActions"); actions.array() {
		denies := false
		items(actions, func(a raw) { denies = denies || a.is("Deny") })
		return !denies
	}
	if oneOf(get(spec, "enforcementAction"), "dryrun", "warn") {
		return true
	}
	audits := func(action raw) bool { return strings.EqualFold(action.string(), "audit") }
	if audits(get(spec, "validationFailureAction")) {
		return true
	}
	found := false
	items(get(spec, "rules"), func(rule raw) { found = found || audits(get(rule, "validate", "failureAction")) })
	return found
}
