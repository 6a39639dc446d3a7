package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"firebreak/schemas"
)

func testCore(t *testing.T) (*Server, *Client) {
	t.Helper()
	s, err := Start(t.Context(), ServerConfig{DataDir: t.TempDir(), Space: Space{Low: 1, Critical: 1, Ballast: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := s.Connect(t.Context(), Core)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func publish(t *testing.T, c *Client, n int) {
	t.Helper()
	for i := range n {
		e, err := schemas.NewEvent(schemas.Heartbeat, "/s", fmt.Sprint(t.Name(), i), "", wireTime, schemas.SourceEvent{Source: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// What is not heard, without any sign of it, is found by asking.
func TestFollowerAsksForWhatItDidNotHear(t *testing.T) {
	_, c := testCore(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	enough := errors.New("enough")
	r := reader{stream: eventsStream, space: eventsSpace + ">", live: liveEvents + "nothing.is.here", whole: true, handle: func(m message) error {
		if m.seq == 3 {
			return enough
		}
		return nil
	}}
	err := c.follow(ctx, r, 0, func() error { publish(t, c, 3); return nil })
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

// A log that lost its end goes on from there, and says what is gone.
func TestFollowerRewinds(t *testing.T) {
	_, c := testCore(t)
	publish(t, c, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	enough := errors.New("enough")
	var got []schemas.Event
	err := c.FollowEvents(ctx, 11, func(e schemas.Event) error {
		if got = append(got, e); len(got) == 2 {
			return enough
		}
		return nil
	}, func() error {
		e, err := schemas.NewEvent(schemas.Heartbeat, "/s", "after", "", wireTime, schemas.SourceEvent{Source: "x"})
		if err != nil {
			return err
		}
		_, err = c.Publish(ctx, e)
		return err
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if got[0].Type != schemas.LogGap || got[0].Seq != 3 || string(got[0].Data) != `{"reader":"core","from":4,"to":10}` {
		t.Errorf("first %+v %s", got[0], got[0].Data)
	}
	if got[1].ID != "after" || got[1].Seq != 4 {
		t.Errorf("then %+v", got[1])
	}
}

// Who asks for what lies far behind the end of an empty log hears of all that
// comes: the log may have begun anew, and gives its first sequences then.
func TestFollowerOfAnEmptyLogThatBeganAnew(t *testing.T) {
	_, c := testCore(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	enough := errors.New("enough")
	var got []string
	err := c.FollowEvents(ctx, 11, func(e schemas.Event) error {
		got = append(got, fmt.Sprintf("%d%v", e.Seq, e.Type == schemas.LogGap))
		if e.Seq == 3 && e.Type != schemas.LogGap {
			return enough
		}
		return nil
	}, func() error { publish(t, c, 3); return nil })
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if len(got) != 4 || got[1] != "1false" || got[2] != "2false" || got[3] != "3false" || !strings.HasSuffix(got[0], "true") {
		t.Errorf("got %v; want a gap and then the three events", got)
	}
}

// A message that is no event is told in its place, for it is in the log.
func TestFollowerTellsWhatIsNoEvent(t *testing.T) {
	_, c := testCore(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m := &nats.Msg{Subject: schemas.EventSubject(c.cluster, "core", schemas.Heartbeat), Data: []byte("no event")}
	if _, err := c.store(ctx, eventsStream, m); err != nil {
		t.Fatal(err)
	}
	publish(t, c, 1)
	if _, err := c.Event(ctx, 1); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("it is given as an event: %v", err)
	}
	enough := errors.New("enough")
	var got []schemas.Event
	err := c.FollowEvents(ctx, 0, func(e schemas.Event) error {
		if got = append(got, e); len(got) == 2 {
			return enough
		}
		return nil
	}, nil)
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	var say schemas.RefusedEvent
	if err := json.Unmarshal(got[0].Data, &say); err != nil {
		t.Fatal(err)
	}
	if got[0].Type != schemas.EventsRefused || got[0].Writer != "" || got[0].Seq != 1 || say.Source != "core" || say.Size != 8 || say.Seq != 1 || say.Reason == "" {
		t.Errorf("got %+v %+v", got[0], say)
	}
}

func TestFollowerThatMissedTooMuch(t *testing.T) {
	f := &follower{r: reader{stream: inventoryStream, forget: tombstoneTTL}, read: time.Now().Add(-2 * tombstoneTTL)}
	if err := f.readUp(t.Context()); !errors.Is(err, ErrStale) {
		t.Errorf("got %v; want ErrStale", err)
	}
}

// A layout of a newer program is not touched, and readers of nodes that left go.
func TestMigrateKeepsOff(t *testing.T) {
	s, _ := testCore(t)
	ctx := t.Context()
	roster, err := EnsureKeys(s.cfg.DataDir, "gone")
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(ctx, s.admin.nc, roster, Limits{}, s.cfg.Log); err != nil {
		t.Fatal(err)
	}
	if err := migrate(ctx, s.admin.nc, s.roster, Limits{}, s.cfg.Log); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(s.admin.nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Consumer(ctx, ledgerStream, Responder("gone").token()); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("the reader of a node that left: %v", err)
	}
	st, err := js.Stream(ctx, stateStream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := st.CachedInfo().Config
	cfg.Metadata[layoutKey] = "99"
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	if err := migrate(ctx, s.admin.nc, s.roster, Limits{}, s.cfg.Log); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v; want ErrNewer", err)
	}
}

func TestCovers(t *testing.T) {
	cases := []struct {
		pattern, subject string
		want             bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.b.c", false},
		{"a.b", "a", false},
		{"a.*", "a.b", true},
		{"a.*", "a.*", true},
		{"a.*", "a.>", false},
		{"a.b", "a.*", false},
		{"a.>", "a", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a.>", true},
		{"a.*.c.>", "a.b.c.d", true},
		{"a.*.c.>", "a.>", false},
		{"a.*.c.>", "a.b.x.d", false},
	}
	for _, c := range cases {
		if got := covers(c.pattern, c.subject); got != c.want {
			t.Errorf("covers(%q, %q) = %v", c.pattern, c.subject, got)
		}
	}
}

func TestServes(t *testing.T) {
	for version, want := range map[string]bool{"2.13.9": false, "1.99.0": false, "2.14.0-RC.1": true, "2.15.3": true, "3.0.0": true, "": false} {
		if err := serves(version); (err == nil) != want {
			t.Errorf("serves(%q) = %v", version, err)
		}
	}
}
