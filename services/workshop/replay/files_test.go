package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/workshop/replay"
)

// TestWhatAFileCanBe: the places of events, and what is told of lines that are none.
func TestWhatAFileCanBe(t *testing.T) {
	t.Parallel()
	a, b := login(1, 0, false, "root"), login(2, 1, true, "root")
	mebibyte := strings.Replace(a, `"root"`, `"`+strings.Repeat("x", 1<<20-200)+`"`, 1)
	for _, tt := range []struct {
		name, text string
		seqs       []uint64
		bad        []string // parts of what is told
	}{
		{"plain", a + "\n" + b + "\n", []uint64{1, 2}, nil},
		{"no line break at the end", a + "\n" + b, []uint64{1, 2}, nil},
		{"CRLF", a + "\r\n" + b + "\r\n", []uint64{1, 2}, nil},
		{"a byte order mark", "\xef\xbb\xbf" + a + "\n" + b, []uint64{1, 2}, nil},
		{"empty lines", "\n\n" + a + "\n   \n\n" + b + "\n\n", []uint64{3, 6}, nil},
		{"nothing", "", nil, nil},
		{"line breaks alone", "\n\r\n\n", nil, nil},
		{"a list on a line", "[" + a + "," + b + "]\n" + a, []uint64{1, 2, 3}, nil},
		{"a text over many lines", "[\n" + a + ",\n" + b + "\n]\n", []uint64{1, 2}, nil},
		{"a mebibyte of data", mebibyte + "\n" + b, []uint64{1, 2}, nil},
		{"too much data", strings.Replace(a, `"root"`, `"`+strings.Repeat("x", 1<<20)+`"`, 1) + "\n" + b, []uint64{2}, []string{`:1: CloudEvent "e1": data: invalid: 1048617 bytes`}},
		{"a line without end", a + "\n" + strings.Repeat("x", 20<<20) + "\n" + b, []uint64{1, 3}, []string{":2: invalid: the line is longer than 8 MiB"}},
		{"the last line without end", a + "\n" + strings.Repeat("x", 20<<20), []uint64{1}, []string{":2: invalid: the line is longer than 8 MiB"}},
		{"not JSON", a + "\nhello\n" + b, []uint64{1, 3}, []string{":2: CloudEvent: invalid: byte 0: want an object"}},
		{"binary", a + "\n\x00\x01\xfe\n" + b, []uint64{1, 3}, []string{":2: CloudEvent: invalid"}},
		{"cut off", a + "\n" + b[:60], []uint64{1}, []string{":2: CloudEvent"}},
		{"the first is cut off", b[:60] + "\n" + a, []uint64{2}, []string{":1: CloudEvent"}},
		{"twice the same key", a + "\n" + strings.Replace(b, `{"name":"root"}`, `{"name":"root","name":"x"}`, 1), []uint64{1}, []string{`:2: CloudEvent "e2": data: byte 50 at "user"."name": invalid`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"events.ndjson", "events.ndjson.gz"} {
				events, bad, err := read(t, &replay.Files{Names: []string{file(t, name, tt.text)}, Recall: true})
				if err != nil {
					t.Fatal(err)
				}
				var seqs []uint64
				for _, e := range events {
					seqs = append(seqs, e.Seq)
				}
				if diff := cmp.Diff(tt.seqs, seqs); diff != "" {
					t.Errorf("%s: sequences (-want +got):\n%s", name, diff)
				}
				if len(bad) != len(tt.bad) {
					t.Fatalf("%s: told %q, want %q", name, bad, tt.bad)
				}
				for i := range bad {
					if !strings.Contains(bad[i], name+tt.bad[i]) {
						t.Errorf("%s: %s, want %s", name, bad[i], tt.bad[i])
					}
				}
			}
		})
	}
}

