package responder

import (
	"fmt"
	"slices"
	"time"

	"firebreak/schemas"
)

// stage is how far a task has come, by its records.
type stage int

const (
	stageNone      stage = iota
	stageRequested       // asked; nothing done about it yet
	stagePlanned         // claimed: Apply may have run
	stageApplied
	stageDone     // verified, or ended without
	stageReleased // holds nothing any more
)

// task is what the ledger says of one task at this place. What its pointers
// point to is never changed, so that a shallow copy is a snapshot.
type task struct {
	incident, id string
	lane         *lane
	head         schemas.Head
	streamed     uint64   // last sequence that came by the stream
	early        []uint64 // sequences taken in before the stream brought them
	counts       map[schemas.Kind]int

	stage     stage
	req       *schemas.Requested
	plan      *schemas.Plan // as long as it may have touched something
	effect    *schemas.Effect
	held      bool // a release is owed, by the rule that the fold of incidents has
	release   *schemas.Release
	releasing *schemas.Releasing

	fresh   bool             // the plan was stored by this run, and Apply has not been called yet
	verdict *schemas.Verdict // what a verification saw last
	recheck bool             // Keep has put something back since

	undoTold bool      // the ledger knows that the undo failed
	retry    bool      // it failed for now: the conductor may ask again
	look     *look     // a verification taken ahead
	looks    int       // verifications that asked for another
	tries    int       // failed attempts of the step at hand
	wait     time.Time // not before
}

func (t *task) holder() string { return t.incident + "/" + t.id }

func (t *task) action() string {
	if t.req == nil {
		return ""
	}
	return t.req.Action
}

// lane is the tasks of targets that belong together; they are worked on one
// after the other.
type lane struct {
	key     string
	tasks   []*task
	aliases []name // targets that the book's alias leads here
	keep    bool   // a look at what is held is due
	queued  bool
	running bool
	late    bool // was to be queued when the queue was full
}

// book folds the records of one place. It does nothing by itself.
type book struct {
	place string
	holds *holds
	// holding says whether an action's effect is a hold; true for one that
	// this build does not know, so that nothing is forgotten.
	holding func(action string) bool

	tasks map[string]*task
	lanes map[string]*lane
	alias map[string][]alias // by id, learnt from requests and plans
}

func newBook(place string, holding func(string) bool) *book {
	return &book{
		place: place, holds: newHolds(), holding: holding,
		tasks: map[string]*task{}, lanes: map[string]*lane{}, alias: map[string][]alias{},
	}
}

