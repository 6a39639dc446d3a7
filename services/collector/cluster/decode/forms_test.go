package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMethod(t *testing.T) {
	tests := []struct {
		method, resource string
		want             method
	}{
		{"io.k8s.core.v1.pods.create", "core/v1/namespaces/shop/pods/web", method{verb: "create", version: "v1", resource: "pods", namespace: "shop", name: "web"}},
		{"io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/shop/pods/web/exec", method{verb: "create", version: "v1", resource: "pods", subresource: "exec", namespace: "shop", name: "web"}},
		{"io.k8s.core.v1.pods.list", "core/v1/pods", method{verb: "list", version: "v1", resource: "pods"}},
		{"io.k8s.core.v1.nodes.proxy.get", "core/v1/nodes/n1/proxy/pods", method{verb: "get", version: "v1", resource: "nodes", subresource: "proxy", name: "n1"}},
		{"io.k8s.core.v1.namespaces.delete", "core/v1/namespaces/shop", method{verb: "delete", version: "v1", resource: "namespaces", namespace: "shop", name: "shop"}},
		{"io.k8s.apps.v1.deployments.scale.patch", "apps/v1/namespaces/shop/deployments/web/scale", method{verb: "patch", group: "apps", version: "v1", resource: "deployments", subresource: "scale", namespace: "shop", name: "web"}},
		{"io.k8s.authorization.rbac.v1.clusterroles.update", "rbac.authorization.k8s.io/v1/clusterroles/system:x", method{verb: "update", group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterroles", name: "system:x"}},
		{"io.cilium.v2alpha1.ciliumnetworkpolicies.delete", "cilium.io/v2alpha1/namespaces/shop/ciliumnetworkpolicies/x", method{verb: "delete", group: "cilium.io", version: "v2alpha1", resource: "ciliumnetworkpolicies", namespace: "shop", name: "x"}},
		{"io.k8s.core.v1.pods.create", "", method{verb: "create", version: "v1", resource: "pods"}},
		{"io.k8s.get", "healthz", method{verb: "get", uri: "/healthz"}},
	}
	for _, tt := range tests {
		got, err := parseMethod(tt.method, tt.resource)
		if err != nil {
			t.Errorf("%s: %v", tt.method, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(method{})); diff != "" {
			t.Errorf("%s %s: -want +got\n%s", tt.method, tt.resource, diff)
		}
	}
	for _, bad := range []string{"", "io.k8s.", "io.k8s.core.v1.create", "io.k8s.core.v1", "google.cloud.get"} {
		if got, err := parseMethod(bad, "core/v1/pods"); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	for grpc, want := range map[int]int{0: 200, 1: 499, 2: 500, 3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 13: 500, 14: 503, 16: 401, 12: 501, 4: 504, 403: 403, 99: 500, -1: 500} {
		if got := httpStatus(grpc); got != want {
			t.Errorf("%d gives %d, want %d", grpc, got, want)
		}
	}
}

func TestEKSCluster(t *testing.T) {
	for group, want := range map[string]string{
		"/aws/eks/payments/cluster": "payments", "111122223333:/aws/eks/payments/cluster": "payments",
		"/aws/eks/payments/other": "", "/aws/lambda/x": "", "": "",
	} {
		if got := eksCluster(group); got != want {
			t.Errorf("%q gives %q, want %q", group, got, want)
		}
	}
}

// A stream of another component than the API server's audit holds no event.
func TestOtherStreamsGiveNothing(t *testing.T) {
	for _, form := range []string{
		`{"logGroup":"/aws/eks/payments/cluster","logStream":"kube-apiserver-0a1b","messageType":"DATA_MESSAGE","logEvents":[{"message":"I0304 started"}]}`,
		`{"category":"guard","properties":{"log":"x"}}`,
		`{"kind":"EventList","items":[]}`,
		`{"kind":"EventList","items":null,"records":[]}`,
		`[]`,
	} {
		if events, err := Audit([]byte(form), Options{Source: source}); err != nil || len(events) > 0 {
			t.Errorf("%s gives %d events, %v", form, len(events), err)
		}
	}
}
