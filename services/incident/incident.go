package incident

import (
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
)

// ErrImpossible says that a record cannot follow those before it. It was not folded.
var ErrImpossible = errors.New("record cannot follow those before it")

// States of an incident.
const (
	Open   = "open"
	Closed = "closed"
)

// Incident is the fold of one incident's records. It is not safe for
// concurrent use.
type Incident struct {
	ID string

	opened   *schemas.Opened
	openedAt time.Time
	rounds   []Round
	entities map[string]bool // what the rounds spoke of
	recurred recurrences
	closed   closing
	asked    *ReleaseAsked

	tasks map[string]*Task
	steps map[string]*stepInfo
	heads map[chain]schemas.Head
}

// Round is the opening (0) or a recurrence that spoke of something new.
type Round struct {
	Seq     uint64
	Trigger schemas.EventRef
	Signals map[string]schemas.Signal
}

// ReleaseAsked is the last wish of a person to let go.
type ReleaseAsked struct {
	schemas.ReleaseAsked
	Seq uint64
	At  time.Time
}

type recurrences struct {
	count  int
	lastID string
	lastAt time.Time
}

type closing struct {
	count   int
	seq     uint64
	outcome string
}

type stepInfo struct {
	step  *schemas.Step
	index int       // in the order of the playbook, nested steps after their parent
	group *stepInfo // the parallel it belongs to; nil for none
}

type chain struct{ task, place string }

// New gives an incident of which nothing is known yet.
func New(id string) *Incident {
	return &Incident{
		ID: id, entities: map[string]bool{},
		tasks: map[string]*Task{}, steps: map[string]*stepInfo{}, heads: map[chain]schemas.Head{},
	}
}

// Apply folds a stored record in. A record that was folded before changes
// nothing; a kind that is not known only moves the head of its chain.
func (i *Incident) Apply(r schemas.Record) error {
	if r.Incident != i.ID {
		return fmt.Errorf("record %s: %w: not of incident %s", r.Subject(), schemas.ErrInvalid, i.ID)
	}
	if r.Seq == 0 {
		return fmt.Errorf("record %s: %w: not stored yet", r.Subject(), schemas.ErrInvalid)
	}
	c := chain{r.Task, r.Place}
	if r.Seq <= i.heads[c].Seq {
		return nil
	}
	i.heads[c] = r.Head()
	if r.Task == schemas.TaskIncident {
		return i.applyOwn(r)
	}
	return i.applyTask(r)
}

// Head of the chain of a task at a place, as the next record has to know it.
func (i *Incident) Head(task, place string) schemas.Head { return i.heads[chain{task, place}] }

// Opened gives what opened the incident; nil when that is not known.
func (i *Incident) Opened() *schemas.Opened { return i.opened }

// OpenedAt says when the incident was stored.
func (i *Incident) OpenedAt() time.Time { return i.openedAt }

// Rounds are the opening and the recurrences that spoke of something new.
func (i *Incident) Rounds() []Round { return i.rounds }

// Recurred says how often a recurrence was recorded, and when last.
func (i *Incident) Recurred() (int, time.Time) { return i.recurred.count, i.recurred.lastAt }

// Asked gives a person's last wish to release; nil when nobody asked.
func (i *Incident) Asked() *ReleaseAsked { return i.asked }

// ClosedCount says how many closed records there are.
func (i *Incident) ClosedCount() int { return i.closed.count }

// Outcome is what the last closed record says; "" before it.
func (i *Incident) Outcome() string { return i.closed.outcome }

// Step gives a step of the playbook by its id, nested ones too.
func (i *Incident) Step(id string) (*schemas.Step, bool) {
	s, known := i.steps[id]
	if !known {
		return nil, false
	}
	return s.step, true
}

// State is Open or Closed.
func (i *Incident) State() string {
	if i.closed.count == 0 || !i.settled() {
		return Open
	}
	if last := len(i.rounds) - 1; last >= 0 && i.rounds[last].Seq > i.closed.seq {
		return Open
	}
	return Closed
}

func (i *Incident) settled() bool {
	for _, t := range i.tasks {
		if !t.Settled() {
			return false
		}
	}
	return true
}
