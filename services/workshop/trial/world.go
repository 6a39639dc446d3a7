package trial

import (
	"encoding/json"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/conductor/decide"
	"firebreak/services/correlator/engine"
	"firebreak/services/incident"
	"firebreak/services/playbook"
	"firebreak/services/workshop/testfile"
)

// world is one case while it runs.
type world struct {
	*Runner
	playbook  *playbook.Playbook
	test      testfile.Case
	engine    *engine.Engine
	now       time.Time
	seq       uint64                   // of the last record
	log       map[uint64]schemas.Event // what the log holds, for signals that are recalled
	said      []schemas.Event          // by the conductor, not applied yet
	sources   []string                 // of the events so far
	told      int                      // events that are none of the test's
	files     []*file
	refused   []string // what the engine would not look at, and why
	unknown   []engine.Unknown
	budget    *decide.Budget
	inventory *decide.Inventory
	attempts  map[string]int          // of mocked steps, by incident and task
	mocked    map[string]bool         // the mocks that were asked, by what they name
	before    func(e *testfile.Event) // told of each event, and with nil of what comes without one
	observed  []engine.Observation
	faults    []error // of this package or the fold: never the test's fault
}

// file is an incident with what the conductor would remember of it.
type file struct {
	inc   *incident.Incident
	asked map[incident.Key]bool
	armed bool
	event schemas.EventRef // that opened it
}

func (r *Runner) world(p *playbook.Playbook, c testfile.Case) *world {
	w := &world{
		Runner: r, playbook: p, test: c, now: testfile.Start(),
		engine: engine.New(&playbook.Set{Digest: "test", Playbooks: []*playbook.Playbook{p}}),
		log:    map[uint64]schemas.Event{}, budget: decide.NewBudget(), inventory: decide.NewInventory(), attempts: map[string]int{}, mocked: map[string]bool{},
	}
	w.engine.AssumeAlive = len(c.Silent) == 0
	for _, it := range c.Inventory.Items() {
		w.inventory.Put(it)
	}
	return w
}

// take applies one event of the log, and acts on what it decides.
func (w *world) take(e schemas.Event) {
	if e.Seq > 0 {
		w.log[e.Seq] = e
	}
	for _, d := range w.engine.Apply(e) {
		w.decided(d)
	}
	w.listen()
}

// listen applies what the conductor has said.
func (w *world) listen() {
	for len(w.said) > 0 {
		next := w.said[0]
		w.said = w.said[1:]
		for _, d := range w.engine.Apply(next) {
			w.decided(d)
		}
	}
}

func (w *world) decided(d engine.Decision) {
	d, err := engine.Fill(d, w.recall)
	if err != nil {
		w.fault(err)
		return
	}
	switch d := d.(type) {
	case engine.Opened:
		f := &file{inc: incident.New(d.Incident), asked: map[incident.Key]bool{}, event: d.Opened.Trigger}
		w.files = append(w.files, f)
		w.store(f, schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, 0, d.Opened)
		w.advance(f)
	case engine.Recurred:
		for _, f := range w.files {
			if f.inc.ID == d.Incident {
				w.store(f, schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, d.N, d.Recurred)
				w.advance(f)
			}
		}
	case engine.Unknown:
		w.unknown = append(w.unknown, d)
	case engine.Refused:
		w.refused = append(w.refused, fmt.Sprintf("the event %s was not looked at: %s", d.ID, d.Reason))
	}
}

func (w *world) recall(seq uint64) (schemas.Event, error) {
	e, held := w.log[seq]
	if !held {
		return e, fmt.Errorf("the test has no event %d", seq)
	}
	return e, nil
}

// store folds a record in, and lets the place answer that it speaks to.
func (w *world) store(f *file, task, place string, kind schemas.Kind, n int, data any) {
	r, err := schemas.NewRecord(f.inc.ID, task, place, kind, n, w.now, data)
	if err != nil {
		w.fault(err)
		return
	}
	w.seq++
	r.Seq, r.Stored = w.seq, w.now
	if err := f.inc.Apply(r); err != nil {
		w.fault(err)
		return
	}
	switch kind {
	case schemas.KindRequested:
		w.requested(f, task)
	case schemas.KindRelease:
		w.letGo(f, task, place)
	}
}

