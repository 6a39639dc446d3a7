package decode

import (
	"strings"

	"firebreak/schemas"
)

// policyKind knows what keeps others in bounds. Where a group makes kinds at
// will (Gatekeeper's constraints), it is the resource's name until an object
// tells the kind.
func policyKind(group, resource string) string {
	switch group {
	case "":
		switch resource {
		case "namespaces":
			return namespaceKind
		case "resourcequotas":
			return "ResourceQuota"
		case "limitranges":
			return "LimitRange"
		}
	case "networking.k8s.io", "extensions":
		if resource == "networkpolicies" {
			return "NetworkPolicy"
		}
	case "policy.networking.k8s.io":
		switch resource {
		case "adminnetworkpolicies":
			return "AdminNetworkPolicy"
		case "baselineadminnetworkpolicies":
			return "BaselineAdminNetworkPolicy"
		case "clusternetworkpolicies":
			return "ClusterNetworkPolicy"
		}
	case "admissionregistration.k8s.io":
		return admissionKind(resource)
	case "cilium.io":
		switch resource {
		case "ciliumnetworkpolicies":
			return "CiliumNetworkPolicy"
		case "ciliumclusterwidenetworkpolicies":
			return "CiliumClusterwideNetworkPolicy"
		}
	case "crd.projectcalico.org", "projectcalico.org":
		switch resource {
		case "networkpolicies":
			return "NetworkPolicy"
		case "globalnetworkpolicies":
			return "GlobalNetworkPolicy"
		}
	}
	return enginePolicy(group, resource)
}

const (
	namespaceKind = "Namespace"
	exceptionKind = "PolicyException"
)

func admissionKind(resource string) string {
	switch resource {
	case "validatingwebhookconfigurations":
		return "ValidatingWebhookConfiguration"
	case "mutatingwebhookconfigurations":
		return "MutatingWebhookConfiguration"
	case "validatingadmissionpolicies":
		return "ValidatingAdmissionPolicy"
	case "validatingadmissionpolicybindings":
		return "ValidatingAdmissionPolicyBinding"
	case "mutatingadmissionpolicies":
		return "MutatingAdmissionPolicy"
	case "mutatingadmissionpolicybindings":
		return "MutatingAdmissionPolicyBinding"
	}
	return ""
}

// enginePolicy knows Kyverno and Gatekeeper. Their reports and statuses, which
// are written all the time, are no policies.
func enginePolicy(group, resource string) string {
	switch group {
	case "kyverno.io", "policies.kyverno.io":
		switch {
		case resource == "policies":
			return "Policy"
		case resource == "clusterpolicies":
			return "ClusterPolicy"
		case resource == "policyexceptions":
			return exceptionKind
		case strings.HasSuffix(resource, "policies"):
			return resource
		}
	case "constraints.gatekeeper.sh", "mutations.gatekeeper.sh":
		return resource
	case "templates.gatekeeper.sh":
		if resource == "constrainttemplates" {
			return "ConstraintTemplate"
		}
	case "config.gatekeeper.sh":
		if resource == "configs" {
			return "Config"
		}
	}
	return ""
}

func (r *reader) policy(c *call, kind, change string) error {
	p := schemas.Policy{Kind: kind, Name: c.named(), Namespace: clipped(c.ref.namespace.string())}
	if p.Name == "" || !c.plainObject() && p.Name != "*" {
		return nil
	}
	switch {
	case kind == namespaceKind:
		told, weakened := c.podSecurity()
		if !told || change == "deleted" {
			return nil
		}
		p.Namespace, p.Weakened = "", weakened
	case kind == exceptionKind:
		p.Weakened = change != "deleted"
	default:
		p.Weakened = change == "deleted"
		for _, body := range c.bodies() {
			if of := get(body, "kind"); of.text() && kind == c.ref.resource.string() {
				p.Kind = clipped(of.string())
			}
			p.Weakened = p.Weakened || loosens(kind, change, body)
		}
	}
	return r.emit(c, schemas.PolicyChanged, "policy", func(int) any {
		return schemas.PolicyEvent{K8s: c.about(), User: c.who(), Client: c.client(), Change: change, Policy: &p}
	})
}
