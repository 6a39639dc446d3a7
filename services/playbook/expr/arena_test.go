package expr_test

import (
	"errors"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"
)

// arena is an event with conditions that are all true of it.
type arena struct {
	name, typ, data string
	conditions      []string
}

// arenas are events of every arena, with conditions as people write them.
var arenas = []arena{
	{"registry pushed", schemas.ImagePushed, `{"registry": {"name": "registry.example.com"}, "image": {"name": "team/app", "tag": "latest", "digest": "sha256:ab", "size": 1200},
		"user": {"name": "ci"}, "client": {"address": "203.0.113.9", "port": 4711}, "user_agent": {"original": "docker/27.0 go/go1.24"}}`, []string{
		`registry.name == "registry.example.com"`,
		`has(image.tag) && image.tag in ["latest", "stable", "prod"]`,
		`glob(image.name, "team/*")`,
		`!(has(user.name) && user.name in ["release-bot"])`,
		`has(client.address) && !cidr(client.address, "10.0.0.0/8") && !cidr(client.address, "192.168.0.0/16")`,
		`user_agent.?original.orValue("").startsWith("docker/")`,
		`image.?digest.orValue("") != "" && image.?size.orValue(0) > 1000`,
	}},
	{"registry moved", schemas.TagMoved, `{"registry": {"name": "r"}, "image": {"name": "a", "tag": "1.2.3", "digest": "sha256:b"}, "previous": {"name": "a", "tag": "1.2.3", "digest": "sha256:a"}}`, []string{
		`has(image.tag) && image.tag.matches("^v?[0-9]+\\.[0-9]+\\.[0-9]+$")`,
		`has(image.digest) && has(previous.digest) && image.digest != previous.digest`,
		`has(image.tag) && semver(image.tag, ">= 1.0") && !has(user.name)`,
	}},
	{"registry scanned", schemas.ImageScanned, `{"image": {"name": "a"}, "scan": {"scanner": "trivy", "critical": 2, "high": 5, "medium": 0, "low": 0, "unknown": 0, "fixable": 3,
		"findings": [{"id": "CVE-2021-44228", "severity": "critical", "package": "org.apache.logging.log4j:log4j-core", "version": "2.14.1", "fixed": "2.15.0", "score": 10}]}, "k8s": {"namespace": {"name": "shop"}}}`, []string{
		`scan.critical > 0 && scan.fixable > 0`,
		`scan.critical + scan.high >= 7`,
		`has(scan.findings) && scan.findings.exists(f, f.severity == "critical" && has(f.fixed) && has(f.score) && f.score > 9)`,
		`scan.?findings.orValue([]).exists(f, f.id in ["CVE-2021-44228", "CVE-2021-45046"])`,
		`scan.?findings.orValue([]).exists(f, f.package.contains("log4j") && has(f.version) && semver(f.version, "< 2.15"))`,
		`scan.?findings.orValue([]).filter(f, f.severity in ["critical", "high"]).size() > 0`,
		`has(k8s.namespace.name) && !(k8s.namespace.name in ["kube-system"])`,
	}},
	{"registry verified", schemas.ImageVerified, `{"image": {"name": "a"}, "signature": {"verdict": "wrong_identity", "identity": "https://github.com/evil/app", "tool": "cosign"}}`, []string{
		`signature.verdict != "verified"`,
		`signature.verdict == "wrong_identity" && has(signature.identity) && !glob(signature.identity, "https://github.com/example/**")`,
	}},
	{"registry assessed", schemas.ImageAssessed, `{"image": {"name": "a"}, "assessment": {"size": 3000000000, "layers": 40, "shells": ["/bin/bash"], "package_managers": ["/usr/bin/apt"], "setuid": ["/usr/bin/su", "/usr/bin/ping"], "age_days": 400}}`, []string{
		`!has(assessment.user) || assessment.user == "root"`,
		`size(assessment.?setuid.orValue([])) > 1 && assessment.?shells.orValue([]).exists(s, s.endsWith("/bash"))`,
		`assessment.size > 2000000000 || assessment.layers > 100`,
	}},

	{"runtime process", schemas.ProcessStarted, full, []string{
		`process.executable.?name.orValue("") in ["xmrig", "minerd"]`,
		`has(process.executable.origin) && process.executable.origin in ["upper", "memfd", "tmpfs"]`,
		`has(container.id) && !has(process.parent)`,
		`process.?command_args.orValue([]).exists(a, a.matches("^(stratum[12]?|daemon)\\+(tcp|ssl)://"))`,
		`process.?command_args.orValue([]).exists(a, ["-o", "--url", "--algo"].exists(o, a == o || a.startsWith(o + "=")))`,
		`has(process.executable.path) && ["/tmp/", "/dev/shm/", "/var/tmp/"].exists(d, process.executable.path.startsWith(d))`,
		`user.?id.orValue("") == "0"`,
		`k8s.?namespace.?labels[?"team"].orValue("") == "a"`,
		`has(container.image.name) && imageref(container.image.name).registry == "docker.io"`,
		`has(process.command_args[2]) && process.command_args[2].endsWith("pool:3333")`,
	}},
	{"runtime connection", schemas.ConnectionOpened, `{"host": {"name": "n"}, "container": {"id": "c"}, "process": {"pid": 7, "executable": {"name": "bash"}}, "destination": {"address": "169.254.169.254", "port": 80}, "network": {"transport": "tcp"}}`, []string{
		`has(destination.address) && destination.address == "169.254.169.254"`,
		`has(destination.port) && destination.port in [80, 443] && has(network.transport) && network.transport == "tcp"`,
		`has(destination.address) && ["10.0.0.0/8", "172.16.0.0/12"].all(r, !cidr(destination.address, r))`,
		`!has(destination.path) && process.executable.?name.orValue("").matches("^(ba|da|z)?sh$")`,
	}},
	{"runtime usage", schemas.ContainerUsage, `{"host": {"name": "n"}, "container": {"id": "c", "cpu": {"utilization": 3.5}, "memory": {"usage": 950, "limit": 1000}, "pids": {"count": 900}}}`, []string{
		`has(container.cpu) && container.cpu.utilization > 0.9 * 2`,
		`has(container.memory.limit) && double(container.memory.usage) / double(container.memory.limit) >= 0.95`,
		`container.?pids.?count.orValue(0) > 500`,
		`has(container.cpu) && container.cpu.utilization >= 3`,
	}},
	{"runtime exit", schemas.ContainerExited, `{"host": {"name": "n"}, "container": {"id": "c", "exit": {"code": 137}, "labels": {"io.kubernetes.container.restartCount": "3"}}}`, []string{
		`has(container.exit) && container.exit.code in [137, 139]`,
		`has(container.labels["io.kubernetes.container.restartCount"]) && int(container.labels["io.kubernetes.container.restartCount"]) >= 3`,
	}},

	{"host file", schemas.FileChanged, `{"host": {"name": "n"}, "file": {"path": "/root/.ssh/authorized_keys", "name": "authorized_keys", "change": "modified", "kind": "ssh_key", "mode": "0666", "owner": "root"},
		"process": {"pid": 9, "executable": {"name": "sh"}}, "user": {"name": "www"}}`, []string{
		`has(file.kind) && file.kind in ["ssh_key", "ssh_config"]`,
		`glob(file.path, "/root/.ssh/*") || glob(file.path, "/home/*/.ssh/*")`,
		`file.change in ["created", "modified", "renamed"]`,
		`has(file.mode) && file.mode.matches("[2367]$")`,
		`!has(container) && has(process.executable.name) && !(process.executable.name in ["sshd", "ansible"])`,
		`file.path.startsWith("/etc/kubernetes/manifests/") || file.path.endsWith("/authorized_keys")`,
		`user.?name.orValue("") != "root" && file.?owner.orValue("") == "root"`,
	}},
	{"host login", schemas.LoginFailed, `{"host": {"name": "n"}, "user": {"name": "admin"}, "client": {"address": "198.51.100.7", "port": 22}, "login": {"service": "sshd", "method": "password", "reason": "bad password", "invalid_user": true}}`, []string{
		`login.?service.orValue("") == "sshd" && login.?method.orValue("") == "password"`,
		`login.?invalid_user.orValue(false)`,
		`has(user.name) && user.name in ["root", "admin"]`,
		`has(client.address) && !cidr(client.address, "10.0.0.0/8")`,
		`has(login.reason) && login.reason.matches("(?i)password")`,
	}},
	{"host module", schemas.ModuleLoaded, `{"host": {"name": "n"}, "module": {"name": "diamorphine", "path": "/tmp/diamorphine.ko", "tainted": true}, "container": {"id": "c"}}`, []string{
		`!module.?signed.orValue(false)`,
		`module.?tainted.orValue(false) && has(container.id)`,
		`has(module.path) && !glob(module.path, "/lib/modules/**")`,
		`module.name.matches("^(diamorphine|reptile|suterusu)$")`,
	}},
	{"host config", schemas.ConfigDrifted, `{"host": {"name": "n"}, "config": {"check": "4.2.1", "baseline": "CIS Kubernetes", "path": "/var/lib/kubelet/config.yaml", "key": "authentication.anonymous.enabled", "expected": "false", "actual": "true"}}`, []string{
		`config.check in ["4.2.1", "4.2.2"]`,
		`config.?key.orValue("").startsWith("authentication.") && config.?actual.orValue("") != config.?expected.orValue("")`,
	}},
	{"host package", schemas.PackageVulnerable, `{"host": {"name": "n"}, "vulnerability": {"id": "CVE-2024-21626", "severity": "high", "package": "runc", "version": "1.1.11", "fixed": "1.1.12", "score": 8.6}}`, []string{
		`vulnerability.package in ["runc", "containerd"] && has(vulnerability.version) && semver(vulnerability.version, "< 1.1.12")`,
		`vulnerability.?score.orValue(0) >= 7`,
	}},

	{"cluster call", schemas.APICalled, `{"user": {"name": "system:serviceaccount:shop:web", "groups": ["system:serviceaccounts", "system:authenticated"]}, "client": {"address": "203.0.113.7"}, "user_agent": {"original": "curl/8.5"},
		"caller": {"namespace": "shop", "service_account": {"name": "web"}, "pod": {"name": "web-1"}},
		"audit": {"auditID": "a", "stage": "ResponseComplete", "verb": "create", "user": {"username": "system:serviceaccount:shop:web", "groups": ["system:authenticated"], "extra": {"authentication.kubernetes.io/pod-name": ["web-1"]}},
			"objectRef": {"resource": "pods", "subresource": "exec", "namespace": "kube-system", "name": "x"}, "responseStatus": {"code": 403}, "sourceIPs": ["203.0.113.7"],
			"annotations": {"authorization.k8s.io/decision": "forbid"}, "requestURI": "/api/v1/namespaces/kube-system/pods/x/exec?command=sh",
			"requestObject": {"kind": "Pod", "metadata": {"labels": {"a.b/c": "x"}, "namespace": "shop"}, "import": {"namespace": {"package": "x"}}, "data": {"db_password": "x"},
				"spec": {"hostNetwork": true, "replicas": 3, "volumes": [{"name": "v"}, {"hostPath": {"path": "/etc"}}], "containers": [{"name": "c", "image": "busybox", "securityContext": {"privileged": true, "capabilities": {"add": ["SYS_ADMIN"]}},
					"volumeMounts": [{"mountPath": "/etc/x"}], "env": [{"name": "A", "value": null}]}]}}}}`, []string{
		`has(audit.requestObject.spec.hostNetwork) && audit.requestObject.spec.hostNetwork == true`,
		`has(audit.requestObject.spec.containers) && audit.requestObject.spec.containers.exists(c, has(c.securityContext.privileged) && c.securityContext.privileged == true)`,
		`audit.?requestObject.?spec.?containers.orValue([]).exists(c, c.?securityContext.?privileged.orValue(false))`,
		`audit.?requestObject.spec.?containers.orValue([]).exists(c, c.?volumeMounts.orValue([]).exists(m, m.mountPath.startsWith("/etc")))`,
		`audit.verb == "create" && has(audit.objectRef.subresource) && audit.objectRef.subresource in ["exec", "attach", "portforward"]`,
		`audit.objectRef.?namespace.orValue("") == "kube-system" && !user.?name.orValue("").startsWith("system:node:")`,
		`has(audit.user.groups) && audit.user.groups.exists(g, g == "system:authenticated")`,
		`has(audit.responseStatus.code) && audit.responseStatus.code >= 400 && audit.responseStatus.code in [401, 403]`,
		`has(client.address) && !cidr(client.address, "10.0.0.0/8") && has(caller.pod)`,
		`has(audit.annotations["authorization.k8s.io/decision"]) && audit.annotations["authorization.k8s.io/decision"] == "forbid"`,
		`has(audit.user.extra["authentication.kubernetes.io/pod-name"]) && audit.user.extra["authentication.kubernetes.io/pod-name"].exists(p, p.startsWith("web"))`,
		`has(audit.requestObject.metadata.labels["a.b/c"]) && audit.requestObject.metadata.labels["a.b/c"] == "x"`,
		`has(audit.requestObject.import) && audit.requestObject.import.namespace.package == "x"`,
		`audit.?requestObject.?metadata.?namespace.orValue("") == "shop"`,
		`has(audit.requestObject.data) && audit.requestObject.data.exists(k, k.matches("(?i)password|secret"))`,
		`has(audit.requestObject.spec.volumes) && audit.requestObject.spec.volumes.exists(v, has(v.hostPath.path) && v.hostPath.path in ["/", "/etc"])`,
		`has(audit.requestObject.spec.containers) && audit.requestObject.spec.containers.exists(c, has(c.securityContext.capabilities.add) && c.securityContext.capabilities.add.exists(x, x in ["SYS_ADMIN", "ALL"]))`,
		`has(audit.requestObject.spec.replicas) && audit.requestObject.spec.replicas * 2 > 5.5`,
		`audit.?requestURI.orValue("").matches("[?&]command=(/bin/)?(ba)?sh(&|$)")`,
		`has(user_agent.original) && user_agent.original.matches("^(curl|python-requests|Wget)/")`,
	}},
	{"cluster rbac", schemas.RBACChanged, `{"change": "created", "user": {"name": "dev"}, "rbac": {"kind": "ClusterRoleBinding", "name": "x", "wildcard": true, "role_ref": {"kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": [{"kind": "Group", "name": "system:unauthenticated"}], "rules": [{"verbs": ["*"], "resources": ["*"], "api_groups": ["*"]}, {"verbs": ["create"], "resources": ["pods/exec"]}]}}`, []string{
		`has(rbac.rules) && rbac.rules.exists(r, has(r.verbs) && r.verbs.exists(v, v == "*") && has(r.resources) && r.resources.exists(x, x == "*"))`,
		`rbac.?rules.orValue([]).exists(r, r.?verbs.orValue([]).exists(v, v in ["create", "patch"]) && r.?resources.orValue([]).exists(x, x.matches("^(pods|secrets)(/.*)?$")))`,
		`has(rbac.subjects) && rbac.subjects.exists(s, s.kind == "Group" && s.name in ["system:unauthenticated", "system:anonymous"])`,
		`has(rbac.role_ref) && rbac.role_ref.name == "cluster-admin" && !rbac.name.startsWith("system:")`,
		`rbac.?wildcard.orValue(false) && change != "deleted"`,
	}},
	{"cluster workload", schemas.WorkloadChanged, `{"k8s": {"namespace": {"name": "shop"}}, "change": "modified", "consented": false, "user": {"name": "ops"}, "workload": {"kind": "Deployment", "name": "web", "host_network": true, "privileged": true,
		"host_paths": ["/etc/kubernetes", "/var/run/docker.sock"], "capabilities": ["SYS_ADMIN"], "images": ["registry.example.com/a:1", "busybox"], "replicas": 3}}`, []string{
		`has(workload.host_paths) && workload.host_paths.exists(p, p.startsWith("/etc"))`,
		`workload.?host_paths.orValue([]).exists(p, ["/etc", "/root", "/var/run/docker.sock"].exists(x, p == x || p.startsWith(x + "/")))`,
		`has(workload.images) && workload.images.exists(i, imageref(i).registry != "registry.example.com")`,
		`has(workload.images) && workload.images.exists(i, imageref(i).?tag.orValue("latest") == "latest")`,
		`workload.?privileged.orValue(false) || workload.?host_pid.orValue(false)`,
		`has(consented) && !consented && change == "modified"`,
		`workload.?capabilities.orValue([]).exists(c, c in ["SYS_ADMIN", "SYS_PTRACE", "ALL"])`,
		`has(k8s.namespace.name) && workload.kind in ["Deployment", "DaemonSet"] && workload.?replicas.orValue(1) > 2`,
	}},
	{"cluster service", schemas.ServiceExposed, `{"k8s": {"namespace": {"name": "shop"}}, "change": "created", "service": {"kind": "Service", "name": "dash", "type": "NodePort", "ports": [443], "node_ports": [30001], "dashboard": true, "selector": {"app": "x"}, "hosts": ["a.example.com"]}}`, []string{
		`has(service.node_ports) && service.node_ports.exists(p, p >= 30000 && p != 30443)`,
		`service.?dashboard.orValue(false) && service.?type.orValue("") in ["NodePort", "LoadBalancer"]`,
		`has(service.selector) && service.selector.exists(k, service.selector[k] == "x")`,
		`service.?hosts.orValue([]).exists(h, h.endsWith(".example.com"))`,
	}},
	{"cluster policy", schemas.PolicyChanged, `{"change": "deleted", "policy": {"kind": "NetworkPolicy", "name": "deny", "namespace": "shop", "weakened": true}}`, []string{
		`change == "deleted" || policy.?weakened.orValue(false)`,
		`policy.kind.matches("^(NetworkPolicy|Validating.*)$") && has(policy.namespace)`,
	}},

	{"foreign falco", schemas.FalcoRule, `{"falco": {"rule": "Shell", "priority": "Notice", "output": "x", "tags": ["container", "T1059"], "output_fields": {"proc.name": "nc", "fd.sport": 4444, "user.uid": 0, "evt.time": 1764171872000000000, "container.id": null}}}`, []string{
		`has(falco.output_fields["proc.name"]) && falco.output_fields["proc.name"] == "nc"`,
		`has(falco.output_fields["fd.sport"]) && falco.output_fields["fd.sport"] > 1024`,
		`!has(falco.output_fields["container.id"])`,
		`falco.output_fields[?"proc.name"].orValue("") in ["nc", "ncat"]`,
		`has(falco.tags) && falco.tags.exists(t, t.matches("^T[0-9]{4}"))`,
		`falco.rule == "Shell"`,
	}},
	{"foreign tetragon", schemas.TetragonEvent, `{"tetragon": {"kind": "process_kprobe", "event": {"function_name": "security_file_permission", "args": [{"file_arg": {"path": "/etc/shadow"}}, {"int_arg": 2}], "process": {"pid": 4711}}}}`, []string{
		`has(tetragon.event.function_name) && tetragon.event.function_name == "security_file_permission"`,
		`tetragon.event.?args.orValue([]).exists(a, has(a.file_arg.path) && a.file_arg.path.startsWith("/etc/"))`,
		`tetragon.kind == "process_kprobe" && has(tetragon.event.process.pid) && tetragon.event.process.pid > 1.5`,
	}},
	{"foreign harbor", schemas.HarborPushed, `{"image": {"name": "team/app"}, "harbor": {"repository": {"repo_full_name": "team/app", "repo_type": "public"}, "resources": [{"tag": "latest", "digest": "sha256:a"}]}}`, []string{
		`has(harbor.repository.repo_full_name) && harbor.repository.repo_full_name.startsWith("team/")`,
		`harbor.?resources.orValue([]).exists(r, r.tag == "latest")`,
		`harbor.?repository.?repo_type.orValue("") == "public"`,
	}},
}

