package decode

import (
	"os"
	"testing"
)

// line is an event of 750 bytes, as the exec sensor makes them.
const line = `{"specversion":"1.0","id":"5d2f8c1e-4242-812345678901234","source":"/prod/node-7/exec","type":"firebreak.runtime.process.started",` +
	`"subject":"7e1c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeea","time":"2026-03-04T05:06:07.123456789Z","datacontenttype":"application/json",` +
	`"data":{"host":{"name":"node-7"},"k8s":{"namespace":{"name":"shop"},"pod":{"name":"web-5d9f-x2"}},` +
	`"container":{"id":"7e1c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeea","name":"web","runtime":"containerd",` +
	`"image":{"name":"registry.example.com/shop/web","tag":"1.4"}},"process":{"pid":4242,"executable":{"name":"sh","path":"/bin/sh","origin":"image"},` +
	`"command_args":["sh","-c","id"],"parent":{"pid":4200,"executable":{"name":"node"}}},"user":{"id":"0","name":"root"}}}`

func BenchmarkCloudEvents(b *testing.B) {
	raw := []byte(line)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CloudEvents(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSDK is what the same costs by the CloudEvents SDK, which checks less.
func BenchmarkSDK(b *testing.B) {
	raw := []byte(line)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sdk(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTools(b *testing.B) {
	for _, name := range []string{"falco-shell", "tetragon-exec", "tetragon-tcp-connect", "tetragon-file"} {
		raw, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			b.Fatal(err)
		}
		decode := decoder(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(raw, given); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSniff(b *testing.B) {
	raw := []byte(line)
	b.ReportAllocs()
	for b.Loop() {
		if Sniff(raw) != "cloudevents" {
			b.Fatal("not recognized")
		}
	}
}
