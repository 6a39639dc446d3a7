package decide

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/incident"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func specs() []schemas.Spec {
	return []schemas.Spec{
		{Name: "container.pause", TargetKind: "container", Place: "node", Undo: "resumes", Verify: "the freezer"},
		{Name: "pod.quarantine", TargetKind: "pod", Place: "node", Undo: "lifts", Verify: "probes"},
		{Name: "notify.log", TargetKind: "incident", Place: "core"},
	}
}

const data = `{"host":{"name":"n1"},"k8s":{"namespace":{"name":"shop"},"pod":{"uid":"u1","name":"web-1","labels":{"app":"web"}}},
"container":{"id":"c1","name":"web","image":{"name":"docker.io/library/web"}},
"process":{"pid":7,"executable":{"name":"xmrig"}}}`

func signal(id, data string) map[string]schemas.Signal {
	ref := schemas.EventRef{Source: "/l/n1/exec", ID: id, Type: schemas.ProcessStarted, Time: epoch}
	return map[string]schemas.Signal{"start": {EventRef: ref, Data: json.RawMessage(data)}}
}

// test is a step to be decided in some situation.
type test struct {
	step    schemas.Step
	data    string                // of the event; a container in a pod when ""
	opened  func(*schemas.Opened) // changes the incident
	hold    bool
	protect Protected
	spent   []string         // targets of the playbook's budget
	records []schemas.Record // after the opening
	ask     func(*incident.Ask)
	want    string // kind place target cause, one a line
}