// TestArenas: what people write about the events of every arena compiles, stays
// within its cost, is true of the event it is about, and of an event that says
// nothing it is not an error of any other class than absence.
func TestArenas(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, a := range arenas {
		name, _, _ := strings.Cut(a.name, " ")
		count[name] += len(a.conditions)
		for _, text := range a.conditions {
			t.Run(a.name+"/"+text, func(t *testing.T) {
				t.Parallel()
				p, err := expr.Condition(text, a.typ)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := p.Bool(decode(t, a.data)); err != nil || !got {
					t.Errorf("of the event: %v, %v", got, err)
				}
				loose, err := expr.ConditionOn(text, nil)
				if err != nil {
					t.Fatalf("on an event of any type: %v", err)
				}
				if got, err := loose.Bool(decode(t, a.data)); err != nil || !got {
					t.Errorf("on an event of any type: %v, %v", got, err)
				}
				if _, err := p.Bool(map[string]any{}); err != nil && !errors.Is(err, expr.ErrAbsent) {
					t.Errorf("of an event that says nothing: %v", err)
				}
			})
		}
	}
	for _, name := range []string{"registry", "runtime", "host", "cluster"} {
		if count[name] < 20 {
			t.Errorf("%d conditions on events of %s, want 20", count[name], name)
		}
	}
}

