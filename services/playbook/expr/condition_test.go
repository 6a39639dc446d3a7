package expr_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"

	"github.com/google/go-cmp/cmp"
)

// full is an event with everything on board.
const full = `{
	"host": {"name": "n1"},
	"k8s": {"namespace": {"name": "shop", "labels": {"team": "a"}}, "pod": {"uid": "p1", "labels": {"app.kubernetes.io/name": "web"}}},
	"container": {"id": "c1", "namespace": "k8s.io", "image": {"name": "docker.io/library/nginx", "tag": "1.25.3"},
		"cpu": {"utilization": 0.97}, "memory": {"usage": 900, "limit": 1000}, "exit": {"code": 137}},
	"process": {"pid": 4711, "command_args": ["xmrig", "-o", "stratum+tcp://pool:3333"],
		"executable": {"name": "xmrig", "path": "/tmp/xmrig", "origin": "upper"}},
	"user": {"id": "0"}
}`

// bare is an event with what its schema requires alone.
const bare = `{"host": {"name": "n1"}, "process": {"pid": 1}}`

// nulls is an event whose producer wrote null for what it did not know.
const nulls = `{"host": {"name": "n1"}, "k8s": null, "container": {"id": null, "labels": {"a": null}}, "process": {"pid": 1, "executable": {"name": null}}}`

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return out
}

