package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
)

// TestLargeEventsStillOpen: whoever sends events that fill a message must not
// go unanswered for it.
func TestLargeEventsStillOpen(t *testing.T) {
	many := func(n int, each string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%06d":%q,`, i, each)
		}
		return b.String()
	}
	large := strings.Repeat("x", 1000<<10)
	for name, extra := range map[string]string{
		"one text":         `"pad":"` + large + `",`,
		"arguments":        `"process":{"pid":7,"command_args":["/bin/sh"` + strings.Repeat(`,"`+large[:900]+`"`, 1000) + `]},`,
		"members":          many(9000, large[:100]),
		"labels":           `"k8s":{"pod":{"uid":"p1","labels":{` + strings.TrimSuffix(many(9000, large[:90]), ",") + `}}},`,
		"escapes":          `"pad":"` + strings.Repeat("\\u0001", 160_000) + `",`,
		"beside the label": `"a":{` + strings.TrimSuffix(many(9000, "x"), ",") + `},"b":"` + large[:800<<10] + `",`,
	} {
		t.Run(name, func(t *testing.T) {
			data := json.RawMessage(`{` + extra + `"container":{"id":"c1"},"host":{"name":"n1"}}`)
			signals := map[string]schemas.Signal{"a": {Data: data}, "b": {Data: data}, "c": {Data: json.RawMessage(`{"host":{"name":"n1"}}`)}}
			d, err := Fill(Opened{Opened: schemas.Opened{Signals: signals}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(d.(Opened).Opened)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > maxSignals+4096 {
				t.Errorf("%d bytes", len(raw))
			}
			for _, s := range []string{"a", "b"} {
				got := d.(Opened).Opened.Signals[s]
				var e schemas.Entities
				if err := json.Unmarshal(got.Data, &e); err != nil || !got.Cut {
					t.Fatalf("cut %v, %v", got.Cut, err)
				}
				if e.Container == nil || e.Container.ID != "c1" || e.Host == nil || e.Host.Name != "n1" {
					t.Errorf("entities %+v of %.300s", e, got.Data)
				}
			}
			if c := d.(Opened).Opened.Signals["c"]; c.Cut || string(c.Data) != `{"host":{"name":"n1"}}` {
				t.Errorf("what is small is %+v", c)
			}
		})
	}
}

func TestWhatFitsIsNotTouched(t *testing.T) {
	data := json.RawMessage(`{"pad":"` + strings.Repeat("x", maxSignals-100) + `"}`)
	d, err := Fill(Recurred{Recurred: schemas.Recurred{Signals: map[string]schemas.Signal{"a": {Data: data}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := d.(Recurred).Recurred.Signals["a"]; s.Cut || string(s.Data) != string(data) {
		t.Errorf("cut %v, %d bytes", s.Cut, len(s.Data))
	}
}