func (w *world) fault(err error) { w.faults = append(w.faults, err) }

// requested spends the budget and lets the place answer.
func (w *world) requested(f *file, id string) {
	t, known := f.inc.Task(id)
	if !known {
		w.fault(fmt.Errorf("task %s was requested and is not there", id))
		return
	}
	o := f.inc.Opened()
	if t.Requested.Mode != incident.ModeObserve && t.Target.Kind != incident.KindIncident {
		w.budget.Note(o.Playbook.Name, t.Target.ID, o.Guard.Limit, w.now)
	}
	w.answer(f, t)
}

func (w *world) situation(f *file) decide.Situation {
	s := decide.Situation{Incident: f.inc, Budget: w.budget, Inventory: w.inventory, Now: w.now}
	if w.test.Hold {
		s.Hold = schemas.Hold{On: true, By: "the test", Why: "hold: true", Since: testfile.Start()}
	}
	return s
}

// advance does all that is to be done for an incident now, as the conductor does.
func (w *world) advance(f *file) {
	for more := true; more; {
		more = w.move(f)
	}
}

func (w *world) move(f *file) (more bool) {
	if len(w.faults) > 0 {
		return false
	}
	next := f.inc.Next(func(k incident.Key) bool { return f.asked[k] })
	for _, ask := range next.Asks {
		for _, t := range w.decider.Step(w.situation(f), ask) {
			w.store(f, t.ID, t.Place, t.Kind, 0, t.Data())
		}
		f.asked[incident.Key{Round: ask.Round, Step: ask.Step.ID}] = true
		more = true
	}
	for _, t := range next.Retries {
		more = w.retry(f, t) || more
	}
	if !more && next.Complete {
		w.finish(f)
	}
	return more
}

func (w *world) retry(f *file, t *incident.Task) bool {
	if w.now.Before(w.retryAt(f, t)) {
		return false
	}
	task, ok := w.decider.Retry(w.situation(f), t)
	if ok {
		w.store(f, task.ID, task.Place, task.Kind, task.Requested.Attempt-1, task.Data())
	}
	return ok
}

// finish arms the group where another incident may be needed, and closes the
// incident when it holds nothing.
func (w *world) finish(f *file) {
	may := f.inc.MayClose()
	if !f.armed && rearmed(f.inc, may) {
		f.armed = true
		o := f.inc.Opened()
		if o.Once > 0 {
			w.say(schemas.GroupArmed, schemas.GroupEvent{Playbook: o.Playbook.Name, Group: o.Group, Incident: f.inc.ID})
		}
	}
	if may {
		w.store(f, schemas.TaskIncident, schemas.PlaceCore, schemas.KindClosed, f.inc.ClosedCount(), schemas.Closed{Outcome: f.inc.Verdict()})
	}
}

// rearmed is the conductor's rule of when a group may open another incident
// before its `once` is over: nothing stands between the target and the next strike.
func rearmed(inc *incident.Incident, may bool) bool {
	return inc.Failed() || may && (inc.Verdict() == incident.OutcomeGone || inc.LetGo() ||
		inc.Deferred(decide.CauseHold, decide.CauseBudget))
}

// say publishes an event of the conductor.
func (w *world) say(typ string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		w.fault(err)
		return
	}
	w.said = append(w.said, schemas.Event{
		ID: fmt.Sprintf("said-%d", w.seq), Source: "/test/core", Type: typ, Time: w.now, Stored: w.now, Data: raw,
	})
}

// mostObserved bounds what is kept for the explanation of a failure.
const mostObserved = 10_000

// observe keeps what the engine tells of windows.
func (w *world) observe(o engine.Observation) {
	if o.What != engine.Matched && o.What != engine.Unmatched && len(w.observed) < mostObserved {
		w.observed = append(w.observed, o)
	}
}
