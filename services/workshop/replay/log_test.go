package replay_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/bus/bustest"
	"firebreak/services/correlator"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/replay"
)

// people is a bus in memory as people see it, with its blobs.
type people struct {
	*bustest.Client
	mu    sync.Mutex
	blobs map[string][]byte
}

func (p *people) PutBlob(_ context.Context, r io.Reader) (string, int64, error) {
	raw, err := io.ReadAll(r)
	sum := sha256.Sum256(raw)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blobs[digest] = raw
	return digest, int64(len(raw)), err
}

func (p *people) Blob(_ context.Context, digest string) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	raw, ok := p.blobs[digest]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", digest, schemas.ErrAbsent)
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

// compile makes a set of its sources again.
func compile(sources map[string][]byte) (*playbook.Set, error) {
	var all []playbook.Source
	for name, data := range sources {
		all = append(all, playbook.Source{Name: name, Data: data})
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		return nil, fmt.Errorf("%v", findings)
	}
	return set, nil
}

// live is a correlator on a bus in memory whose clock the test sets.
type live struct {
	people *people
	node   *bustest.Client
	sets   chan *playbook.Set
	now    time.Time
	mu     sync.Mutex
	c      *correlator.Correlator
	stop   func() error
	events int
}

func (l *live) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func begin(set *playbook.Set) *live {
	b := bustest.New()
	l := &live{
		people: &people{Client: b.Client("people", ""), blobs: map[string][]byte{}}, node: b.Client("node-n1", ""),
		sets: make(chan *playbook.Set), now: start,
	}
	b.Now = l.clock
	l.c = correlator.New(correlator.Config{
		Bus: b.Client("core", ""), Blobs: l.people, Set: set, Sets: l.sets, Cluster: "c", Writer: "core", Compile: compile,
		Tick: time.Hour, Now: l.clock, Boot: func() (time.Duration, error) { return l.clock().Sub(start), nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.c.Run(ctx) }()
	l.stop = func() error { cancel(); return <-done }
	return l
}

// publish stores an event some seconds after the start.
func (l *live) publish(t fatal, seconds int, e schemas.Event) {
	l.mu.Lock()
	l.now = start.Add(time.Duration(seconds) * time.Second)
	l.mu.Unlock()
	if _, err := l.node.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

type fatal interface {
	Helper()
	Fatal(...any)
}

// settled waits until the correlator is done with all that the log holds.
func (l *live) settled(t fatal) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		last, err := l.people.LastEvent(context.Background())
		switch {
		case err == nil && l.c.Sequence() >= last.Seq:
			return
		case time.Now().After(end):
			t.Fatal("the correlator does not come to the end of the log")
		}
	}
}

// announced waits until a set is in force.
func (l *live) announced(t fatal, digest string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if slices.ContainsFunc(l.people.Events(), func(e schemas.Event) bool {
			return e.Type == schemas.PlaybooksChanged && strings.Contains(string(e.Data), digest)
		}) {
			l.settled(t)
			return
		}
		if time.Now().After(end) {
			t.Fatal("the set is not announced")
		}
	}
}

// opened are the incidents of the ledger: id, and who took part.
func (l *live) opened(t fatal) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range l.people.Records() {
		if r.Kind != schemas.KindOpened {
			continue
		}
		var o schemas.Opened
		if err := json.Unmarshal(r.Data, &o); err != nil {
			t.Fatal(err)
		}
		signals := map[string]schemas.EventRef{}
		for name, s := range o.Signals {
			signals[name] = s.EventRef
		}
		out[r.Incident] = shape(o.Playbook.Name, o.Group, o.Trigger, o.Stale, signals)
	}
	return out
}

