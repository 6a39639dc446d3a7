package responder

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"firebreak/schemas"
)

// chain gives the stored records of one task.
func chain(t *testing.T, incident string, req schemas.Requested, kinds ...schemas.Kind) []schemas.Record {
	t.Helper()
	plan := schemas.Plan{Action: req.Action, Target: req.Target, Members: []schemas.Target{{Kind: "container", ID: "sidecar"}}}
	var out []schemas.Record
	for n, k := range kinds {
		var data any = schemas.Outcome{}
		switch k {
		case schemas.KindRequested:
			data = req
		case schemas.KindPlanned:
			data = plan
		case schemas.KindApplied:
			data = schemas.Effect{Plan: plan}
		case schemas.KindReleasing:
			data = schemas.Releasing{Undo: true, Plan: plan}
		case schemas.KindReleased:
			data = schemas.Released{Undone: true}
		}
		r, err := schemas.NewRecord(incident, "stop-1", "node-n1", k, 0, time.Now(), data)
		if err != nil {
			t.Fatal(err)
		}
		r.Seq = uint64(n + 1)
		out = append(out, r)
	}
	return out
}

func idle(live bool) *executor {
	e := &executor{
		Config: Config{Place: "node-n1", Log: slog.New(slog.DiscardHandler), Conductor: func(string) bool { return true }},
		wakes:  map[*lane]time.Time{}, ready: make(chan *lane, 1), rewake: make(chan struct{}, 1), live: live,
	}
	e.book = newBook(e.Place, func(action string) bool { return action == "stop" })
	return e
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	const (
		Q, P, A, E = schemas.KindRequested, schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced
		F, L, U, D = schemas.KindFailed, schemas.KindRelease, schemas.KindReleasing, schemas.KindReleased
	)
	hold := schemas.Requested{Action: "stop", Target: schemas.Target{Kind: "container", ID: "c1"}, Mode: "enforce"}
	tell := hold
	tell.Action, tell.NoUndo, tell.NoVerify = "tell", true, true
	for name, tc := range map[string]struct {
		req   schemas.Requested
		kinds []schemas.Kind
		kept  int
	}{
		"released":                  {hold, []schemas.Kind{Q, P, A, E, L, U, D}, 0},
		"released, and asked again": {hold, []schemas.Kind{Q, P, A, E, L, U, D, L}, 0},
		"refused":                   {hold, []schemas.Kind{Q, schemas.KindRefused}, 0},
		"gone":                      {hold, []schemas.Kind{Q, P, A, E, schemas.KindGone}, 0},
		"observed":                  {hold, []schemas.Kind{Q, schemas.KindObserved}, 0},
		"told":                      {tell, []schemas.Kind{Q, P, A}, 0},
		"failed for good":           {hold, []schemas.Kind{Q, F}, 0},
		"failed after its plan":     {hold, []schemas.Kind{Q, P, F}, 1},
		"held":                      {hold, []schemas.Kind{Q, P, A, E}, 1},
		"being released":            {hold, []schemas.Kind{Q, P, A, E, L, U}, 1},
		"asked":                     {hold, []schemas.Kind{Q}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := idle(false)
			for _, r := range chain(t, "i1", tc.req, tc.kinds...) {
				if err := e.handle(r); err != nil {
					t.Fatal(err)
				}
			}
			if len(e.book.tasks) != tc.kept || len(e.book.lanes) != tc.kept {
				t.Errorf("%d tasks and %d lanes are kept, want %d", len(e.book.tasks), len(e.book.lanes), tc.kept)
			}
			if tc.kept == 0 && len(e.book.alias) > 0 {
				t.Errorf("aliases are left: %v", e.book.alias)
			}
		})
	}
}

func TestWhatMayBeAskedAgainIsKept(t *testing.T) {
	e := idle(false)
	records := chain(t, "i1", schemas.Requested{Action: "stop", Target: schemas.Target{Kind: "container", ID: "c1"}}, schemas.KindRequested, schemas.KindFailed)
	records[1].Data = json.RawMessage(`{"reason":"busy","transient":true}`)
	for _, r := range records {
		if err := e.handle(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(e.book.tasks) != 1 {
		t.Error("a second attempt would not know of the first")
	}
}

// What the executor has stored itself comes once more by the stream.
func TestForgottenOnlyOnceTheStreamHasBroughtTheEnd(t *testing.T) {
	e := idle(true)
	records := chain(t, "i1", schemas.Requested{Action: "stop", Target: schemas.Target{Kind: "container", ID: "c1"}}, schemas.KindRequested, schemas.KindRefused)
	if err := e.handle(records[0]); err != nil {
		t.Fatal(err)
	}
	l := <-e.ready
	l.queued, l.running = false, true
	e.take(records[1])
	l.running = false
	e.enqueue(l)
	if len(e.book.tasks) != 1 {
		t.Fatal("forgotten before the stream has brought its end")
	}
	if err := e.handle(records[1]); err != nil {
		t.Fatal(err)
	}
	if len(e.book.tasks) != 0 || len(e.book.lanes) != 0 {
		t.Errorf("%d tasks and %d lanes are kept", len(e.book.tasks), len(e.book.lanes))
	}
}
