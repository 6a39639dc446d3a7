package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
)

// maxRounds bounds the recurrences that start the steps anew. Those beyond it
// are counted like any other recurrence.
const maxRounds = 1024

// applyOwn folds a record of the incident itself.
func (i *Incident) applyOwn(r schemas.Record) error {
	switch r.Kind {
	case schemas.KindOpened:
		return i.applyOpened(r)
	case schemas.KindRecurred:
		return i.applyRecurred(r)
	case schemas.KindClosed:
		var c schemas.Closed
		if err := r.Decode(&c); err != nil {
			return err
		}
		if i.opened == nil {
			return impossible(r, "the incident was never opened")
		}
		i.closed = closing{count: i.closed.count + 1, seq: r.Seq, outcome: c.Outcome}
		return nil
	case schemas.KindReleaseAsked:
		a := ReleaseAsked{Seq: r.Seq, At: r.Time}
		if err := r.Decode(&a.ReleaseAsked); err != nil {
			return err
		}
		if i.asked == nil || i.asked.Seq < r.Seq {
			i.asked = &a
		}
		return nil
	default:
		return nil
	}
}

func (i *Incident) applyOpened(r schemas.Record) error {
	if i.opened != nil {
		return impossible(r, "the incident is open already")
	}
	var o schemas.Opened
	if err := r.Decode(&o); err != nil {
		return err
	}
	i.opened, i.openedAt = &o, stamp(r)
	i.index(o.Steps, nil)
	i.rounds = append(i.rounds, Round{Seq: r.Seq, Trigger: o.Trigger, Signals: o.Signals})
	i.entities[entities(o.Signals)] = true
	return nil
}

func (i *Incident) index(steps []schemas.Step, group *stepInfo) {
	for n := range steps {
		s := &steps[n]
		info := &stepInfo{step: s, index: len(i.steps), group: group}
		i.steps[s.ID] = info
		i.index(s.Parallel, info)
		i.index(s.OnFailure, nil)
	}
}

func (i *Incident) applyRecurred(r schemas.Record) error {
	if i.opened == nil {
		return impossible(r, "the incident was never opened")
	}
	if r.ID == i.recurred.lastID {
		return nil // stored twice: its first answer was lost on the way
	}
	var again schemas.Recurred
	if err := r.Decode(&again); err != nil {
		return err
	}
	i.recurred = recurrences{count: i.recurred.count + 1, lastID: r.ID, lastAt: stamp(r)}
	key := entities(again.Signals)
	if i.entities[key] || len(i.rounds) >= maxRounds {
		return nil
	}
	i.entities[key] = true
	i.rounds = append(i.rounds, Round{Seq: r.Seq, Trigger: again.Trigger, Signals: again.Signals})
	return nil
}

// entities names the containers and pods that signals speak of.
func entities(signals map[string]schemas.Signal) string {
	var ids []string
	for _, s := range signals {
		var e schemas.Entities
		if json.Unmarshal(s.Data, &e) != nil {
			continue // speaks of nothing that can be a target
		}
		if e.Container != nil {
			ids = append(ids, "container/"+e.Container.ID)
		}
		if e.K8s != nil && e.K8s.Pod != nil {
			ids = append(ids, "pod/"+e.K8s.Pod.UID)
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), "\n")
}

// stamp is when the ledger took a record, or else when it was made.
func stamp(r schemas.Record) time.Time {
	if r.Stored.IsZero() {
		return r.Time
	}
	return r.Stored
}

func impossible(r schemas.Record, why string) error {
	return fmt.Errorf("record %d %s: %w: %s", r.Seq, r.Subject(), ErrImpossible, why)
}