func shape(playbook, group string, trigger schemas.EventRef, stale bool, signals map[string]schemas.EventRef) string {
	raw, err := json.Marshal([]any{playbook, group, trigger, stale, signals})
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func (l *live) log() *replay.Log {
	return &replay.Log{Bus: l.people, Core: "core", Compile: compile}
}

// replayed are the incidents of a replay of the log, as opened gives them.
func (l *live) replayed(t fatal) (map[string]string, replay.Checked) {
	t.Helper()
	ctx := context.Background()
	log := l.log()
	first, set, err := log.Beginning(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	var check *replay.Check
	r := replay.New(replay.Config{Set: set, Specs: action.Specs(), Core: "core", Recall: log.Recall(ctx), Incident: func(in replay.Incident) error {
		check.Incident(in)
		got[in.ID] = shape(in.Playbook, in.Group, in.Trigger, in.Stale, in.Signals)
		return nil
	}})
	if check, err = replay.NewCheck(ctx, log, first, r); err != nil {
		t.Fatal(err)
	}
	check.Set(set)
	err = log.Each(ctx, func(e schemas.Event) error {
		check.Event(e)
		if set, err := log.Changed(ctx, e); err != nil {
			return err
		} else if set != nil {
			check.Set(set)
			r.Swap(set)
		}
		return r.Apply(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	checked, err := check.Compare(ctx, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return got, checked
}

// exported are the incidents of a replay of the exported log.
func (l *live) exported(t fatal, set *playbook.Set) map[string]string {
	t.Helper()
	var text bytes.Buffer
	x := replay.NewExport(&text)
	if err := l.log().Each(context.Background(), x.Write); err != nil {
		t.Fatal(err)
	}
	if n, err := x.Flush(); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	got := map[string]string{}
	f := &replay.Files{Names: []string{"-"}, Stdin: &text, As: "cloudevents", Recall: true, Strict: true}
	r := replay.New(replay.Config{Set: set, Specs: action.Specs(), Core: "core", Recall: f.RecallEvent, Incident: func(in replay.Incident) error {
		got[in.ID] = shape(in.Playbook, in.Group, in.Trigger, in.Stale, in.Signals)
		return nil
	}})
	if err := errors.Join(f.Each(context.Background(), r.Apply), f.Close()); err != nil {
		t.Fatal(err)
	}
	return got
}

// drawn publishes events of several users in some disorder.
func (l *live) drawn(t *rapid.T, events int) {
	seconds := 0
	for range events {
		l.events++
		seconds += rapid.IntRange(0, 40).Draw(t, "pause")
		at := start.Add(time.Duration(seconds-rapid.SampledFrom([]int{0, 0, 0, 3, 9, 30, 1500}).Draw(t, "behind")) * time.Second)
		user := rapid.SampledFrom([]string{"root", "anna"}).Draw(t, "user")
		e := schemas.Event{
			ID: fmt.Sprint(l.events), Source: rapid.SampledFrom([]string{"/c/n1/logins", "/c/n1/others"}).Draw(t, "source"), Time: at,
			Type: rapid.SampledFrom([]string{schemas.LoginFailed, schemas.LoginFailed, schemas.LoginSucceeded, schemas.Heartbeat}).Draw(t, "type"),
			Data: fmt.Appendf(nil, `{"host":{"name":"n1"},"user":{"name":%q}}`, user),
		}
		if e.Type == schemas.Heartbeat {
			e.Data = fmt.Appendf(nil, `{"host":{"name":"n1"},"source":"logins","types":[%q]}`, schemas.LoginSucceeded)
		}
		l.publish(t, seconds, e)
	}
}

// TestReplayIsLive: whatever the log holds, a replay of it and one of a file
// that it was exported to open the incidents that live opened.
func TestReplayIsLive(t *testing.T) {
	t.Parallel()
	set := load(t, logins)
	opened := 0
	rapid.Check(t, func(t *rapid.T) {
		l := begin(set)
		l.announced(t, set.Digest)
		l.drawn(t, rapid.IntRange(1, 40).Draw(t, "events"))
		l.settled(t)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		want := l.opened(t)
		opened += len(want)
		got, checked := l.replayed(t)
		if diff := cmp.Diff(want, got); diff != "" || !checked.Agrees() || checked.Same != len(want) {
			t.Errorf("of the log: %+v (-live +replay):\n%s", checked, diff)
		}
		if diff := cmp.Diff(want, l.exported(t, set)); diff != "" {
			t.Errorf("of the file (-live +replay):\n%s", diff)
		}
	})
	if opened == 0 {
		t.Error("nothing was ever opened")
	}
}

// TestPlaybooksChangeWhereTheLogSaysSo: a replay sees the set of each moment.
func TestPlaybooksChangeWhereTheLogSaysSo(t *testing.T) {
	t.Parallel()
	one, two := load(t, map[string]string{"single": logins["single"]}), load(t, map[string]string{"count": logins["count"], "sequence": logins["sequence"]})
	l := begin(one)
	l.announced(t, one.Digest)
	fail := func(n int) {
		l.publish(t, n, schemas.Event{
			ID: fmt.Sprint("f", n), Source: "/c/n1/logins", Type: schemas.LoginFailed, Time: start.Add(time.Duration(n) * time.Second),
			Data: []byte(`{"host":{"name":"n1"},"user":{"name":"root"}}`),
		})
	}
	for n := range 4 {
		fail(n)
	}
	l.settled(t)
	l.sets <- two
	l.announced(t, two.Digest)
	for n := 10; n < 14; n++ {
		fail(n)
	}
	l.settled(t)
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	want := l.opened(t)
	got, checked := l.replayed(t)
	if diff := cmp.Diff(want, got); diff != "" || !checked.Agrees() || len(want) != 2 {
		t.Errorf("%+v (-live +replay):\n%s", checked, diff)
	}

	// A check that could not fail would prove nothing.
	record := func(group string) {
		o := schemas.Opened{
			Playbook: schemas.Playbook{Name: "single"}, Group: group, Signals: map[string]schemas.Signal{},
			Trigger: schemas.EventRef{Source: "/x", ID: "x", Time: start, Seq: 2},
		}
		r, err := schemas.NewRecord("made-up-"+group, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, start, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.people.Append(t.Context(), r, schemas.Head{}); err != nil {
			t.Fatal(err)
		}
	}
	record("nobody")
	if _, checked := l.replayed(t); checked.Agrees() || len(checked.Missing) != 1 || checked.Missing[0].Group != "nobody" || checked.Same != 2 {
		t.Errorf("an incident that no event opened: %+v", checked)
	}

	// The log has let its beginning go: what rests on that is left open, and what
	// was decided is known from the ledger.
	l.people.LetGo(4)
	_, checked = l.replayed(t)
	if len(checked.Missing) > 0 || checked.Live != 1 || checked.Same+checked.Open != 1 {
		t.Errorf("a log without its beginning: %+v", checked)
	}
	// And its sources may be gone.
	clear(l.people.blobs)
	log := l.log()
	var failed error
	if err := log.Each(t.Context(), func(e schemas.Event) error {
		_, err := log.Changed(t.Context(), e)
		failed = errors.Join(failed, err)
		return nil
	}); err != nil || failed == nil || !errors.Is(failed, schemas.ErrAbsent) || !strings.Contains(failed.Error(), "cannot be had") {
		t.Errorf("%v, %v", failed, err)
	}
}
