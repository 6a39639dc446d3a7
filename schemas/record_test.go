package schemas_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRecordSubjectRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := schemas.Record{
			Incident: anyText().Draw(t, "incident"), Task: anyText().Draw(t, "task"), Place: anyText().Draw(t, "place"),
			Kind: rapid.SampledFrom([]schemas.Kind{schemas.KindOpened, schemas.KindReleaseAsked, schemas.KindPlanned}).Draw(t, "kind"),
		}
		got, err := schemas.ParseRecordSubject(want.Subject())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("record (-want +got):\n%s", diff)
		}
		filter := strings.TrimSuffix(schemas.PlaceSubject(want.Incident, want.Task, want.Place), ">")
		if !strings.HasPrefix(want.Subject(), filter) || want.Subject() != filter+string(want.Kind) {
			t.Fatalf("subject %q does not lie under %q", want.Subject(), filter)
		}
	})
	for _, subject := range []string{"", "firebreak.ledger.a.b.c", "firebreak.events.a.b.c.d", "firebreak.ledger.a.=zz.c.d", "firebreak.ledger.a.b.c.d.e"} {
		if _, err := schemas.ParseRecordSubject(subject); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("ParseRecordSubject(%q): %v, want an error of the class ErrInvalid", subject, err)
		}
	}
}

func FuzzParseRecordSubject(f *testing.F) {
	f.Add("firebreak.ledger.abc.container=2Epause-0011.node-n1.planned")
	f.Fuzz(func(t *testing.T, subject string) {
		r, err := schemas.ParseRecordSubject(subject)
		if err != nil {
			return
		}
		if again, err := schemas.ParseRecordSubject(r.Subject()); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%q gives %+v, and that %+v: %v", subject, r, again, err)
		}
	})
}

// recordData lists one kind for each type of data.
var recordData = map[schemas.Kind]any{
	schemas.KindOpened: schemas.Opened{}, schemas.KindRecurred: schemas.Recurred{}, schemas.KindClosed: schemas.Closed{},
	schemas.KindRequested: schemas.Requested{}, schemas.KindSkipped: schemas.Outcome{}, schemas.KindRelease: schemas.Release{},
	schemas.KindReleasing: schemas.Releasing{}, schemas.KindReleased: schemas.Released{},
	schemas.KindReleaseAsked: schemas.ReleaseAsked{}, schemas.KindHeld: schemas.HoldChange{},
}

func TestRecordsValidate(t *testing.T) {
	t.Parallel()
	retry := []schemas.Step{{ID: "a", Do: "b", OnFailure: []schemas.Step{{ID: "c", Do: "d"}}}}
	signal := schemas.Signal{EventRef: schemas.EventRef{Source: "/a", ID: "b", Type: "c", Time: at}, Data: json.RawMessage(`{"x":1}`)}
	for _, tt := range []struct {
		kind schemas.Kind
		data any
	}{
		{schemas.KindOpened, schemas.Opened{Trigger: signal.EventRef, Signals: map[string]schemas.Signal{"start": signal}, Key: map[string]any{"container.id": "c"}, Guard: schemas.Guard{Mode: "enforce", Limit: &schemas.Limit{Targets: 1, Per: schemas.Duration(time.Minute)}}, Steps: retry, Once: schemas.Duration(time.Hour)}},
		{schemas.KindRecurred, schemas.Recurred{Trigger: signal.EventRef, Signals: map[string]schemas.Signal{}}},
		{schemas.KindRequested, schemas.Requested{Step: "a", Action: "b", Target: schemas.Target{Kind: "container", ID: "c", Place: "core"}, With: json.RawMessage(`{}`), Mode: "observe"}},
		{schemas.KindPlanned, schemas.Plan{Version: 1, Action: "b", Target: schemas.Target{Kind: "pod", ID: "p", Place: "node-n", Entities: schemas.Entities{Host: &schemas.Host{Name: "n"}}}, PlannedAt: at}},
		{schemas.KindApplied, schemas.Effect{Version: 1, HaltedAt: &at, Data: json.RawMessage(`[1]`)}},
		{schemas.KindEnforced, schemas.Verdict{Layers: []schemas.Layer{{Name: "kernel", State: schemas.Contained}}, Again: schemas.Duration(time.Second)}},
		{schemas.KindFailed, schemas.Outcome{Reason: "why"}},
		{schemas.KindResumed, schemas.HoldChange{By: "me"}},
	} {
		r, err := schemas.NewRecord("i", "t", schemas.PlaceCore, tt.kind, 0, at, tt.data)
		if err != nil {
			t.Fatal(err)
		}
		schemastest.ValidRecord(t, r)
		into := reflect.New(reflect.TypeOf(tt.data))
		if err := r.Decode(into.Interface()); err != nil {
			t.Errorf("%s: %v", tt.kind, err)
		}
		if diff := cmp.Diff(tt.data, into.Elem().Interface()); diff != "" {
			t.Errorf("%s: data (-want +got):\n%s", tt.kind, diff)
		}
	}
}

func TestRecordIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for kind, data := range recordData {
		for n := range 3 {
			r, err := schemas.NewRecord("i", "t", "p", kind, n, at, data)
			if err != nil {
				t.Fatal(err)
			}
			again, err := schemas.NewRecord("i", "t", "p", kind, n, at.Add(time.Hour), data)
			if err != nil {
				t.Fatal(err)
			}
			if r.ID != again.ID || seen[r.ID] {
				t.Errorf("%s %d: id %q, at another time %q; used before: %v", kind, n, r.ID, again.ID, seen[r.ID])
			}
			seen[r.ID] = true
		}
	}
}

func TestSignedCoversTheRecord(t *testing.T) {
	t.Parallel()
	base := schemas.Record{Incident: "i", Task: "t", Place: "p", Kind: schemas.KindPlanned, ID: "id", Time: at, Prev: "x", Data: json.RawMessage(`{}`)}
	changes := map[string]func(*schemas.Record){
		"incident": func(r *schemas.Record) { r.Incident = "j" },
		"task":     func(r *schemas.Record) { r.Task = "u" },
		"place":    func(r *schemas.Record) { r.Place = "q" },
		"kind":     func(r *schemas.Record) { r.Kind = schemas.KindApplied },
		"id":       func(r *schemas.Record) { r.ID = "ie" },
		"time":     func(r *schemas.Record) { r.Time = at.Add(1) },
		"prev":     func(r *schemas.Record) { r.Prev = "y" },
		"data":     func(r *schemas.Record) { r.Data = json.RawMessage(`{"a":1}`) },
	}
	for name, change := range changes {
		r := base
		change(&r)
		if string(r.Signed()) == string(base.Signed()) {
			t.Errorf("another %s is signed the same", name)
		}
	}
	other := base
	other.Seq, other.Writer, other.Time = 7, "w", at.In(time.FixedZone("somewhere", 7200))
	if string(other.Signed()) != string(base.Signed()) {
		t.Error("the same record read from the log is signed differently")
	}
	if base.Head() == (schemas.Record{Data: json.RawMessage(`{"a":1}`)}).Head() {
		t.Error("records of other data have one hash")
	}
}

func TestVerdictKind(t *testing.T) {
	t.Parallel()
	layers := func(states ...string) (v schemas.Verdict) {
		for _, s := range states {
			v.Layers = append(v.Layers, schemas.Layer{State: s})
		}
		return v
	}
	for _, tt := range []struct {
		verdict schemas.Verdict
		want    schemas.Kind
	}{
		{layers(), schemas.KindUnverified},
		{layers(schemas.Contained, schemas.Contained), schemas.KindEnforced},
		{layers(schemas.Contained, schemas.Unverified), schemas.KindUnverified},
		{layers(schemas.Unverified, schemas.Partial), schemas.KindPartial},
		{layers(schemas.Ineffective, schemas.Partial, schemas.Contained), schemas.KindIneffective},
		{layers("fine"), schemas.KindUnverified},
	} {
		if got := tt.verdict.Kind(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.verdict.Layers, got, tt.want)
		}
	}
}
