package decode

import (
	"maps"
	"slices"
	"strings"

	"firebreak/schemas"
)

// serviceKind knows what can make something reachable from outside.
func serviceKind(group, resource string) string {
	switch group {
	case "":
		if resource == "services" {
			return "Service"
		}
	case "networking.k8s.io", "extensions":
		if resource == "ingresses" {
			return "Ingress"
		}
	case "gateway.networking.k8s.io":
		switch resource {
		case "gateways":
			return "Gateway"
		case "httproutes":
			return "HTTPRoute"
		case "grpcroutes":
			return "GRPCRoute"
		case "tlsroutes":
			return "TLSRoute"
		case "tcproutes":
			return "TCPRoute"
		case "udproutes":
			return "UDPRoute"
		}
	case "route.openshift.io":
		if resource == "routes" {
			return "Route"
		}
	}
	return ""
}

func (r *reader) service(c *call, kind, change string) error {
	s := schemas.Service{Kind: kind, Name: c.named()}
	bodies := c.bodies(kind)
	if change == "deleted" || s.Name == "" || len(bodies) == 0 {
		return nil
	}
	words := []string{s.Name}
	for _, body := range bodies {
		s.Labels = labelsOf(get(body, "metadata", "labels"), s.Labels)
		words = append(words, addExposure(&s, get(body, "spec"))...)
	}
	// Inside its cluster a service is everybody's; the other kinds lead outside.
	if kind == "Service" && !oneOf(quoted(s.Type), "NodePort", "LoadBalancer") && len(s.ExternalIPs) == 0 && len(s.NodePorts) == 0 {
		return nil
	}
	words = slices.AppendSeq(words, maps.Values(s.Labels))
	words = slices.AppendSeq(words, maps.Values(s.Selector))
	words = append(words, s.Hosts...)
	s.Dashboard = slices.ContainsFunc(words, dashboard)
	k8s := c.about()
	if k8s == nil {
		k8s = &schemas.K8s{}
	}
	return r.emit(c, schemas.ServiceExposed, "service", func(entries int) any {
		less := s
		less.Ports, less.NodePorts = cutTo(s.Ports, entries), cutTo(s.NodePorts, entries)
		less.ExternalIPs, less.Hosts = cutTo(s.ExternalIPs, entries), cutTo(s.Hosts, entries)
		if len(s.Labels)+len(s.Selector) > entries {
			less.Labels, less.Selector = nil, nil
		}
		return schemas.ServiceEvent{K8s: k8s, User: c.who(), Client: c.client(), Change: change, Service: &less}
	})
}

// addExposure takes the spec of any of the kinds, and gives the names of the
// services behind it.
func addExposure(s *schemas.Service, spec raw) (behind []string) {
	each(spec, func(key []byte, v raw) {
		switch string(key) {
		case "type":
			s.Type = clipped(v.string())
		case "ports":
			items(v, func(port raw) {
				s.Ports = withNumber(s.Ports, get(port, "port"))
				s.NodePorts = withNumber(s.NodePorts, get(port, "nodePort"))
			})
		case "externalIPs":
			items(v, func(ip raw) { s.ExternalIPs = with(s.ExternalIPs, ip) })
		case "selector":
			s.Selector = labelsOf(v, s.Selector)
		case "host": // Route
			s.Hosts = withHost(s.Hosts, v)
		case "hostnames": // HTTPRoute and the like
			items(v, func(host raw) { s.Hosts = withHost(s.Hosts, host) })
		case "listeners": // Gateway
			items(v, func(l raw) {
				s.Hosts = withHost(s.Hosts, get(l, "hostname"))
				s.Ports = withNumber(s.Ports, get(l, "port"))
			})
		case "to": // Route
			behind = append(behind, get(v, "name").string())
		case "defaultBackend":
			behind = append(behind, get(v, "service", "name").string())
		case "tls":
			items(v, func(t raw) { items(get(t, "hosts"), func(host raw) { s.Hosts = withHost(s.Hosts, host) }) })
		case "rules":
			items(v, func(rule raw) {
				s.Hosts = withHost(s.Hosts, get(rule, "host"))
				behind = append(behind, backends(rule)...)
			})
		}
	})
	return behind
}

// backends of a rule of an Ingress, or of a route of the Gateway API.
func backends(rule raw) (names []string) {
	items(get(rule, "http", "paths"), func(path raw) {
		backend := get(path, "backend")
		names = append(names, get(backend, "service", "name").string(), get(backend, "serviceName").string())
	})
	items(get(rule, "backendRefs"), func(ref raw) { names = append(names, get(ref, "name").string()) })
	return names
}

func withHost(list []string, v raw) []string {
	if !v.text() || v.is("") {
		return list
	}
	return with(list, v)
}

func withNumber(list []int, v raw) []int {
	if n, is := v.number(); is && len(list) < maxFacts && !slices.Contains(list, n) {
		return append(list, n)
	}
	return list
}

// consoles are programs whose web page commands or shows much, by the words of
// the names that their charts and manifests use.
var consoles = []string{
	"dashboard", "grafana", "argocd", "argo-cd", "argo-server", "argo-workflows", "kubeflow", "centraldashboard", "ml-pipeline-ui",
	"weave-scope", "headlamp", "octant", "skooner", "kubenav", "portainer", "rancher", "lens-metrics", "kubeapps",
	"prometheus", "alertmanager", "kibana", "opensearch-dashboards", "kiali", "jaeger-query", "hubble-ui", "longhorn-frontend",
	"jenkins", "airflow", "jupyter", "jupyterhub", "notebook", "mlflow", "spark-master", "flink-jobmanager", "minio-console",
	"pgadmin", "phpmyadmin", "adminer", "mongo-express", "redis-commander", "rabbitmq-management", "kafka-ui", "kubecost", "vault-ui",
	"tekton-dashboard", "goldilocks-dashboard", "netdata", "chaos-dashboard",
}

// dashboard looks for a console's name in a name, a label or a host, whole
// words alone: kubernetes-dashboard and grafana.example.com, not grafanalytics.
func dashboard(text string) bool {
	text = "-" + strings.Map(func(r rune) rune {
		switch r {
		case '.', '_', '/', ':':
			return '-'
		}
		return r
	}, strings.ToLower(text)) + "-"
	return slices.ContainsFunc(consoles, func(name string) bool { return strings.Contains(text, "-"+name+"-") })
}
