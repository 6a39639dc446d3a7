package decode

import (
	"bytes"
	"encoding/json"
	"testing"

	"firebreak/schemas"
)

// BenchmarkAudit decodes one line of an audit log, and beside it what
// encoding/json alone needs to read it into schemas.Audit.
func BenchmarkAudit(b *testing.B) {
	all := samples(b)
	for _, name := range []string{"token-elsewhere", "exec-websocket", "create-pod", "eks-subscription", "gke-pod"} {
		var line bytes.Buffer
		if err := json.Compact(&line, all[name]); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(line.Len()))
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				got, err := Audit(line.Bytes(), Options{Source: source})
				if err != nil {
					b.Fatal(err)
				}
				events += len(got)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
		if !bytes.HasPrefix(line.Bytes(), []byte(`{"kind":"Event"`)) {
			continue // wrapped: not what schemas.Audit is
		}
		b.Run(name+"/encoding-json", func(b *testing.B) {
			b.SetBytes(int64(line.Len()))
			for b.Loop() {
				var a schemas.Audit
				if err := json.Unmarshal(line.Bytes(), &a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
