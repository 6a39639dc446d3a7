package spool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/collector/spool"
)

func event(n int) schemas.Event {
	return schemas.Event{
		ID: fmt.Sprint(n), Source: "/c/n/test", Type: "firebreak.test.thing.done", Subject: "s",
		Time: time.Unix(1700000000, int64(n)).UTC(), Data: []byte(fmt.Sprintf(`{"n":%d,"html":"<&>"}`, n)),
	}
}

func open(t testing.TB, cfg spool.Config) *spool.Spool {
	t.Helper()
	s, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t testing.TB, s *spool.Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func appendAll(t testing.TB, s *spool.Spool, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.Append(event(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// drain takes everything out.
func drain(t testing.TB, s *spool.Spool) (ids []string) {
	t.Helper()
	for {
		e, ok, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return ids
		}
		ids = append(ids, e.ID)
		if err := s.Done(); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func TestAnEventComesBackAsItWas(t *testing.T) {
	s := open(t, spool.Config{Dir: t.TempDir()})
	defer closed(t, s)
	appendAll(t, s, 7, 8)
	got, ok, err := s.Next()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if diff := cmp.Diff(event(7), got); diff != "" {
		t.Error(diff)
	}
}

func TestOrderOverSegmentsAndRestarts(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir(), Segment: 600}
	s := open(t, cfg)
	appendAll(t, s, 0, 20)
	for range 5 {
		if _, _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		if err := s.Done(); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, s)
	s = open(t, cfg)
	defer closed(t, s)
	if s.Len() != 15 {
		t.Errorf("%d events wait, want 15", s.Len())
	}
	appendAll(t, s, 20, 30)
	if diff := cmp.Diff(ids(5, 30), drain(t, s)); diff != "" {
		t.Error(diff)
	}
	if left := segmentFiles(t, cfg.Dir); len(left) > 0 {
		t.Errorf("delivered segments are left: %v", left)
	}
}

// A killed process leaves the files as its last whole write made them, or with
// a part of a line at the end. Every such state is opened here.
func TestEveryCutOfTheLastLine(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Config{Dir: dir})
	appendAll(t, s, 0, 3)
	raw, err := os.ReadFile(segmentFiles(t, dir)[0]) // while it is open: as a kill would leave it
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	lastLine := len(raw) - strings.LastIndexByte(strings.TrimSuffix(string(raw), "\n"), '\n') - 1
	for cut := 1; cut <= lastLine; cut++ {
		cfg := spool.Config{Dir: filepath.Join(dir, fmt.Sprint("cut", cut))}
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cfg.Dir, "0000000000000001.ndjson"), raw[:len(raw)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, cfg)
		if s.Torn() != int64(lastLine-cut) {
			t.Errorf("cut %d: %d bytes torn, want %d", cut, s.Torn(), lastLine-cut)
		}
		appendAll(t, s, 3, 5)
		if diff := cmp.Diff([]string{"0", "1", "3", "4"}, drain(t, s)); diff != "" {
			t.Errorf("cut %d: %s", cut, diff)
		}
		if len(s.Losses()) > 0 {
			t.Errorf("cut %d: a line that was never whole counts as lost: %v", cut, s.Losses())
		}
		closed(t, s)
	}
}

func TestADamagedLineIsSkippedAndCounted(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir()}
	s := open(t, cfg)
	appendAll(t, s, 0, 3)
	closed(t, s)
	path := segmentFiles(t, cfg.Dir)[0]
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw = []byte(strings.Replace(string(raw), `{"id":"1"`, `{"id"#"1"`, 1))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	defer closed(t, s)
	if diff := cmp.Diff([]string{"0", "2"}, drain(t, s)); diff != "" {
		t.Error(diff)
	}
	if l := s.Losses(); len(l) != 1 || l[0].Count != 1 {
		t.Errorf("losses %v, want one", l)
	}
}

func TestADamagedCursorRepeatsRatherThanSkips(t *testing.T) {
	for name, cursor := range map[string]string{
		"garbage": "\x00\x00", "beyond the end": "0000000000000001 0000000000099999\n", "inside a line": "0000000000000001 0000000000000003\n",
		"a segment that never was": "0000000000000009 0000000000000000\n", "negative": "0000000000000001 -000000000000005\n",
	} {
		t.Run(name, func(t *testing.T) {
			cfg := spool.Config{Dir: t.TempDir()}
			s := open(t, cfg)
			appendAll(t, s, 0, 3)
			closed(t, s)
			if err := os.WriteFile(filepath.Join(cfg.Dir, "cursor"), []byte(cursor), 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, cfg)
			defer closed(t, s)
			if diff := cmp.Diff(ids(0, 3), drain(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFullSaysSoAndRemembersTheCount(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir(), Limit: 1000}
	s := open(t, cfg)
	took := 0
	var err error
	for err == nil {
		if err = s.Append(event(took)); err == nil {
			took++
		}
	}
	if !errors.Is(err, spool.ErrFull) {
		t.Fatalf("error %v, want ErrFull", err)
	}
	for range 5 {
		s.Lose("/c/n/test", "full")
	}
	closed(t, s)
	s = open(t, cfg)
	defer closed(t, s)
	want := []spool.Loss{{Source: "/c/n/test", Reason: "full", Count: 5}}
	if diff := cmp.Diff(want, s.Losses()); diff != "" {
		t.Error(diff)
	}
	s.Told(spool.Loss{Source: "/c/n/test", Reason: "full", Count: 3})
	if got := s.Losses()[0].Count; got != 2 {
		t.Errorf("%d losses left after 3 of 5 were told", got)
	}
	if diff := cmp.Diff(ids(0, took), drain(t, s)); diff != "" {
		t.Error(diff)
	}
	if err := s.Append(event(0)); err != nil {
		t.Errorf("no room after everything was delivered: %v", err)
	}
}

// A real disk without room: what was taken is delivered whole and in order, and
// there is room again once it is.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a small tmpfs (the test needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	cfg := spool.Config{Dir: filepath.Join(dir, "spool"), Segment: 5000}
	s := open(t, cfg)
	defer func() { closed(t, s) }()
	next := 0
	fill := func() (took []string) {
		for {
			err := s.Append(event(next))
			if errors.Is(err, spool.ErrFull) {
				return took
			}
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, fmt.Sprint(next))
			if next++; next > 10000 {
				t.Fatal("the disk does not fill up")
			}
		}
	}
	for range 3 {
		took := fill()
		if len(took) < 100 {
			t.Errorf("only %d events found room", len(took))
		}
		s.Lose("/c/n/test", "full")
		if diff := cmp.Diff(took, drain(t, s)); diff != "" {
			t.Error(diff)
		}
	}
	took := fill()
	closed(t, s)
	s = open(t, cfg)
	if diff := cmp.Diff(took, drain(t, s)); diff != "" {
		t.Error(diff)
	}
	if l := s.Losses(); len(l) != 1 || l[0].Count != 3 {
		t.Errorf("losses %v, want 3", l)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir()}
	s := open(t, cfg)
	if _, err := spool.Open(cfg); err == nil {
		t.Error("a second one could open the same folder")
	}
	closed(t, s)
	closed(t, open(t, cfg))
}

// The spool behaves as a plain queue, whatever is appended, delivered and
// reopened in between.
func TestIsAQueue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		cfg := spool.Config{Dir: dir, Segment: int64(rapid.IntRange(1, 2000).Draw(rt, "segment"))}
		s := open(t, cfg)
		var queue []string
		next := 0
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(*rapid.T) {
				appendAll(t, s, next, next+1)
				queue = append(queue, fmt.Sprint(next))
				next++
			},
			"deliver": func(rt *rapid.T) {
				e, ok, err := s.Next()
				if err != nil || ok != (len(queue) > 0) {
					rt.Fatalf("next: %v %v, want %d waiting", ok, err, len(queue))
				}
				if !ok {
					return
				}
				if e.ID != queue[0] {
					rt.Fatalf("next is %s, want %s", e.ID, queue[0])
				}
				if rapid.Bool().Draw(rt, "taken") {
					queue = queue[1:]
					if err := s.Done(); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"reopen": func(*rapid.T) {
				closed(t, s)
				s = open(t, cfg)
			},
			"": func(rt *rapid.T) {
				if s.Len() != len(queue) {
					rt.Fatalf("%d wait, want %d", s.Len(), len(queue))
				}
			},
		})
		closed(t, s)
	})
}

// Whatever lies in the folder, opening and draining ends and does not panic.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"id":"1","source":"s","type":"t","time":"2024-01-01T00:00:00Z","data":{}}`+"\n"), []byte("0000000000000001 0000000000000000\n"), []byte("[]"))
	f.Add([]byte("\n\n{}\n{"), []byte("1 1"), []byte(`[{"count":3}]`))
	f.Fuzz(func(t *testing.T, segment, cursor, lost []byte) {
		dir := t.TempDir()
		for name, raw := range map[string][]byte{"0000000000000001.ndjson": segment, "cursor": cursor, "lost.json": lost} {
			if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, spool.Config{Dir: dir})
		drain(t, s)
		if s.Len() != 0 {
			t.Errorf("%d events left", s.Len())
		}
		closed(t, s)
	})
}
