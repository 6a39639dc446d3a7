package engine

import (
	"encoding/json"
	"errors"
	"fmt"

	"firebreak/schemas"
)

// Fill completes a decision with the events that took part and are not in it:
// recall reads one from the log. One that the log no longer has (an error of
// class schemas.ErrAbsent), or that is another by now, is left with what is
// known and with `{}` as its data; [Engine.Unrecalled] counts those. Any other
// error is handed back, for another try. Events that are too large for the
// decision's record are cut.
func Fill(d Decision, recall func(seq uint64) (schemas.Event, error)) (Decision, error) {
	switch d := d.(type) {
	case Opened:
		missing, err := fill(&d.Opened.Trigger, d.Opened.Signals, d.Recall, recall)
		if err != nil {
			return d, fmt.Errorf("incident %s: %w", d.Incident, err)
		}
		d.Recall = missing
		fit(d.Opened.Signals)
		return d, nil
	case Recurred:
		missing, err := fill(&d.Recurred.Trigger, d.Recurred.Signals, d.Recall, recall)
		if err != nil {
			return d, fmt.Errorf("incident %s, recurrence %d: %w", d.Incident, d.N, err)
		}
		d.Recall = missing
		fit(d.Recurred.Signals)
		return d, nil
	}
	return d, nil
}

// fill gives what could not be recalled.
func fill(trigger *schemas.EventRef, signals map[string]schemas.Signal, list []Recall, recall func(uint64) (schemas.Event, error)) (missing []Recall, err error) {
	for _, r := range list {
		s := signals[r.Signal]
		ev, err := recall(r.Seq)
		if err != nil && !errors.Is(err, schemas.ErrAbsent) {
			return list, fmt.Errorf("recall event %d for signal %s: %w", r.Seq, r.Signal, err)
		}
		if err != nil || identity(ev.Writer, ev.Source, ev.ID) != r.Hash {
			s.Data = json.RawMessage(`{}`)
			signals[r.Signal] = s
			missing = append(missing, r)
			continue
		}
		at := clamp(&ev)
		s.EventRef = schemas.EventRef{Source: ev.Source, ID: ev.ID, Type: ev.Type, Time: instant(at), Seq: r.Seq}
		s.Data = ev.Data
		signals[r.Signal] = s
		if trigger.ID == "" && trigger.Seq == r.Seq {
			trigger.Source, trigger.ID, trigger.Type = ev.Source, ev.ID, ev.Type
		}
	}
	return missing, nil
}

// Unrecalled counts the events that a filled decision still lacks.
func (e *Engine) Unrecalled(d Decision) {
	switch d := d.(type) {
	case Opened:
		e.statsOf(d.Opened.Playbook.Name).Unrecalled += uint64(len(d.Recall))
	case Recurred:
		if g := e.incidents[d.Incident]; g != nil {
			e.statsOf(g.playbook).Unrecalled += uint64(len(d.Recall))
		}
	}
}
