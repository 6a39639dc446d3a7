package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/schemas/schemastest"
)

func FuzzAudit(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data, uint16(0))
		f.Add(data, uint16(3000))
	}
	f.Add(event(f, map[string]any{"requestObject": privilegedPod(`"pad":"\ud800",`)}), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, limit uint16) {
		o := Options{Source: source, MaxData: int(limit)}
		events, err := Audit(data, o)
		if err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%v does not wrap schemas.ErrInvalid", err)
		}
		if o.MaxData == 0 {
			o.MaxData = DefaultMaxData
		}
		first := ""
		for _, e := range events {
			if err := schemastest.Check(e); err != nil {
				t.Errorf("%s: %v in %s", e.ID, err, e.Data)
			}
			if err := intake.Event(e); err != nil {
				t.Errorf("%s: %v in %s", e.ID, err, e.Data)
			}
			if len(e.Data) > o.MaxData {
				t.Errorf("%s: %d bytes of data", e.ID, len(e.Data))
			}
			if e.Type == schemas.APICalled {
				first = e.ID
			} else if !strings.HasPrefix(e.ID, first+"#") {
				t.Errorf("%s comes after %s", e.ID, first)
			}
		}
		again, _ := Audit(data, o)
		if len(again) != len(events) {
			t.Errorf("%d events, then %d", len(events), len(again))
		}
		for i := range again {
			if !bytes.Equal(again[i].Data, events[i].Data) {
				t.Errorf("%s\nthen\n%s", events[i].Data, again[i].Data)
			}
		}
	})
}

// The scanner takes what encoding/json takes, and nothing else.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"\u00e9\n"]}`, `[1,]`, `[,1]`, `{"a":1,}`, `{"a" 1}`, `{1:2}`, `01`, `1.`, `-`, `1e`, `"\x"`, `"\u12"`, `"` + "\n" + `"`,
		`tru`, `{"a":1,"\u0061":2}`, `"\ud83d\udca9"`, `"\ud83d"`, `["\ud83d\u0041"]`, `"\udca9"`, `1e999`, `[]]`, ` `, `"`, `{"a"`, `[1 2]`, `nul`, `--1`, `.5`, `+1`, strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := scanner{data: data}
		err := s.whole()
		if valid := json.Valid(data); (err == nil) != valid {
			t.Fatalf("%q: %v, encoding/json says %v", data, err, valid)
		}
		if err != nil {
			return
		}
		// What it finds nothing against, intake takes.
		fits := utf8.Valid(data) && !s.shape.odd && s.shape.twice == nil && s.shape.depth <= maxDepth && s.shape.keys <= maxKeys
		if err := intake.Strict(slices.Concat([]byte(`{"in":`), data, []byte("}"))); fits && err != nil {
			t.Errorf("%q: the scanner finds nothing against it, intake says %v", data, err)
		}
		// The readers find each member and element that the scanner saw.
		if got := count(data); got != s.shape.keys {
			t.Errorf("%q: %d members read, %d scanned", data, got, s.shape.keys)
		}
	})
}

// count reads all members of a value.
func count(v raw) (n int) {
	v = bytes.TrimSpace(v)
	each(v, func(_ []byte, of raw) { n += 1 + count(of) })
	items(v, func(of raw) { n += count(of) })
	return n
}
