package expr_test

import (
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"
)

func BenchmarkCondition(b *testing.B) {
	for _, bb := range []struct{ name, condition, data string }{
		{"match", `has(process.executable.name) && process.executable.name in ["xmrig", "minerd", "cpuminer"]`, full},
		{"absent", `process.executable.name in ["xmrig", "minerd", "cpuminer"]`, bare},
		{"number", `process.pid > 100 && container.cpu.utilization > 0.8`, full},
		{"labels", `k8s.pod.labels[?"app.kubernetes.io/name"].orValue("") == "web"`, full},
		{"arguments", `process.?command_args.orValue([]).exists(a, a.matches("^stratum\\+(tcp|ssl)://"))`, full},
		{"glob", `has(container.image.name) && glob(container.image.name, "docker.io/**/nginx")`, full},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p, err := expr.Condition(bb.condition, schemas.ProcessStarted)
			if err != nil {
				b.Fatal(err)
			}
			data := decode(b, bb.data)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Bool(data); err != nil && bb.name != "absent" {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := expr.Condition(`has(process.executable.name) && process.executable.name in ["xmrig", "minerd"]`, schemas.ProcessStarted); err != nil {
			b.Fatal(err)
		}
	}
}