// fold takes a record in and gives its task; nil when it concerns nothing here.
// stream is false for records that were appended or read aside, which the
// stream will bring once more.
func (b *book) fold(r schemas.Record, stream bool) (*task, error) {
	if r.Place != b.place || r.Task == schemas.TaskIncident {
		return nil, nil
	}
	t := b.tasks[r.Incident+"/"+r.Task]
	if t == nil {
		t = &task{incident: r.Incident, id: r.Task, counts: map[schemas.Kind]int{}}
		b.tasks[t.holder()] = t
	}
	if t.known(r.Seq, stream) {
		return t, nil
	}
	if r.Seq > t.head.Seq {
		t.head = r.Head()
	}
	t.counts[r.Kind]++
	if err := b.take(t, r); err != nil {
		return t, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return t, nil
}

func (t *task) known(seq uint64, stream bool) bool {
	if i := slices.Index(t.early, seq); i >= 0 {
		if stream {
			t.early = slices.Delete(t.early, i, i+1)
			t.streamed = seq
		}
		return true
	}
	if seq <= t.streamed {
		return true
	}
	if stream {
		t.streamed = seq
	} else {
		t.early = append(t.early, seq)
	}
	return false
}

func (b *book) take(t *task, r schemas.Record) error {
	switch r.Kind {
	case schemas.KindRequested:
		return b.requested(t, r)
	case schemas.KindPlanned:
		return b.planned(t, r)
	case schemas.KindApplied, schemas.KindKept:
		return b.applied(t, r)
	case schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified:
		v := new(schemas.Verdict)
		t.verdict, t.recheck = v, false
		t.to(stageDone)
		return r.Decode(v)
	case schemas.KindFailed:
		if t.releasing != nil {
			t.undoTold = true
			return nil // the undo failed; it is still to be done
		}
		b.holds.weaken(t.holder())
		t.end()
		var o schemas.Outcome
		err := r.Decode(&o)
		t.retry = err != nil || o.Transient
		return err
	case schemas.KindRefused, schemas.KindObserved, schemas.KindGone:
		// Nothing was touched, or it was put back before this was stored.
		b.holds.leave(t.holder(), false)
		t.plan, t.effect, t.held = nil, nil, false
		t.end()
	case schemas.KindRelease:
		if t.release != nil || !t.held && !t.pending() {
			return nil // it crossed the task's end on its way
		}
		t.release = new(schemas.Release)
		return r.Decode(t.release)
	case schemas.KindReleasing:
		t.releasing = new(schemas.Releasing)
		b.holds.releasing(t.holder())
		t.settle()
		return r.Decode(t.releasing)
	case schemas.KindReleased:
		return b.released(t, r)
	default: // skipped, noticed, expired at the core: none of ours
	}
	return nil
}

func (b *book) requested(t *task, r schemas.Record) error {
	req := new(schemas.Requested)
	if err := r.Decode(req); err != nil {
		return err
	}
	t.req, t.release, t.releasing, t.undoTold, t.retry = req, nil, nil, false, false
	t.to(stageRequested)
	if t.lane == nil {
		key := b.laneKey(req.Target)
		if t.lane = b.lanes[key]; t.lane == nil {
			t.lane = &lane{key: key}
			b.lanes[key] = t.lane
		}
		t.lane.tasks = append(t.lane.tasks, t)
		b.learn(t.lane, nameOf(req.Target))
	}
	return nil
}

func (b *book) planned(t *task, r schemas.Record) error {
	p := new(schemas.Plan)
	if err := r.Decode(p); err != nil {
		return err
	}
	p.Holder = t.holder()
	t.plan, t.effect, t.verdict, t.recheck = p, nil, nil, false
	t.held = t.req != nil && !t.req.NoUndo
	t.to(stagePlanned)
	if b.holding(p.Action) {
		b.holds.join(*p, r.Seq)
	}
	if t.lane != nil {
		b.learn(t.lane, namesIn(*p)...)
	}
	return nil
}

func (b *book) applied(t *task, r schemas.Record) error {
	e := new(schemas.Effect)
	if err := r.Decode(e); err != nil {
		return err
	}
	b.holds.applied(t.holder(), *e, r.Kind == schemas.KindKept)
	if r.Kind == schemas.KindKept {
		b.recheck(t.holder())
		return nil
	}
	t.effect = e
	t.to(stageApplied)
	return nil
}

// recheck notes that what all holders of a hold were told of it may be true no longer.
func (b *book) recheck(holder string) {
	h := b.holds.byName[holder]
	if h == nil {
		return
	}
	for _, w := range h.holders {
		if t := b.tasks[w.name]; t != nil {
			t.recheck = true
		}
	}
}

func (b *book) released(t *task, r schemas.Record) error {
	var d schemas.Released
	if err := r.Decode(&d); err != nil {
		return err
	}
	b.holds.leave(t.holder(), d.Undone)
	t.plan, t.effect, t.release, t.releasing, t.held = nil, nil, nil, nil, false
	t.to(stageReleased)
	return nil
}

// pending says that the task's own outcome is not there yet.
func (t *task) pending() bool {
	switch t.stage {
	case stageRequested, stagePlanned:
		return true
	case stageApplied:
		return t.req != nil && !t.req.NoVerify
	default:
		return false
	}
}

// end is an outcome: a release that was asked for on the way has an object
// only while something is held.
func (t *task) end() {
	if !t.held {
		t.release = nil
	}
	t.to(stageDone)
}

func (t *task) to(s stage) {
	t.stage = s
	t.settle()
}

// settle forgets the trouble of the step before.
func (t *task) settle() {
	t.fresh, t.looks, t.tries, t.wait = false, 0, 0, time.Time{}
}
