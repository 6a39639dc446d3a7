package decode

import (
	"slices"
	"strings"

	"firebreak/schemas"
)

func rbacKind(group, resource string) string {
	if group != "rbac.authorization.k8s.io" {
		return ""
	}
	switch resource {
	case "roles":
		return "Role"
	case "clusterroles":
		return "ClusterRole"
	case "rolebindings":
		return "RoleBinding"
	case "clusterrolebindings":
		return "ClusterRoleBinding"
	}
	return ""
}

func (r *reader) rbac(c *call, kind, change string) error {
	name := c.named()
	if name == "" {
		return nil
	}
	of := schemas.RBAC{Kind: kind, Name: name, Namespace: clipped(c.ref.namespace.string()), System: systemRole(name)}
	for _, body := range c.bodies(kind) {
		addRBAC(&of, body)
	}
	return r.emit(c, schemas.RBACChanged, "rbac", func(entries int) any {
		less := of
		less.Rules, less.Subjects = slices.Clone(cutTo(of.Rules, entries)), cutTo(of.Subjects, entries)
		less.Cut = len(less.Rules) < len(of.Rules) || len(less.Subjects) < len(of.Subjects)
		for i := range less.Rules {
			less.Cut = cutRule(&less.Rules[i], entries) || less.Cut
		}
		return schemas.RBACEvent{K8s: c.about(), User: c.who(), Client: c.client(), Change: change, RBAC: &less}
	})
}

// systemRole knows what Kubernetes itself brings.
func systemRole(name string) bool {
	return strings.HasPrefix(name, "system:") || slices.Contains([]string{"cluster-admin", "admin", "edit", "view"}, name)
}

func addRBAC(of *schemas.RBAC, body raw) {
	each(body, func(key []byte, v raw) {
		switch string(key) {
		case "rules":
			items(v, func(rule raw) { addRule(of, rule) })
		case "subjects":
			items(v, func(s raw) {
				subject := schemas.RBACSubject{
					Kind: clipped(get(s, "kind").string()), Name: clipped(get(s, "name").string()), Namespace: clipped(get(s, "namespace").string()),
				}
				if subject.Kind != "" || subject.Name != "" {
					of.Subjects = append(of.Subjects, subject)
				}
			})
		case "roleRef":
			ref := schemas.RoleRef{Kind: clipped(get(v, "kind").string()), Name: clipped(get(v, "name").string())}
			if ref.Kind != "" || ref.Name != "" {
				of.RoleRef = &ref
			}
		}
	})
}

func addRule(of *schemas.RBAC, v raw) {
	if !v.object() {
		return
	}
	rule := schemas.RBACRule{
		APIGroups: texts(get(v, "apiGroups")), Resources: texts(get(v, "resources")), ResourceNames: texts(get(v, "resourceNames")),
		NonResourceURLs: texts(get(v, "nonResourceURLs")), Verbs: texts(get(v, "verbs")),
	}
	// Names of resources limit what a wildcard gives.
	if slices.Contains(rule.Verbs, "*") && slices.Contains(rule.Resources, "*") && len(rule.ResourceNames) == 0 {
		of.Wildcard = true
	}
	of.Rules = append(of.Rules, rule)
}

// cutRule leaves at most so many entries in each list of a rule, and says
// whether there were more.
func cutRule(rule *schemas.RBACRule, entries int) (cut bool) {
	for _, list := range []*[]string{&rule.APIGroups, &rule.Resources, &rule.ResourceNames, &rule.NonResourceURLs, &rule.Verbs} {
		cut = cut || len(*list) > entries
		*list = cutTo(*list, entries)
	}
	return cut
}