// TestArenaWarnings: a condition in a loop over objects is told of its fields.
func TestArenaWarnings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`has(rbac.rules) && rbac.rules.exists(r, r.verbs.exists(v, v == "*"))`:                   "1:43: r.verbs may be absent, and then the whole is an error (guard it: has(r.verbs) && …)",
		`rbac.?rules.orValue([]).exists(r, r.verbs.exists(v, v == "*"))`:                         "1:37: r.verbs may be absent, and then the whole is an error (guard it: has(r.verbs) && …)",
		`rbac.?rules.orValue([]).exists(r, has(r.verbs) && r.verbs.exists(v, v == "*"))`:         "",
		`rbac.?rules.orValue([]).exists(r, r.?verbs.orValue([]).exists(v, v.startsWith("get")))`: "",
	} {
		p, err := expr.Condition(text, schemas.RBACChanged)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := show(p.Warnings()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	if _, err := expr.Condition(`rbac.?rules.orValue([]).exists(r, r.verb == "*")`, schemas.RBACChanged); err == nil || !strings.Contains(err.Error(), "did you mean r.verbs?") {
		t.Errorf("a misspelt field in a loop: %v", err)
	}
}

// TestUnknownObjects: what another program wrote may lack any member.
func TestUnknownObjects(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`has(audit.requestObject) && audit.requestObject.spec.replicas > 1`:                                                           "1:54: audit.requestObject.spec.replicas may be absent, and then the whole is an error (guard it: has(audit.requestObject.spec.replicas) && …)",
		`has(audit.requestObject.spec.replicas) && audit.requestObject.spec.replicas > 1`:                                             "",
		`has(audit.requestObject.a["b.c/d"]) && audit.requestObject.a["b.c/d"] == "x"`:                                                "",
		`audit.?requestObject.?items.orValue([]).exists(i, i.name == "x")`:                                                            "1:53: i.name may be absent, and then the whole is an error (guard it: has(i.name) && …)",
		`audit.?requestObject.?items.orValue([]).exists(i, has(i.name) && i.name == "x")`:                                             "",
		`has(audit.requestObject.data) && audit.requestObject.data.exists(k, audit.requestObject.data[k] == "x")`:                     "",
		`has(audit.requestObject.data) && audit.requestObject.data.exists(k, audit.requestObject.data[user.?name.orValue(k)] == "x")`: "1:93: audit.requestObject.data[…] may be absent, and then the whole is an error (guard it: has(audit.requestObject.data[…]) && …)",
		`audit.?annotations.orValue({}).exists(k, audit.annotations[k] == "x")`:                                                       "",
		`audit.?requestObject.?items.orValue([]).exists(i, i == "x")`:                                                                 "",
		`audit.?annotations.orValue({}).exists(k, k.startsWith("x")) && audit.?sourceIPs[?0].orValue("") == ""`:                       "",
	} {
		p, err := expr.Condition(text, schemas.APICalled)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := show(p.Warnings()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}