func TestConditionEval(t *testing.T) {
	t.Parallel()
	const absent = "absent"
	for _, tt := range []struct{ condition, data, want string }{
		{`process.executable.name in ["xmrig", "minerd"]`, full, "true"},
		{`process.executable.name in ["xmrig", "minerd"]`, bare, absent},
		{`process.executable.name in ["xmrig", "minerd"]`, nulls, absent},
		{`process.executable.name == ""`, bare, absent},
		{`process.executable.name != "xmrig"`, bare, absent},
		{`!(process.executable.name == "xmrig")`, bare, absent},
		{`process.pid > 100`, full, "true"},
		{`process.pid > 100.5`, full, "true"},
		{`process.pid == 4711`, full, "true"},
		{`process.pid == 4711.0`, full, "true"},
		{`process.pid in [1, 4711.0]`, full, "true"},
		{`container.cpu.utilization > 0.8`, full, "true"},
		{`container.cpu.utilization < 1`, full, "true"},
		{`container.cpu.utilization == 1`, full, "false"},
		{`container.cpu.utilization * 100 > 96`, full, "true"},
		{`container.cpu.utilization in [1, 2]`, full, "false"},
		{`container.cpu.?utilization.orValue(0) > 0.8`, full, "true"},
		{`container.cpu.?utilization.orValue(0) > 0.8`, bare, "false"},
		{`(has(container.cpu) ? container.cpu.utilization : 0) > 0.8`, bare, "false"},
		{`double(container.memory.usage) / double(container.memory.limit) > 0.8`, full, "true"},
		{`container.memory.usage * 1.5 > 1000`, full, "true"},
		{`container.memory.usage > 500u`, full, "true"},
		{`container.exit.code == 137`, full, "true"},
		{`container.namespace == "k8s.io"`, full, "true"},
		{`k8s.namespace.name == "shop"`, full, "true"},
		{`k8s.namespace.labels["team"] == "a"`, full, "true"},
		{`k8s.namespace.labels.team == "a"`, full, "true"},
		{`k8s.namespace.labels["other"] == "a"`, full, absent},
		{`k8s.pod.labels["app.kubernetes.io/name"] == "web"`, full, "true"},
		{`has(k8s.pod.labels["app.kubernetes.io/name"])`, full, "true"},
		{`has(k8s.pod.labels["app.kubernetes.io/name"])`, bare, "false"},
		{`k8s.pod.labels[?"app.kubernetes.io/name"].orValue("none") == "none"`, bare, "true"},
		{`k8s.pod.labels[?"app.kubernetes.io/name"].orValue("none") == "web"`, full, "true"},
		{`has(k8s.namespace.name) && k8s.namespace.name in ["kube-system"]`, bare, "false"},
		{`has(k8s.namespace.name)`, full, "true"},
		{`has(k8s)`, full, "true"},
		{`has(k8s)`, bare, "false"},
		{`has(k8s)`, nulls, "false"},
		{`has(container.id)`, nulls, "false"},
		{`has(container.labels["a"])`, nulls, "false"},
		{`has(container.labels.a)`, nulls, "false"},
		{`has(container.labels)`, bare, "false"},
		{`has(container.labels.a)`, bare, "false"},
		{`has(container.cpu.utilization)`, bare, "false"},
		{`has(process.executable.name)`, nulls, "false"},
		{`!has(process.executable.name)`, nulls, "true"},
		{`has(process.command_args[2])`, full, "true"},
		{`has(process.command_args[3])`, full, "false"},
		{`has(process.command_args[0])`, bare, "false"},
		{`process.command_args[0] == "xmrig"`, full, "true"},
		{`process.command_args[7] == "xmrig"`, full, absent},
		{`size(process.command_args) == 0`, bare, absent},
		{`size(container.labels) == 0`, bare, absent},
		{`container == container`, bare, absent},
		{`"a" in container.labels`, bare, absent},
		{`process.command_args.exists(a, a.contains("stratum+tcp"))`, full, "true"},
		{`process.command_args.exists(a, a.startsWith("stratum"))`, bare, absent},
		{`process.?command_args.orValue([]).exists(a, a.matches("^stratum\\+tcp://"))`, full, "true"},
		{`process.?command_args.orValue([]).exists(a, a.matches("^stratum\\+tcp://"))`, bare, "false"},
		{`process.executable.?origin.orValue("image") == "image"`, bare, "true"},
		{`process.?executable.?origin.orValue("image") == "image"`, nulls, "true"},
		{`process.executable.?name.hasValue()`, nulls, "false"},
		{`process.executable.?name.value() == "a"`, bare, absent},
		{`process.executable.name == "xmrig" || process.pid == 1`, bare, "true"},
		{`process.executable.name == "xmrig" && process.pid == 2`, bare, "false"},
		{`container.?image.?name.optMap(n, glob(n, "docker.io/**")).orValue(false)`, full, "true"},
		{`cidr("10.1.2.3", "10.0.0.0/8")  && process.pid > 0`, full, "true"},
		{`cidr("::ffff:10.1.2.3", "10.0.0.0/8") && process.pid > 0`, full, "true"},
		{`cidr(host.name, "10.0.0.0/8")`, full, `cidr: ParseAddr("n1")`},
		{`glob(container.image.name, "docker.io/*/nginx")`, full, "true"},
		{`glob(container.image.name, "docker.io/*")`, full, "false"},
		{`glob(container.image.name, "docker.io/**")`, full, "true"},
		{`glob(process.executable.path, "/tmp/?mrig")`, full, "true"},
		{`semver(container.image.tag, ">= 1.25, < 2")`, full, "true"},
		{`semver(container.image.tag, "< 1.25")`, full, "false"},
		{`imageref(container.image.name + ":" + container.image.tag).tag == "1.25.3"`, full, "true"},
		{`imageref(container.image.name).registry == "docker.io"`, full, "true"},
		{`imageref(container.image.name).tag == "latest"`, full, absent},
		{`has(imageref(container.image.name).tag)`, full, "false"},
		{`imageref(host.name + ":" + host.name + ":x").tag == ""`, full, "image reference"},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Condition(tt.condition, schemas.ProcessStarted)
			if err != nil {
				t.Fatalf("compile: %v", err)
			}
			got, err := p.Bool(decode(t, tt.data))
			switch {
			case tt.want == absent:
				if !errors.Is(err, expr.ErrAbsent) {
					t.Errorf("got %v, %v, want an error of the class ErrAbsent", got, err)
				}
			case tt.want == "true" || tt.want == "false":
				if err != nil || got != (tt.want == "true") {
					t.Errorf("got %v, %v, want %s", got, err, tt.want)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, expr.ErrAbsent):
				t.Errorf("got %v, %v, want an error with %q that is not of the class ErrAbsent", got, err, tt.want)
			}
		})
	}
}

func TestAbsentErrorNamesTheField(t *testing.T) {
	t.Parallel()
	p, err := expr.Condition(`container.image.name == "a"`, schemas.ProcessStarted)
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]string{
		bare:                                 "container is absent",
		`{"container": {"id": "c"}}`:         "container.image is absent",
		`{"container": {"image": {}}}`:       "container.image.name is absent",
		`{"container": "c"}`:                 "container holds a string, which is not what its schema says",
		`{"container": {"image": ["a"]}}`:    "container.image holds a []interface {}, which is not what its schema says",
		`{"container":{"image":{"name":1}}}`: "container.image.name holds a float64, which is not what its schema says",
	} {
		_, err := p.Bool(decode(t, data))
		if err == nil {
			t.Fatalf("%s: no error", data)
		}
		if diff := cmp.Diff(`container.image.name == "a": `+want, err.Error()); diff != "" {
			t.Errorf("%s: error (-want +got):\n%s", data, diff)
		}
	}
}
