package decode

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRecordedComesBack: what the log knows of an event survives a file.
func TestRecordedComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Z0-9"\\<é日 ]{1,20}`)
		nanos := rapid.Int64Range(1, 1<<61)
		e := schemas.Event{
			ID: "i" + text.Draw(t, "id"), Source: "/c/" + rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "source"), Type: "a.b",
			Subject: rapid.StringMatching(`[a-z]{0,9}`).Draw(t, "subject"), Time: time.Unix(0, nanos.Draw(t, "time")).UTC(),
			Data: rapid.SampledFrom([][]byte{[]byte(`{}`), []byte(`{"a":"<\n>"}`), []byte(`{"a":1,"a":2}`), []byte(`no`), []byte("{\xff}")}).Draw(t, "data"),
		}
		if rapid.Bool().Draw(t, "of a log") {
			e.Seq, e.Stored = rapid.Uint64Min(1).Draw(t, "seq"), time.Unix(0, nanos.Draw(t, "stored")).UTC()
			e.Writer = rapid.SampledFrom([]string{"", "core", "node-n1"}).Draw(t, "writer")
		}
		line, err := AppendRecorded([]byte("x"), e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(string(line), "\r\n") {
			t.Fatalf("more than a line: %q", line)
		}
		got, err := Recorded(line[1:])
		if e.Seq == 0 && intake.Strict(e.Data) != nil { // nobody has looked at it yet
			if err == nil {
				t.Fatalf("taken: %s", line)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRecordedFlattens(t *testing.T) {
	t.Parallel()
	line, err := AppendRecorded(nil, schemas.Event{ID: "1", Source: "/x", Type: "a.b", Time: time.Unix(1, 0), Data: []byte("{\n\"a\": 1\r\n}")})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"specversion":"1.0","id":"1","source":"/x","type":"a.b","time":"1970-01-01T00:00:01Z","datacontenttype":"application/json","data":{"a":1}}`; string(line) != want {
		t.Errorf("got %s\nwant %s", line, want)
	}
}

// TestStrangersHaveNoPlaceInTheLog: what comes from outside cannot say who
// stored it.
func TestStrangersHaveNoPlaceInTheLog(t *testing.T) {
	t.Parallel()
	const line = `{` + head + `,"fbseq":"7","fbstored":"2026-03-04T05:06:07Z","fbwriter":"core","data":{}}`
	e, err := CloudEvents([]byte(line))
	if err != nil || e.Seq != 0 || !e.Stored.IsZero() || e.Writer != "" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = Recorded([]byte(line)); err != nil || e.Seq != 7 || e.Stored.IsZero() || e.Writer != "core" {
		t.Errorf("recorded: %+v, %v", e, err)
	}
	all, err := RecordedBatch([]byte(`[` + line + `,` + line + `]`))
	if err != nil || len(all) != 2 || all[1].Seq != 7 {
		t.Errorf("a batch: %+v, %v", all, err)
	}
}

func TestRecordedRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, marks, want string }{
		{"a number", `"fbseq":7,"fbstored":"2026-03-04T05:06:07Z"`, "want a text in quotes"},
		{"none", `"fbseq":"0","fbstored":"2026-03-04T05:06:07Z"`, "want a number from 1 on"},
		{"too large", `"fbseq":"99999999999999999999","fbstored":"2026-03-04T05:06:07Z"`, "want a number from 1 on"},
		{"no time", `"fbseq":"7"`, "fbseq and fbstored go together"},
		{"time alone", `"fbstored":"2026-03-04T05:06:07Z"`, "fbseq and fbstored go together"},
		{"no real time", `"fbseq":"7","fbstored":"yesterday"`, "want RFC 3339"},
		{"the zero time", `"fbseq":"7","fbstored":"0001-01-01T00:00:00Z"`, "is the zero time"},
		{"writer alone", `"fbwriter":"core"`, "fbwriter goes with"},
		{"a long writer", `"fbseq":"7","fbstored":"2026-03-04T05:06:07Z","fbwriter":"` + strings.Repeat("x", 257) + `"`, "at most 256"},
		{"twice", `"fbseq":"7","fbseq":"8","fbstored":"2026-03-04T05:06:07Z"`, "stands there twice"},
		{"no place and bad data", `"x":"y"`, "twice"},
	} {
		_, err := Recorded([]byte(`{` + head + `,` + tt.marks + `,"data":{"a":1,"a":2}}`))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// FuzzRecorded: what is taken is written and read again as it was.
func FuzzRecorded(f *testing.F) {
	for _, text := range taken {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{` + head + `,"fbseq":"7","fbstored":"2026-03-04T05:06:07Z","fbwriter":"core","data_base64":"bm8="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := Recorded(text)
		if err != nil {
			return
		}
		line, err := AppendRecorded(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Recorded(line)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		flat := func(data []byte) string {
			var b bytes.Buffer
			if json.Compact(&b, data) != nil {
				return string(data)
			}
			return b.String()
		}
		if flat(e.Data) != flat(again.Data) {
			t.Errorf("data %q became %q", e.Data, again.Data)
		}
		e.Data, again.Data = nil, nil
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
