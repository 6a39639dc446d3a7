package incident

import (
	"slices"

	"firebreak/schemas"
)

// Outcomes of a closed incident.
const (
	OutcomeContained = "contained"
	OutcomePartial   = "partial"
	OutcomeFailed    = "failed"
	OutcomeObserved  = "observed"
	OutcomeRefused   = "refused"
	OutcomeGone      = "gone"
	OutcomeNothing   = "nothing"
)

// KindIncident is the kind of target of a step that contains nothing, such as
// a notification.
const KindIncident = "incident"

// Verdict sums the incident up: what became of its targets, at the best that
// each had reached before it was let go. Steps on the incident itself
// (notifications) do not count.
func (i *Incident) Verdict() string {
	var n struct{ contained, partial, observed, refused, gone int }
	for _, t := range i.tasks {
		if t.Target.Kind == KindIncident {
			continue
		}
		switch t.Reached() {
		case Enforced:
			n.contained++
		case Applied:
			if t.Requested.NoVerify && t.Requested.NoUndo {
				continue // captured or told, not contained
			}
			n.contained++
		case Partial, Unverified:
			n.partial++
		case Observed:
			n.observed++
		case Gone:
			n.gone++
		case Refused:
			n.refused++
		case Skipped:
			if t.Outcome().Cause == "hold" {
				n.refused++
			}
		}
	}
	switch {
	case i.Failed():
		return OutcomeFailed
	case n.partial > 0, n.contained > 0 && n.refused > 0:
		return OutcomePartial
	case n.contained > 0:
		return OutcomeContained
	case n.observed > 0:
		return OutcomeObserved
	case n.refused > 0:
		return OutcomeRefused
	case n.gone > 0:
		return OutcomeGone
	default:
		return OutcomeNothing
	}
}

// Failed says that the response failed or was without effect on some target,
// and that no step of its `onFailure` made up for it.
func (i *Incident) Failed() bool {
	for _, t := range i.tasks {
		if t.Target.Kind == KindIncident || t.State() == "" || !bad(t.Reached()) {
			continue
		}
		made := false
		for s := i.steps[t.Step]; s != nil && !made; s = s.group {
			made = i.redressed(s.step, t.Round)
		}
		if !made {
			return true
		}
	}
	return false
}

// LetGo says that something was held and is released.
func (i *Incident) LetGo() bool {
	for _, t := range i.tasks {
		if t.State() == Released {
			return true
		}
	}
	return false
}

// Deferred says that a step was not carried out for one of the causes.
func (i *Incident) Deferred(causes ...string) bool {
	for _, t := range i.tasks {
		if s := t.State(); (s == Refused || s == Skipped) && slices.Contains(causes, t.Outcome().Cause) {
			return true
		}
	}
	return false
}

func bad(s State) bool { return s == Failed || s == Ineffective }

func (i *Incident) redressed(s *schemas.Step, round int) bool {
	for n := range s.OnFailure {
		sub := &s.OnFailure[n]
		for _, t := range i.tasks {
			if t.Step != sub.ID || t.Round != round || t.Target.Kind == KindIncident {
				continue
			}
			switch t.Reached() {
			case Enforced, Applied, Gone:
				return true
			}
		}
		if i.redressed(sub, round) {
			return true
		}
	}
	return false
}
