package decode

import (
	"encoding/json"
	"strings"
	"testing"

	"firebreak/schemas"

	"github.com/google/go-cmp/cmp"
)

// derived gives the data of the event that follows the call's, or nil.
func derived[T any](t *testing.T, with map[string]any) *T {
	t.Helper()
	events := decoded(t, event(t, with), Options{})
	if len(events) < 2 {
		return nil
	}
	var data T
	if err := json.Unmarshal(events[1].Data, &data); err != nil {
		t.Fatal(err)
	}
	return &data
}

func ref(resource, group, name string) map[string]any {
	return map[string]any{"resource": resource, "apiGroup": group, "name": name}
}

func TestWhatChangesNothing(t *testing.T) {
	pod := privilegedPod("")
	for name, with := range map[string]map[string]any{
		"a read":                {"verb": "get", "responseObject": pod},
		"a refusal":             {"responseStatus": map[string]any{"code": 409}},
		"no status":             {"responseStatus": nil},
		"an earlier stage":      {"stage": "RequestReceived"},
		"a dry run":             {"requestURI": "/api/v1/namespaces/shop/pods?dryRun=All"},
		"a dry run of a delete": {"verb": "delete", "requestObject": map[string]any{"kind": "DeleteOptions", "dryRun": []string{"All"}}},
		"a pod's status":        {"verb": "patch", "objectRef": map[string]any{"resource": "pods", "name": "tool", "subresource": "status"}},
		"an eviction":           {"objectRef": map[string]any{"resource": "pods", "name": "tool", "subresource": "eviction"}},
		"a binding to a node":   {"objectRef": map[string]any{"resource": "pods", "name": "tool", "subresource": "binding"}},
		"pods of another group": {"objectRef": ref("pods", "metrics.k8s.io", "tool")},
		"a namespace":           {"objectRef": ref("namespaces", "", "shop"), "requestObject": map[string]any{"kind": "Namespace"}},
		"a deleted service":     {"verb": "delete", "objectRef": ref("services", "", "web")},
		"a service unseen":      {"objectRef": ref("services", "", "web"), "level": "Metadata"},
		"a report of Kyverno":   {"objectRef": ref("admissionreports", "kyverno.io", "x")},
		"a status of Cilium":    {"objectRef": ref("ciliumendpoints", "cilium.io", "x")},
		"a namespace deleted":   {"verb": "delete", "objectRef": ref("namespaces", "", "shop"), "responseObject": map[string]any{"kind": "Namespace", "metadata": map[string]any{"labels": map[string]any{"pod-security.kubernetes.io/enforce": "privileged"}}}},
	} {
		if events := decoded(t, event(t, with), Options{}); len(events) != 1 {
			t.Errorf("%s gives %d events: %s", name, len(events), events[1].Data)
		}
	}
}

