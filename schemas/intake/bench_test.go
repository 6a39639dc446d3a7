package intake_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas/intake"
)

// alert is an alert of Falco as it is stored, of 754 bytes.
var alert = func() []byte {
	text := `{"host":{"name":"n1"},"k8s":{"namespace":{"name":"shop"},"pod":{"name":"web-7d4b9c6f5-x2x9q","uid":"3f1c2a9e-0000-4000-8000-6d5e4f3a2b1c"},"container":{"name":"app"}},` +
		`"container":{"id":"` + strings.Repeat("0123456789abcdef", 4) + `"},"process":{"pid":4711,"executable":{"name":"bash"}},` +
		`"falco":{"uuid":"5f0c1d2e3b4a59687786950413223140","priority":"Critical","rule":"Terminal shell in container","time":"2026-01-01T00:00:00.123456789Z","source":"syscall","hostname":"n1",` +
		`"tags":["container","mitre_execution"],"output_fields":{"container.id":"0123456789ab","evt.time":1767225600123456789,"fd.name":null,"proc.cmdline":"bash -c id","proc.name":"bash","user.name":"root","user.uid":0}}}`
	return []byte(text[:len(text)-1] + `,"x":"` + strings.Repeat("x", 754-len(text)-7) + `"}`)
}()

func BenchmarkStrict(b *testing.B) {
	many := []byte(keys(intake.MaxKeys))
	for _, bb := range []struct {
		name string
		data []byte
	}{
		{fmt.Sprintf("alert of %d bytes", len(alert)), alert},
		{"1 MiB of text", []byte(`{"a":"` + strings.Repeat("x", intake.MaxBytes-8) + `"}`)},
		{"1 MiB of two-byte characters", []byte(`{"a":"` + strings.Repeat("é", intake.MaxBytes/2-4) + `"}`)},
		{"1 MiB of escapes", []byte(`{"a":"` + strings.Repeat(`\ud83d\ude00`, intake.MaxBytes/12-1) + `"}`)},
		{"1 MiB of zeros", []byte(`{"a":[` + strings.Repeat("0,", intake.MaxBytes/2-5) + `0]}`)},
		{"1 MiB of numbers", []byte(`{"a":[` + strings.Repeat("1e308,", intake.MaxBytes/6-5) + `0]}`)},
		{"10000 keys", many},
		{"10000 escaped keys", []byte(strings.ReplaceAll(string(many), `"k`, `"\u006b`))},
		{"10000 long keys", []byte(strings.ReplaceAll(string(many), `"k`, `"`+strings.Repeat("k", 90)))},
		{"10000 keys, 24 each", wide(intake.MaxKeys/25, 24)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			if err := intake.Strict(bb.data); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(bb.data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := intake.Strict(bb.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// wide is so many objects of so many keys, which differ in their last
// characters alone.
func wide(objects, each int) []byte {
	var one strings.Builder
	for i := range each {
		fmt.Fprintf(&one, `,"the same beginning %03d":0`, i)
	}
	object := "{" + one.String()[1:] + "},"
	return []byte(`{"a":[` + strings.TrimSuffix(strings.Repeat(object, objects), ",") + `]}`)
}

func BenchmarkDecode(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := intake.Decode(alert); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out map[string]any
			if err := json.Unmarshal(alert, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