func TestAPackedFileThatIsCutOff(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for n := range 5000 {
		fmt.Fprintln(&text, login(n, n, n%7 == 0, fmt.Sprint(n*7919)))
	}
	whole := packed(t, text.String())
	path := filepath.Join(t.TempDir(), "x.gz")
	if err := os.WriteFile(path, whole[:len(whole)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	events, bad, err := read(t, &replay.Files{Names: []string{path}})
	if err != nil || len(events) < 1000 || len(events) >= 5000 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if len(bad) == 0 || !strings.Contains(bad[len(bad)-1], "the file is cut off here") {
		t.Errorf("told %q", bad)
	}
	for _, text := range []string{"", "no gzip at all\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, bad, err := read(t, &replay.Files{Names: []string{path}}); err != nil || len(bad) != 1 {
			t.Errorf("%q: %q, %v", text, bad, err)
		}
	}
}

func TestSeveralFiles(t *testing.T) {
	t.Parallel()
	one, two := file(t, "1", login(1, 0, false, "a")+"\nno\n"), file(t, "2.gz", login(2, 60, false, "a")+"\n")
	f := &replay.Files{Names: []string{one, "-", two}, Stdin: strings.NewReader(login(3, 30, false, "b")), Recall: true}
	events, bad, err := read(t, f)
	if err != nil || len(events) != 3 || len(bad) != 1 {
		t.Fatalf("%+v, %q, %v", events, bad, err)
	}
	for i, want := range []struct {
		id  string
		seq uint64
		at  int // when it was stored: the clock does not go back
	}{{"e1", 1, 0}, {"e3", 3, 30}, {"e2", 4, 60}} {
		e := events[i]
		if e.ID != want.id || e.Seq != want.seq || !e.Stored.Equal(start.Add(time.Duration(want.at)*time.Second)) {
			t.Errorf("event %d: %s, sequence %d, stored %s; want %+v", i, e.ID, e.Seq, e.Stored, want)
		}
	}
	if c := f.Counts(); c.Lines != 4 || c.Bad != 1 {
		t.Errorf("counts: %+v", c)
	}
}

// TestWhenEventsAreStored: at their own time, or that of the one before; an
// older recording begins anew; what comes from a log keeps what the log said.
func TestWhenEventsAreStored(t *testing.T) {
	t.Parallel()
	marked := strings.Replace(login(4, 0, false, "a"), `"id"`, `"fbseq":"77","fbstored":"2026-03-04T04:00:00Z","fbwriter":"node-n1","id"`, 1)
	standIn := strings.Replace(strings.Replace(marked, schemas.LoginFailed, schemas.EventsRefused, 1), `"fbwriter":"node-n1",`, "", 1)
	text := strings.Join([]string{login(1, 600, false, "a"), login(2, 0, false, "a"), login(3, -3600, false, "a"), marked, standIn, login(5, 0, false, "a")}, "\n")
	events, bad, err := read(t, &replay.Files{Names: []string{file(t, "x", text)}})
	if err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %d %s %s", e.ID, e.Seq, e.Stored.Sub(start), e.Writer))
	}
	want := []string{"e1 1 10m0s ", "e2 2 10m0s ", "e3 3 -1h0m0s ", "e4 77 -1h0m0s node-n1", "e5 78 0s "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnotherFormat(t *testing.T) {
	t.Parallel()
	const falco = `{"hostname":"n1","output":"x","priority":"Notice","rule":"r","source":"syscall","time":"2026-03-04T05:06:07Z","output_fields":{}}`
	_, _, err := read(t, &replay.Files{Names: []string{file(t, "x", "\n"+falco+"\n")}})
	var other *replay.FormatError
	if !errors.As(err, &other) || !strings.Contains(err.Error(), "x:2 is no event of cloudevents but looks like one of falco: use --as falco") {
		t.Errorf("%v", err)
	}
	events, bad, err := read(t, &replay.Files{Names: []string{file(t, "x", falco)}, As: "falco"})
	if err != nil || len(bad) > 0 || len(events) != 1 || events[0].Type != schemas.FalcoRule {
		t.Errorf("%+v, %q, %v", events, bad, err)
	}
	_, bad, err = read(t, &replay.Files{Names: []string{file(t, "x", login(1, 0, false, "a")+"\n"+falco)}})
	if err != nil || len(bad) != 1 || !strings.Contains(bad[0], "(it looks like falco: --as falco)") {
		t.Errorf("in the middle: %q, %v", bad, err)
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	events, _, err := read(t, &replay.Files{Names: []string{file(t, "x", login(1, 0, false, "a")+"\nno\n")}, Strict: true})
	var bad replay.Bad
	if !errors.As(err, &bad) || bad.Line != 2 || !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := read(t, &replay.Files{Names: []string{dir}}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, _, err := read(t, &replay.Files{Names: []string{dir + "/none"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	broken := io.MultiReader(strings.NewReader(login(1, 0, false, "a")+"\n"), iotest.ErrReader(errors.New("the disk is gone")))
	events, bad, err := read(t, &replay.Files{Names: []string{"-"}, Stdin: broken})
	if err != nil || len(events) != 1 || len(bad) != 1 || bad[0] != "-:2: the disk is gone" {
		t.Errorf("%d events, %q, %v", len(events), bad, err)
	}
}

// TestAPipeThatStaysOpen: what has come is handed on at once, and the end of
// the replay does not wait for more.
func TestAPipeThatStaysOpen(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := fmt.Fprintln(w, login(1, 0, false, "a")); err != nil {
		t.Fatal(err)
	}
	f := &replay.Files{Names: []string{"-"}, Stdin: r, As: "cloudevents", Bad: func(b replay.Bad) { t.Error(b) }}
	enough := errors.New("enough")
	if err := f.Each(t.Context(), func(schemas.Event) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Each(ctx, func(schemas.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestEventsAreRecalled: as they were, wherever they came from.
func TestEventsAreRecalled(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	const lines = 25_000 // of 200 bytes: more than is kept at hand
	for n := range lines {
		if n%1000 == 7 {
			fmt.Fprintln(&text, "\nnot an event")
		}
		if n%997 == 3 {
			fmt.Fprintf(&text, "[%s,%s]\n", login(n, n, false, "a"), login(n+lines, n, true, "b"))
			continue
		}
		fmt.Fprintln(&text, login(n, n, n%3 == 0, fmt.Sprint(n)))
	}
	for name, files := range map[string]*replay.Files{
		"a file":      {Names: []string{file(t, "x", text.String())}},
		"packed":      {Names: []string{file(t, "x.gz", text.String())}},
		"a pipe":      {Names: []string{"-"}, Stdin: strings.NewReader(text.String())},
		"one of each": {Names: []string{file(t, "x", text.String()), "-"}, Stdin: strings.NewReader(text.String())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files.As, files.Recall, files.Bad = "cloudevents", true, func(replay.Bad) {}
			var seen []schemas.Event
			again := 0
			err := files.Each(t.Context(), func(e schemas.Event) error {
				seen = append(seen, e)
				if len(seen)%1499 != 0 {
					return nil
				}
				for i := len(seen) - 1; i >= 0; i -= 4001 {
					got, err := files.RecallEvent(seen[i].Seq)
					if err != nil {
						return err
					}
					if diff := cmp.Diff(seen[i], got); diff != "" {
						t.Fatalf("event %d (-want +got):\n%s", seen[i].Seq, diff)
					}
					again++
				}
				return nil
			})
			if err != nil || again < 50 {
				t.Errorf("%d recalled, %v", again, err)
			}
			if _, err := files.RecallEvent(1 << 40); !errors.Is(err, schemas.ErrAbsent) {
				t.Errorf("one that there is not: %v", err)
			}
			if err := files.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLinesAreFoundWhateverTheirLength: cut at any place, nothing is lost.
func TestLinesAreFoundWhateverTheirLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var text bytes.Buffer
		var want []string
		for n := range rapid.IntRange(0, 10).Draw(rt, "lines") {
			id := fmt.Sprint(n)
			size := rapid.SampledFrom([]int{0, 1, 1000, 1000, 90_000, 262_000, 600_000}).Draw(rt, "size")
			fmt.Fprintf(&text, `{"specversion":"1.0","id":%q,"source":"/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{"a":%q}}`, id, strings.Repeat("x", size))
			text.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(rt, "break"))
			want = append(want, id)
		}
		var got []string
		f := &replay.Files{Names: []string{"-"}, Stdin: iotest.HalfReader(&text), As: "cloudevents", Bad: func(b replay.Bad) { rt.Error(b) }}
		err := f.Each(t.Context(), func(e schemas.Event) error { got = append(got, e.ID); return nil })
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			rt.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