func record(t *testing.T, task, place string, kind schemas.Kind, data any) schemas.Record {
	t.Helper()
	r, err := schemas.NewRecord("i1", task, place, kind, 0, epoch, data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (tc test) situation(t *testing.T) Situation {
	t.Helper()
	if tc.data == "" {
		tc.data = data
	}
	sig := signal("e1", tc.data)
	o := schemas.Opened{
		Playbook: schemas.Playbook{Name: "p", Severity: "high"}, Group: "c1", Key: map[string]any{"container.id": "c1"},
		Trigger: sig["start"].EventRef, Signals: sig,
		Guard: schemas.Guard{Mode: "enforce", StaleAfter: schemas.Duration(15 * time.Minute)}, Steps: []schemas.Step{tc.step},
	}
	if tc.opened != nil {
		tc.opened(&o)
	}
	i := incident.New("i1")
	list := append([]schemas.Record{record(t, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, o)}, tc.records...)
	for n, r := range list {
		r.Seq, r.Stored = uint64(n+1), epoch
		if err := i.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	s := Situation{Incident: i, Budget: NewBudget(), Now: epoch, Lease: 3, Hold: schemas.Hold{On: tc.hold, By: "ann", Why: "looking", Since: epoch}}
	for _, id := range tc.spent {
		s.Budget.Note("p", id, nil, epoch.Add(-time.Minute))
	}
	return s
}

func (tc test) decide(t *testing.T) []Task {
	t.Helper()
	ask := incident.Ask{Step: tc.step}
	if tc.ask != nil {
		tc.ask(&ask)
	}
	return New(specs(), tc.protect).Step(tc.situation(t), ask)
}

func summary(tasks []Task) string {
	var out []string
	for _, t := range tasks {
		target, cause := "-", ""
		switch {
		case t.Requested != nil:
			target, cause = t.Requested.Target.ID, t.Requested.Mode
		case t.Outcome.Target != nil:
			target = t.Outcome.Target.ID
		}
		if t.Outcome != nil {
			cause = t.Outcome.Cause
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", t.Kind, t.Place, target, cause))
	}
	return strings.Join(out, "\n")
}

func TestStep(t *testing.T) {
	pause := schemas.Step{ID: "pause", Do: "container.pause"}
	with := func(change func(*schemas.Step)) schemas.Step { s := pause; change(&s); return s }
	when := func(text string) schemas.Step { return with(func(s *schemas.Step) { s.When = text }) }
	target := func(text string) schemas.Step { return with(func(s *schemas.Step) { s.Target = text }) }
	mode := func(m string) func(*schemas.Opened) { return func(o *schemas.Opened) { o.Guard.Mode = m } }
	except := func(text string) func(*schemas.Opened) {
		return func(o *schemas.Opened) { o.Guard.Except = text }
	}
	limit := func(o *schemas.Opened) {
		o.Guard.Limit = &schemas.Limit{Targets: 2, Per: schemas.Duration(10 * time.Minute)}
	}
	plain := `{"host":{"name":"n1"},"container":{"id":"c1","name":"nats"},"process":{"pid":7}}`
	needs := with(func(s *schemas.Step) { s.Needs = []string{"first"} })
	first := func(kind schemas.Kind) []schemas.Record {
		id := schemas.TaskID("first", "c1")
		return []schemas.Record{
			record(t, id, "node-n1", schemas.KindRequested, schemas.Requested{Step: "first", Action: "a", Target: schemas.Target{Kind: "container", ID: "c1"}, Mode: "enforce"}),
			record(t, id, "node-n1", schemas.KindPlanned, schemas.Plan{}),
			record(t, id, "node-n1", schemas.KindApplied, schemas.Effect{}),
			record(t, id, "node-n1", kind, schemas.Verdict{}),
		}
	}
	const asked = "requested node-n1 c1 enforce"
	for name, tc := range map[string]test{
		"the container of the event": {step: pause, want: asked},
		"the pod of the event":       {step: with(func(s *schemas.Step) { s.Do = "pod.quarantine" }), want: "requested node-n1 u1 enforce"},
		"the incident itself":        {step: with(func(s *schemas.Step) { s.Do = "notify.log" }), want: "requested core i1 enforce"},
		"no pod in the event":        {step: with(func(s *schemas.Step) { s.Do = "pod.quarantine" }), data: plain, want: "skipped core - target"},
		"no host in the event":       {step: pause, data: `{"container":{"id":"c1"}}`, want: "skipped core - target"},
		"an unknown action":          {step: with(func(s *schemas.Step) { s.Do = "pod.shout" }), want: "skipped core - unknown-action"},

		"observe":          {step: pause, opened: mode("observe"), want: "requested node-n1 c1 observe"},
		"no mode":          {step: pause, opened: mode(""), want: "requested node-n1 c1 observe"},
		"approve":          {step: pause, opened: mode("approve"), want: "refused core c1 approval"},
		"stale":            {step: pause, opened: func(o *schemas.Opened) { o.Stale = true }, want: "refused core c1 approval"},
		"stale, observed":  {step: pause, opened: func(o *schemas.Opened) { o.Stale, o.Guard.Mode = true, "observe" }, want: "requested node-n1 c1 observe"},
		"on hold":          {step: pause, hold: true, want: "skipped core c1 hold"},
		"on hold, observe": {step: pause, hold: true, opened: mode("observe"), want: "requested node-n1 c1 observe"},

		"excepted":              {step: pause, opened: except(`k8s.namespace.name == "shop"`), want: "refused core c1 guard"},
		"not excepted":          {step: pause, opened: except(`has(k8s.namespace.name) && k8s.namespace.name == "other"`), want: asked},
		"except cannot be told": {step: pause, data: plain, opened: except(`k8s.namespace.name == "other"`), want: "refused core c1 guard"},
		"except cannot be read": {step: pause, opened: except(`k8s.`), want: "refused core c1 guard"},
		"a protected namespace": {step: pause, protect: Protected{Namespaces: []string{"sh*"}}, want: "refused core c1 protected"},
		"a protected label":     {step: pause, protect: Protected{Labels: []Label{{Key: "app", Value: "web"}}}, want: "refused core c1 protected"},
		"a protected namespace's label behind the pod's own": {
			step: pause, protect: Protected{Labels: []Label{{Key: "app", Value: "core"}}}, want: "refused core c1 protected",
			data: strings.Replace(data, `"namespace":{"name":"shop"}`, `"namespace":{"name":"shop","labels":{"app":"core"}}`, 1),
		},
		"a protected image":        {step: pause, protect: Protected{Images: []string{"docker.io/library/*"}}, want: "refused core c1 protected"},
		"a protected container":    {step: pause, protect: Protected{Containers: []string{"c1"}}, want: "refused core c1 protected"},
		"our own namespace":        {step: pause, data: strings.Replace(data, `"shop"`, `"firebreak"`, 1), want: "refused core c1 protected"},
		"the bus beside a cluster": {step: pause, data: plain, want: "refused core c1 protected"},
		"a borrowed name":          {step: pause, data: strings.Replace(data, `"name":"web","image"`, `"name":"nats","image"`, 1), want: asked},

		"budget left":              {step: pause, opened: limit, spent: []string{"x"}, want: asked},
		"budget spent":             {step: pause, opened: limit, spent: []string{"x", "y"}, want: "refused core c1 budget"},
		"budget spent on the same": {step: pause, opened: limit, spent: []string{"x", "c1"}, want: asked},
		"budget, and a notice":     {step: with(func(s *schemas.Step) { s.Do = "notify.log" }), opened: limit, spent: []string{"x", "y"}, want: "requested core i1 enforce"},

		"when holds":             {step: when(`incident.severity == "high" && signals.start.process.pid == 7`), want: asked},
		"when does not hold":     {step: when(`incident.severity == "low"`), want: "skipped core - condition"},
		"when cannot be told":    {step: when(`signals.start.user.name == "root"`), want: "skipped core - condition"},
		"when of the target":     {step: when(`target.id == "c1"`), want: asked},
		"when of no target":      {step: when(`target.id == "c2"`), want: "skipped core - condition"},
		"when of a step's state": {step: when(`steps.first.state == "enforced"`), records: first(schemas.KindEnforced), want: asked},
		"when asks for a signal that took no part": {
			step: when(`has(signals.login.user.name) || signals.start.process.pid == 7`), want: asked,
			opened: func(o *schemas.Opened) {
				o.Types = map[string][]string{"start": {schemas.ProcessStarted}, "login": {schemas.LoginFailed}}
			},
		},
		"when, no inventory": {step: when(`inventory.pods("x").size() > 0`), want: "skipped core - condition"},
		"needs enforced":     {step: needs, records: first(schemas.KindEnforced), want: asked},
		"needs, but partial": {step: needs, records: first(schemas.KindPartial), want: "skipped core - needs"},
		"needs, but not run": {step: needs, want: "skipped core - needs"},

		"target by expression": {step: target(`signals.start.container`), want: asked},
		"target by id, twice":  {step: target(`[signals.start.container.id, signals.start.container]`), want: asked},
		"target is elsewhere":  {step: target(`"c9"`), want: "failed core - target"},
		"target is absent":     {step: target(`signals.start.user.name`), want: "failed core - target"},
		"target, no inventory": {step: target(`inventory.containers("x")`), want: "failed core - target"},
		"target gives nothing": {step: target(`[]`), want: "skipped core - target"},

		"parameters": {step: with(func(s *schemas.Step) { s.With = json.RawMessage(`{"text":"${signals.start.container.id}"}`) }), want: asked},
		"parameters that cannot be filled in": {
			step: with(func(s *schemas.Step) { s.With = json.RawMessage(`{"text":"${signals.start.user.name}"}`) }), want: "failed core c1 error",
		},

		"begun, all there":       {step: pause, records: first(schemas.KindEnforced), ask: func(a *incident.Ask) { a.Step.ID, a.Begun = "first", true }, want: ""},
		"begun, left out before": {step: when(`target.container.id != "c1"`), ask: func(a *incident.Ask) { a.Begun = true }, want: ""},
		"begun, when is past":    {step: when("false"), ask: func(a *incident.Ask) { a.Begun = true }, want: asked},
		"only what has failed":   {step: pause, ask: func(a *incident.Ask) { a.Only = []schemas.Target{{Kind: "container", ID: "c7", Place: "node-n7"}} }, want: "requested node-n7 c7 enforce"},
		"only, of another kind":  {step: pause, ask: func(a *incident.Ask) { a.Only = []schemas.Target{{Kind: "pod", ID: "u7", Place: "node-n7"}} }, want: asked},
	} {
		t.Run(name, func(t *testing.T) {
			tasks := tc.decide(t)
			if d := cmp.Diff(tc.want, summary(tasks)); d != "" {
				t.Error(d)
			}
			for _, task := range tasks {
				if task.Outcome != nil && task.Outcome.Reason == "" {
					t.Errorf("an outcome without a reason: %+v", task.Outcome)
				}
			}
		})
	}
}

func TestRequested(t *testing.T) {
	step := schemas.Step{
		ID: "pause", Do: "container.pause", For: schemas.Duration(time.Hour),
		With: json.RawMessage(`{"text":"${signals.start.container.id} of ${incident.playbook}","n":1}`),
	}
	got := test{step: step}.decide(t)
	var e schemas.Entities
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatal(err)
	}
	want := []Task{{ID: schemas.TaskID("pause", "c1"), Place: "node-n1", Kind: schemas.KindRequested, Requested: &schemas.Requested{
		Step: "pause", Action: "container.pause", Mode: "enforce", Attempt: 1, Lease: 3,
		Target: schemas.Target{Kind: "container", ID: "c1", Place: "node-n1", Name: "web", Entities: e},
		With:   json.RawMessage(`{"n":1,"text":"c1 of p"}`), For: schemas.Duration(time.Hour), OnExpire: "keep",
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNoApproverIsSaid(t *testing.T) {
	got := test{step: schemas.Step{ID: "pause", Do: "container.pause"}, opened: func(o *schemas.Opened) { o.Stale = true }}.decide(t)
	if len(got) != 1 || !strings.HasPrefix(got[0].Outcome.Reason, "no approver") {
		t.Errorf("%+v", got)
	}
}

func TestARoundBringsNewTargetsOnly(t *testing.T) {
	step := schemas.Step{ID: "pause", Do: "container.pause"}
	id := schemas.TaskID("pause", "c1")
	records := []schemas.Record{
		record(t, id, "node-n1", schemas.KindRequested, schemas.Requested{Step: "pause", Action: "container.pause", Target: schemas.Target{Kind: "container", ID: "c1"}, Mode: "enforce"}),
		record(t, schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, schemas.Recurred{
			Trigger: signal("e2", data)["start"].EventRef, Signals: signal("e2", strings.ReplaceAll(data, `"c1"`, `"c2"`)),
		}),
	}
	tc := test{step: step, records: records, ask: func(a *incident.Ask) { a.Round = 1 }}
	got := tc.decide(t)
	if d := cmp.Diff("requested node-n1 c2 enforce", summary(got)); d != "" {
		t.Fatal(d)
	}
	if got[0].Requested.Round != 1 {
		t.Errorf("round %d", got[0].Requested.Round)
	}
	tc.ask = func(a *incident.Ask) { a.Round, a.Step.ID, a.Step.Do = 0, "pause", "container.pause" }
	if got := tc.decide(t); len(got) != 0 {
		t.Errorf("asked again: %s", summary(got))
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget()
	for n := range 5 {
		b.Note("p", fmt.Sprint(n), nil, epoch.Add(time.Duration(n)*time.Minute))
	}
	used, mine := b.Used("p", "4", epoch.Add(5*time.Minute), 3*time.Minute)
	if used != 2 || !mine {
		t.Errorf("used %d, mine %v", used, mine)
	}
	if used, _ := b.Used("q", "4", epoch, time.Minute); used != 0 {
		t.Errorf("another playbook has used %d", used)
	}
	if used, _ := b.Used("p", "x", epoch.Add(100*time.Hour), time.Minute); used != 0 || len(b.spent["p"]) != 0 {
		t.Errorf("used %d, kept %d", used, len(b.spent["p"]))
	}
}

func BenchmarkStep(b *testing.B) {
	step := schemas.Step{ID: "pause", Do: "container.pause"}
	sig := signal("e1", data)
	o := schemas.Opened{
		Playbook: schemas.Playbook{Name: "p"}, Trigger: sig["start"].EventRef, Signals: sig, Steps: []schemas.Step{step},
		Guard: schemas.Guard{Mode: "enforce", Except: `has(k8s.namespace.name) && k8s.namespace.name == "kube-system"`},
	}
	r, err := schemas.NewRecord("i1", schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, epoch, o)
	if err != nil {
		b.Fatal(err)
	}
	r.Seq = 1
	i := incident.New("i1")
	if err := i.Apply(r); err != nil {
		b.Fatal(err)
	}
	d := New(specs(), Protected{})
	s := Situation{Incident: i, Budget: NewBudget(), Now: epoch}
	for b.Loop() {
		if len(d.Step(s, incident.Ask{Step: step})) != 1 {
			b.Fatal("not asked")
		}
	}
}

func TestBudgetForgets(t *testing.T) {
	b := NewBudget()
	week := &schemas.Limit{Targets: 1, Per: schemas.Duration(7 * 24 * time.Hour)}
	b.Note("without", "c1", nil, epoch)
	b.Forget(epoch.Add(time.Hour))
	if used, _ := b.Used("without", "c2", epoch.Add(time.Hour), 2*time.Hour); used != 1 {
		t.Errorf("used %d after an hour, want 1", used)
	}
	b.Forget(epoch.Add(25 * time.Hour))
	if len(b.spent) != 0 {
		t.Errorf("still there after a day: %v", b.spent)
	}
	b.Note("with", "c1", week, epoch)
	b.Forget(epoch.Add(6 * 24 * time.Hour))
	if used, mine := b.Used("with", "c1", epoch.Add(6*24*time.Hour), time.Duration(week.Per)); used != 1 || !mine {
		t.Errorf("used %d, mine %v: a limit of a week looks back a week", used, mine)
	}
}
