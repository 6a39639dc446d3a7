package fromincident_test

import (
	"fmt"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/correlator/engine"
	"firebreak/services/incident"
	"firebreak/services/playbook"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/fromincident"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

func specs() []schemas.Spec {
	return []schemas.Spec{
		{Name: "container.pause", TargetKind: "container", Place: "node", Undo: "lets it run on", Verify: "the cgroup is frozen"},
		{Name: "notify.log", TargetKind: "incident", Place: "core", Params: []byte(`{"type":"object"}`)},
	}
}

func load(t *testing.T, text string) *playbook.Playbook {
	t.Helper()
	set, findings := playbook.Load([]playbook.Source{{Name: "p.yaml", Data: []byte(text)}}, specs())
	if set == nil {
		t.Fatal(findings)
	}
	return set.Playbooks[0]
}

// answer says what a place records after `requested`; with the data of each.
type answer func(t *incident.Task) []any

func well(t *incident.Task) []any {
	plan := schemas.Plan{Action: t.Action, Target: t.Target}
	if t.Requested.Mode == incident.ModeObserve {
		return []any{schemas.KindObserved, plan}
	}
	out := []any{schemas.KindPlanned, plan, schemas.KindApplied, schemas.Effect{Plan: plan}}
	if !t.Requested.NoVerify {
		out = append(out, schemas.KindEnforced, schemas.Verdict{Layers: []schemas.Layer{{Name: "a", State: schemas.Contained}}})
	}
	return out
}

// live lets an incident come about as it does when the pipeline runs.
type live struct {
	t    *testing.T
	inc  *incident.Incident
	seq  uint64
	now  time.Time
	hold bool
	does answer
}

func (l *live) store(task, place string, kind schemas.Kind, n int, data any) {
	r, err := schemas.NewRecord(l.inc.ID, task, place, kind, n, l.now, data)
	if err != nil {
		l.t.Fatal(err)
	}
	l.seq++
	r.Seq, r.Stored = l.seq, l.now
	if err := l.inc.Apply(r); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) run(p *playbook.Playbook, log []schemas.Event) *incident.Incident {
	l.t.Helper()
	e := engine.New(&playbook.Set{Playbooks: []*playbook.Playbook{p}})
	e.AssumeAlive = true
	recall := func(seq uint64) (schemas.Event, error) { return log[seq-1], nil }
	asked := map[incident.Key]bool{}
	for _, ev := range log {
		l.now = ev.Stored
		for _, d := range e.Apply(ev) {
			d, err := engine.Fill(d, recall)
			if err != nil {
				l.t.Fatal(err)
			}
			switch d := d.(type) {
			case engine.Opened:
				if l.inc != nil {
					l.t.Fatal("a second incident")
				}
				l.inc = incident.New(d.Incident)
				l.store(schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, d.Opened)
			case engine.Recurred:
				l.store(schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, d.N, d.Recurred)
			}
			l.advance(asked)
		}
	}
	if l.inc == nil {
		l.t.Fatal("no incident was opened")
	}
	return l.inc
}

func (l *live) advance(asked map[incident.Key]bool) {
	decider := decide.New(specs(), decide.Protected{})
	for {
		next := l.inc.Next(func(k incident.Key) bool { return asked[k] })
		s := decide.Situation{Incident: l.inc, Hold: schemas.Hold{On: l.hold}, Budget: decide.NewBudget(), Now: l.now}
		for _, ask := range next.Asks {
			for _, task := range decider.Step(s, ask) {
				l.store(task.ID, task.Place, task.Kind, 0, task.Data())
				l.answer(task.ID)
			}
			asked[incident.Key{Round: ask.Round, Step: ask.Step.ID}] = true
		}
		for _, failed := range next.Retries {
			if task, ok := decider.Retry(s, failed); ok {
				l.store(task.ID, task.Place, task.Kind, task.Requested.Attempt-1, task.Data())
				l.answer(task.ID)
			}
		}
		if len(next.Asks)+len(next.Retries) == 0 {
			return
		}
	}
}

func (l *live) answer(id string) {
	t, _ := l.inc.Task(id)
	if t.Place == "" {
		return
	}
	said := l.does(t)
	for n := 0; n < len(said); n += 2 {
		kind, _ := said[n].(schemas.Kind)
		place := t.Place
		if o, is := said[n+1].(schemas.Outcome); is && o.Cause == decide.CauseTimeout {
			place = schemas.PlaceCore
		}
		l.store(id, place, kind, t.Requested.Attempt-1, said[n+1])
	}
}

// passes writes the test, reads it and runs it.
func passes(t *testing.T, in fromincident.Input) (string, fromincident.Made) {
	t.Helper()
	made, err := fromincident.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.Draft.Write()
	if err != nil {
		t.Fatal(err)
	}
	b := &suite.Bench{Specs: specs(), Formats: format.Names(), Decode: format.ForTests(testfile.Start()), Runner: trial.New(specs())}
	u := b.Check(suite.Pair{Source: playbook.Source{Name: "p.yaml"}, Test: &suite.Test{Name: "p.test.yaml", Data: text}}, in.Playbook)
	for _, f := range u.Findings {
		if f.Severity == playbook.SeverityError {
			t.Errorf("%s\n%s", f, text)
		}
	}
	results := b.Run(u, nil)
	if len(results) != 1 {
		t.Errorf("%d tests ran\n%s", len(results), text)
	}
	for _, r := range results {
		for _, f := range r.Failures {
			t.Errorf("line %d: %s: want %s, got %s %v\n%s", f.Line, f.Message, f.Want, f.Got, f.Why, text)
		}
	}
	return string(text), made
}

var began = time.Date(2026, time.March, 3, 9, 30, 0, 123456789, time.UTC)

// logged makes an event as the log holds it.
func logged(n int, at time.Duration, typ, data string) schemas.Event {
	return schemas.Event{
		ID: fmt.Sprintf("id-%d", n), Source: "/prod/node-7/exec", Type: typ, Subject: "s", Data: []byte(data),
		Time: began.Add(at), Stored: began.Add(at + 3*time.Millisecond), Seq: uint64(n), Writer: "node-n7",
	}
}
