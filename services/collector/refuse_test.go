package collector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/services/collector"
)

// strict is a bus that looks at what it is given, as the real one does.
func strict(e schemas.Event) error { return intake.Event(e) }

// What is no event is never silently left out: it is a loss of its source, and
// a record that says why. Events of the same reason make one record together.
func TestWhatIsNoEventIsToldWithItsReason(t *testing.T) {
	for _, outage := range []bool{false, true} {
		t.Run(fmt.Sprint("outage ", outage), func(t *testing.T) {
			b := &bus{fail: strict}
			if outage {
				b.fail = away
			}
			done := make(chan struct{})
			c := config(t, b, source{"one", func(ctx context.Context, emit collector.Emit) error {
				for i := range 5 {
					e := event("one", i)
					e.Data = json.RawMessage(fmt.Sprintf(`{"n":%d,"a":1,"a":2}`, i*i*i*i))
					if err := emit(ctx, e); err != nil {
						return err
					}
				}
				e := event("one", 5)
				e.ID = strings.Repeat("x", 2000)
				err := errors.Join(emit(ctx, e), emit(ctx, event("one", 6)))
				close(done)
				<-ctx.Done()
				return errors.Join(err, ctx.Err())
			}})
			stop := start(t, c)
			<-done
			b.set(false, strict)
			eventually(t, "the good event stored", func() bool { return len(b.of(kind)) == 1 })
			stop()
			counts := map[string]uint64{}
			for _, e := range b.of(schemas.EventsRefused) {
				if err := intake.Event(e); err != nil {
					t.Error(err)
				}
				r := data[schemas.RefusedEvent](t, e)
				if r.Source != "/c/n/one" || r.Type != kind || !strings.HasPrefix(r.Digest, "sha256:") || r.Size == 0 {
					t.Errorf("refused: %+v", r)
				}
				_, why, _ := strings.Cut(r.Reason, "invalid: ")
				counts[why] += r.Count
			}
			want := map[string]uint64{"the key stands in its object twice": 5, "2000 bytes, at most 1024 are taken": 1}
			if d := cmp.Diff(want, counts); d != "" {
				t.Error(d)
			}
			if n := len(b.of(schemas.EventsRefused)); n != 2 {
				t.Errorf("%d records, want one for each reason", n)
			}
			lost := uint64(0)
			for _, e := range b.of(schemas.EventsLost) {
				lost += data[schemas.LossEvent](t, e).Count
			}
			if lost != 6 {
				t.Errorf("%d losses told, want 6", lost)
			}
		})
	}
}

// typed is a source that says what it gives.
type typed struct{ source }

func (typed) Types() []string { return []string{kind} }

// A heartbeat lists what the source gives, comes from the same CloudEvents
// source as its events, and is not sent while an event is on its way: all up
// to its time is told.
func TestAHeartbeatMeansThatAllIsTold(t *testing.T) {
	b := &hanging{}
	release, emitted := make(chan struct{}), make(chan time.Time, 1)
	s := typed{source{"one", func(ctx context.Context, emit collector.Emit) error {
		<-release
		if err := emit(ctx, event("one", 1)); err != nil {
			return err
		}
		emitted <- time.Now()
		<-ctx.Done()
		return ctx.Err()
	}}}
	c := config(t, &b.bus, s)
	c.Bus, c.Heartbeat, c.Publish = b, 2*time.Millisecond, 200*time.Millisecond
	start(t, c)
	beats := func() []schemas.Event { return b.of(schemas.Heartbeat) }
	eventually(t, "a heartbeat", func() bool { return len(beats()) > 0 })
	first := beats()[0]
	if d := cmp.Diff([]string{kind}, data[schemas.SourceEvent](t, first).Types); d != "" || first.Source != event("one", 1).Source {
		t.Errorf("heartbeat of %s: %s", first.Source, d)
	}
	close(release)
	spooled := <-emitted
	eventually(t, "the event delivered", func() bool { return len(b.of(kind)) == 1 })
	n := len(beats())
	eventually(t, "heartbeats again", func() bool { return len(beats()) > n })
	entered := time.Unix(0, b.entered.Load())
	for _, h := range beats() {
		if h.Time.After(entered) && h.Time.Before(spooled) {
			t.Errorf("a heartbeat of %s, while the event was on its way from %s to %s", h.Time, entered, spooled)
		}
	}
}

// hanging is a bus that does not answer to the first event.
type hanging struct {
	bus
	entered atomic.Int64
}

func (h *hanging) Publish(ctx context.Context, e schemas.Event) (uint64, error) {
	if e.Type == kind && h.entered.CompareAndSwap(0, time.Now().UnixNano()) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return h.bus.Publish(ctx, e)
}