func TestWeakened(t *testing.T) {
	tests := []struct {
		name, verb, group, resource, object, kind string
		want                                      bool
	}{
		{"a policy is deleted", "delete", "networking.k8s.io", "networkpolicies", ``, "NetworkPolicy", true},
		{"a quota is deleted", "delete", "", "resourcequotas", ``, "ResourceQuota", true},
		{"a policy is made", "create", "networking.k8s.io", "networkpolicies", `{"kind":"NetworkPolicy","spec":{"policyTypes":["Ingress"]}}`, "NetworkPolicy", false},
		{"a policy that lets all in", "create", "networking.k8s.io", "networkpolicies", `{"kind":"NetworkPolicy","spec":{"ingress":[{}]}}`, "NetworkPolicy", true},
		{"a rule with conditions", "update", "networking.k8s.io", "networkpolicies", `{"kind":"NetworkPolicy","spec":{"ingress":[{"ports":[]}]}}`, "NetworkPolicy", false},
		{"a webhook made lenient", "create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", `{"kind":"MutatingWebhookConfiguration","webhooks":[{"failurePolicy":"Ignore"}]}`, "MutatingWebhookConfiguration", false},
		{"webhooks taken away", "patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", `{"webhooks":[]}`, "ValidatingWebhookConfiguration", true},
		{"a policy that ignores failures", "update", "admissionregistration.k8s.io", "validatingadmissionpolicies", `{"kind":"ValidatingAdmissionPolicy","spec":{"failurePolicy":"Ignore"}}`, "ValidatingAdmissionPolicy", true},
		{"a binding without Deny", "update", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", `{"kind":"ValidatingAdmissionPolicyBinding","spec":{"validationActions":["Warn"]}}`, "ValidatingAdmissionPolicyBinding", true},
		{"a binding with Deny", "update", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", `{"kind":"ValidatingAdmissionPolicyBinding","spec":{"validationActions":["Warn","Deny"]}}`, "ValidatingAdmissionPolicyBinding", false},
		{"Kyverno audits", "update", "kyverno.io", "clusterpolicies", `{"kind":"ClusterPolicy","spec":{"validationFailureAction":"audit"}}`, "ClusterPolicy", true},
		{"a rule of Kyverno audits", "update", "kyverno.io", "policies", `{"kind":"Policy","spec":{"rules":[{"validate":{"failureAction":"Audit"}}]}}`, "Policy", true},
		{"an exception is made", "create", "kyverno.io", "policyexceptions", `{"kind":"PolicyException"}`, "PolicyException", true},
		{"an exception is deleted", "delete", "kyverno.io", "policyexceptions", ``, "PolicyException", false},
		{"a newer policy of Kyverno", "delete", "policies.kyverno.io", "validatingpolicies", ``, "validatingpolicies", true},
		{"a template is deleted", "delete", "templates.gatekeeper.sh", "constrainttemplates", ``, "ConstraintTemplate", true},
		{"a constraint unseen", "update", "constraints.gatekeeper.sh", "k8spsp", ``, "k8spsp", false},
		{"Gatekeeper's configuration", "update", "config.gatekeeper.sh", "configs", `{"kind":"Config"}`, "Config", false},
		{"Cilium", "delete", "cilium.io", "ciliumnetworkpolicies", ``, "CiliumNetworkPolicy", true},
		{"Cilium, cluster-wide", "delete", "cilium.io", "ciliumclusterwidenetworkpolicies", ``, "CiliumClusterwideNetworkPolicy", true},
		{"Calico", "delete", "crd.projectcalico.org", "globalnetworkpolicies", ``, "GlobalNetworkPolicy", true},
		{"an administrator's policy", "delete", "policy.networking.k8s.io", "adminnetworkpolicies", ``, "AdminNetworkPolicy", true},
		{"a namespace made privileged", "create", "", "namespaces", `{"kind":"Namespace","metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`, "Namespace", true},
		{"a namespace made restricted", "update", "", "namespaces", `{"kind":"Namespace","metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`, "Namespace", false},
		{"a namespace's label is taken away", "patch", "", "namespaces", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":null}}}`, "Namespace", true},
		{"a namespace warns no more", "patch", "", "namespaces", `{"metadata":{"labels":{"pod-security.kubernetes.io/warn":null}}}`, "Namespace", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			with := map[string]any{"verb": tt.verb, "objectRef": ref(tt.resource, tt.group, "x"), "responseStatus": map[string]any{"code": 200}}
			if tt.object != "" {
				with["requestObject"] = json.RawMessage(tt.object)
			}
			got := derived[schemas.PolicyEvent](t, with)
			if got == nil {
				t.Fatal("no event")
			}
			want := schemas.Policy{Kind: tt.kind, Name: "x", Weakened: tt.want}
			if diff := cmp.Diff(want, *got.Policy); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Every kind of workload has its pods' spec at its own place.
func TestWorkloadKinds(t *testing.T) {
	pod := `{"hostIPC":true,"securityContext":{"runAsUser":0},"containers":[{"image":"x"}]}`
	template := `{"replicas":3,"template":{"spec":` + pod + `}}`
	tests := []struct{ group, resource, kind, spec string }{
		{"", "pods", "Pod", pod},
		{"", "replicationcontrollers", "ReplicationController", template},
		{"apps", "deployments", "Deployment", template},
		{"extensions", "deployments", "Deployment", template},
		{"apps", "daemonsets", "DaemonSet", template},
		{"apps", "statefulsets", "StatefulSet", template},
		{"apps", "replicasets", "ReplicaSet", template},
		{"batch", "jobs", "Job", template},
		{"batch", "cronjobs", "CronJob", `{"schedule":"@daily","jobTemplate":{"spec":` + template + `}}`},
	}
	for _, tt := range tests {
		got := derived[schemas.WorkloadEvent](t, map[string]any{
			"objectRef": ref(tt.resource, tt.group, "x"), "requestObject": json.RawMessage(`{"kind":"` + tt.kind + `","spec":` + tt.spec + `}`),
		})
		if got == nil {
			t.Errorf("%s/%s: no event", tt.group, tt.resource)
			continue
		}
		want := schemas.Workload{Kind: tt.kind, Name: "x", HostIPC: true, RunAsRoot: true, Images: []string{"x"}}
		if replicas := 3; tt.spec == template {
			want.Replicas = &replicas
		}
		if tt.kind == "CronJob" {
			want.Schedule = "@daily"
		}
		if diff := cmp.Diff(want, *got.Workload); diff != "" {
			t.Errorf("%s/%s: -want +got\n%s", tt.group, tt.resource, diff)
		}
	}
}

// An apply to what is not there is a patch that creates.
func TestApplyCreates(t *testing.T) {
	got := derived[schemas.WorkloadEvent](t, map[string]any{"verb": "patch"})
	if got == nil || got.Change != "created" {
		t.Errorf("got %+v, want created", got)
	}
}

// A whole collection goes at once, without a name.
func TestDeletedCollections(t *testing.T) {
	with := map[string]any{"verb": "deletecollection", "objectRef": map[string]any{"resource": "rolebindings", "apiGroup": "rbac.authorization.k8s.io", "namespace": "shop"}}
	if got := derived[schemas.RBACEvent](t, with); got == nil || got.RBAC.Name != "*" || got.Change != "deleted" {
		t.Errorf("role bindings: got %+v", got)
	}
	with["objectRef"] = map[string]any{"resource": "pods", "namespace": "shop"}
	if got := derived[schemas.WorkloadEvent](t, with); got == nil || got.Workload.Name != "*" || got.Change != "deleted" {
		t.Errorf("pods: got %+v", got)
	}
}

// Kubernetes tells names of members apart by their case; a decoy does not hide
// what it will read.
func TestCaseOfNames(t *testing.T) {
	got := derived[schemas.WorkloadEvent](t, map[string]any{
		"requestObject": json.RawMessage(`{"kind":"Pod","spec":{"hostNetwork":true,"HOSTNETWORK":false,"HostPID":true}}`),
	})
	if got == nil || !got.Workload.HostNetwork || got.Workload.HostPID {
		t.Errorf("got %+v", got)
	}
}

func TestServiceKinds(t *testing.T) {
	tests := []struct {
		group, resource, kind, spec string
		want                        schemas.Service
	}{
		{"", "services", "Service", `{"type":"LoadBalancer","ports":[{"port":80},{"port":80}]}`, schemas.Service{Type: "LoadBalancer", Ports: []int{80}}},
		{"", "services", "Service", `{"externalIPs":["192.0.2.1"]}`, schemas.Service{ExternalIPs: []string{"192.0.2.1"}}},
		{"extensions", "ingresses", "Ingress", `{"rules":[{"host":"a.example.org","http":{"paths":[{"backend":{"serviceName":"argocd-server"}}]}}]}`, schemas.Service{Hosts: []string{"a.example.org"}, Dashboard: true}},
		{"networking.k8s.io", "ingresses", "Ingress", `{"defaultBackend":{"service":{"name":"web"}}}`, schemas.Service{}},
		{"gateway.networking.k8s.io", "gateways", "Gateway", `{"listeners":[{"port":443,"hostname":"*.example.org"}]}`, schemas.Service{Ports: []int{443}, Hosts: []string{"*.example.org"}}},
		{"gateway.networking.k8s.io", "grpcroutes", "GRPCRoute", `{"rules":[{"backendRefs":[{"name":"jupyter"}]}]}`, schemas.Service{Dashboard: true}},
		{"route.openshift.io", "routes", "Route", `{"host":"grafana.apps.example.org","to":{"name":"x"}}`, schemas.Service{Hosts: []string{"grafana.apps.example.org"}, Dashboard: true}},
	}
	for _, tt := range tests {
		got := derived[schemas.ServiceEvent](t, map[string]any{
			"objectRef": ref(tt.resource, tt.group, "x"), "requestObject": json.RawMessage(`{"kind":"` + tt.kind + `","spec":` + tt.spec + `}`),
		})
		if got == nil {
			t.Errorf("%s %s: no event", tt.kind, tt.spec)
			continue
		}
		tt.want.Kind, tt.want.Name = tt.kind, "x"
		if diff := cmp.Diff(tt.want, *got.Service); diff != "" {
			t.Errorf("%s %s: -want +got\n%s", tt.kind, tt.spec, diff)
		}
	}
}

func TestDashboard(t *testing.T) {
	for text, want := range map[string]bool{
		"kubernetes-dashboard": true, "grafana": true, "prod-grafana-svc": true, "Grafana.example.org": true, "argocd-server": true,
		"web": false, "grafanalytics": false, "notebooks-api": false, "": false,
	} {
		if dashboard(text) != want {
			t.Errorf("dashboard(%q) = %v", text, !want)
		}
	}
}

func TestWildcard(t *testing.T) {
	for rule, want := range map[string]bool{
		`{"verbs":["*"],"resources":["*"],"apiGroups":["*"]}`:                          true,
		`{"verbs":["get","*"],"resources":["pods","*"],"apiGroups":["apps"]}`:          true,
		`{"verbs":["get"],"resources":["*"],"apiGroups":["*"]}`:                        false,
		`{"verbs":["*"],"resources":["pods"],"apiGroups":[""]}`:                        false,
		`{"verbs":["*"],"resources":["*"],"apiGroups":["*"],"resourceNames":["only"]}`: false,
	} {
		got := derived[schemas.RBACEvent](t, map[string]any{
			"objectRef": ref("roles", "rbac.authorization.k8s.io", "x"), "requestObject": json.RawMessage(`{"kind":"Role","rules":[` + rule + `]}`),
		})
		if got == nil || got.RBAC.Wildcard != want {
			t.Errorf("%s: got %+v, want %v", rule, got, want)
		}
	}
}

func TestOperations(t *testing.T) {
	patch := `[{"op":"add","path":"/a/b~1c~0d/-","value":{"x":1}},{"op":"replace","path":"/e","value":true},
		{"op":"remove","path":"/f/0/g"},{"op":"copy","from":"/a","path":"/b"},{"op":"test","path":"/a","value":1},{"op":"add","path":"","value":{"h":2}},
		{"op":"add","path":"/` + strings.Repeat("a/", 100) + `","value":1}]`
	var got []string
	for _, body := range operations(raw(patch)) {
		got = append(got, string(body))
	}
	want := []string{`{"a":{"b/c~d":[{"x":1}]}}`, `{"e":true}`, `{"f":[{"g":null}]}`, `{"h":2}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
